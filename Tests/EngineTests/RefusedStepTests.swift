// SPDX-License-Identifier: Apache-2.0
//
// A store that takes no more from one of its calls on: each call of a flush, of pads and of a
// publication is once the first that is refused.

import Engine
import Foundation
import Stores
import TestSupport
import Testing

@Suite("a store that takes no more", .serialized)
struct RefusedStepTests {
    /// Fewer calls than this are no flush and no publication.
    private static let fewestCalls = 8
    /// More than a revision of this tree takes, unless something is done for ever.
    private static let mostCalls = 60

    private static let tree: [(path: String, size: Int)] = [
        ("/files/large", 150_000), ("/files/small", 900), ("/files/dir/large", 60_000),
        ("/files/dir/below/small", 10), ("/scratchpads/note", 3000),
    ]

    /// Changes a tree that was published: overwrites, a file that is renamed over another, and new
    /// ones, large and small. Returns what it is then.
    private func change(_ volume: TestVolume) throws -> [String: [UInt8]] {
        var wanted: [String: [UInt8]] = [:]
        for (number, (path, size)) in Self.tree.enumerated() {
            let bytes = pattern(size, seed: UInt64(100 + number))
            try volume.writeFile(path, bytes, truncates: true)
            wanted[path] = bytes
        }
        let saved = pattern(50_000, seed: 200)
        try volume.writeFile("/files/new", saved)
        try volume.rename("/files/new", "/files/small")
        wanted["/files/small"] = saved
        try volume.makeDirectory("/files/other")
        wanted["/files/other/new"] = pattern(40_000, seed: 201)
        try volume.writeFile("/files/other/new", wanted["/files/other/new"] ?? [])
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        return wanted
    }

    private func expect(_ wanted: [String: [UInt8]], in volume: TestVolume, _ when: String) throws {
        for (path, bytes) in wanted {
            #expect(same(try volume.readFile(path), bytes), "\(path) \(when)")
        }
        #expect(try volume.list("/files") == ["dir", "large", "other", "small"], "\(when)")
    }

    @Test(
        "a store that takes no more from any call on loses nothing, says so, and goes on later",
        arguments: [StoreError.full, .quotaExceeded])
    func refused(_ error: StoreError) throws {
        var count = 0
        while count < Self.mostCalls {
            let volume = try TestVolume(on: TestStore()) { $0.publishDelay = .seconds(600) }
            let store = volume.memory
            try volume.makeDirectory("/files/dir")
            try volume.makeDirectory("/files/dir/below")
            for (path, size) in Self.tree { try volume.writeFile(path, pattern(size, seed: 1)) }
            try volume.publish()
            store.refuseWrites(error, after: count)
            let wanted = try change(volume)
            let outcome = volume.engine.synchronizeRemotely(timeout: .seconds(20).scaled)
            if case .published = outcome { break }
            #expect(outcome == .failed(error.description), "after \(count) calls")
            #expect(try volume.report("errors").contains(error.description))
            // What a revision names is on the store, whichever revision stands there.
            #expect(try volume.published().entries["/files/large"] != nil, "after \(count) calls")
            try expect(wanted, in: volume, "refused after \(count) calls")
            if count % 2 == 1 { try volume.crash() }
            store.heal()
            try volume.publish()
            try volume.forgetEverything()
            try expect(wanted, in: volume, "on another machine, refused after \(count) calls")
            count += 1
        }
        #expect((Self.fewestCalls..<Self.mostCalls).contains(count), "\(count) calls were refused")
    }
}
