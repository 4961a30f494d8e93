// SPDX-License-Identifier: Apache-2.0
//
// A directory of many pages on a store that gives some of them and not the others yet.

import Foundation
import Metadata
import Primitives
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite("large directories", .serialized)
struct LargeDirectoryTests {
    /// Seven pages and more: a name of 200 bytes takes 250 in a page of 256 KiB.
    private static let count = 8000
    /// The directory's index page, and the leaves that are fetched at a time.
    private static let first = 5
    /// One file in so many has content.
    private static let step = 100
    /// What stands before the store of the engine that runs.
    private let held = Held()

    private static func name(_ number: Int) -> String {
        String(repeating: "0123456789", count: 19) + String(1_000_000_000 + number)
    }

    private static let names = (0..<count).map(name).sorted()

    /// Another machine, which knows that the directory is there and has no name of it.
    private func recovered() throws -> (TestVolume, HeldStore) {
        let volume = try TestVolume(on: TestStore()) { [held] configuration in
            let store = HeldStore(configuration.chunks)
            configuration.chunks = store
            held.set(store)
        }
        try volume.makeDirectory("/files/large")
        for number in 0..<Self.count {
            try volume.writeFile(
                "/files/large/" + Self.name(number), number % Self.step == 0 ? [1, 2, 3] : [])
        }
        try volume.recover()
        _ = try volume.resolve("/files/large")
        return (volume, try held.get())
    }

    /// Somebody who waits not as long as the test does.
    private func hasty() -> RequestContext {
        RequestContext(
            user: 1000, group: 1000, patience: Patience(for: Duration.milliseconds(300).scaled))
    }

    /// Names from `offset` on, as the kernel asks for them; where the listing ended.
    private func names(
        _ volume: TestVolume, _ handle: UInt64, _ ino: UInt64, from offset: inout UInt64,
        _ context: RequestContext, withStatus: Bool = false
    ) throws -> [String] {
        var names: [String] = []
        var next = offset
        try volume.engine.readDirectory(
            handle, ino: ino, from: offset, withStatus: withStatus, inPieces: true, context
        ) { entry in
            names.append(String(decoding: entry.name, as: UTF8.self))
            // A name that others may change meanwhile counts as no lookup.
            if withStatus, entry.name.count > 2 { #expect(entry.status == nil) }
            next = entry.nextOffset
            return true
        }
        offset = next
        return names.filter { $0.count > 2 }
    }

    // SEMANTICS: A directory of 4096 names or more that this machine has never seen is listed as
    // its pages come; looking up one of its names waits for all of them.
    @Test("its first names are listed while its last pages are still on their way")
    func streaming() throws {
        let (volume, store) = try recovered()
        let ino = try volume.resolve("/files/large")
        store.pass(Self.first)
        let handle = try volume.engine.openDirectory(ino, volume.context).handle
        defer { volume.engine.releaseDirectory(handle) }
        var (offset, listed): (UInt64, [String]) = (0, [])
        #expect(throws: FileError.inputOutput) {
            while true {
                listed += try names(volume, handle, ino, from: &offset, hasty(), withStatus: true)
            }
        }
        #expect(!listed.isEmpty && listed.count < Self.count)
        #expect(listed == Array(Self.names.prefix(listed.count)))
        // Whoever cannot wait is told that waiting is what it takes.
        #expect(throws: FileError.wouldBlock) {
            try names(
                volume, handle, ino, from: &offset, RequestContext(user: 0, group: 0))
        }
        store.pass(nil)
        while true {
            let more = try names(volume, handle, ino, from: &offset, volume.context)
            if more.isEmpty { break }
            listed += more
        }
        #expect(listed == Self.names)
    }

    @Test("a load goes on when who began it has lost patience")
    func impatience() throws {
        let (volume, whole) = try recovered()
        let before = whole.passed
        #expect(try volume.list("/files/large") == Self.names)
        let pages = whole.passed - before
        try volume.forgetEverything()
        let store = try held.get()
        let ino = try volume.resolve("/files/large")
        let start = store.passed
        store.pass(Self.first)
        #expect(throws: FileError.inputOutput) {
            try volume.engine.lookup(Array(Self.name(3).utf8), in: ino, hasty())
        }
        store.pass(nil)
        // Nobody asks for anything more, and every page comes.
        #expect(eventually(within: .seconds(60)) { store.passed == start + pages })
        // Nothing is left to be fetched.
        store.pass(0, others: .refused("closed"))
        #expect(try volume.list("/files/large") == Self.names)
    }

    // SEMANTICS: `cairn share` makes a file, or the regular files of a folder as an archive,
    // readable for whoever has the address, for ever. Links, empty folders, and files of fewer than
    // three bytes are left out, and counted.
    @Test("one that is still on its way is shared whole")
    func share() throws {
        let (volume, store) = try recovered()
        let ino = try volume.resolve("/files/large")
        store.pass(Self.first)
        let handle = try volume.engine.openDirectory(ino, volume.context).handle
        volume.engine.releaseDirectory(handle)
        let later = Thread {
            usleep(300_000)
            store.pass(nil)
        }
        later.start()
        let shared = try volume.engine.share(ino, name: Array("large".utf8), volume.context)
        #expect(shared.fileCount == Self.count / Self.step)
        #expect(shared.fileCount + shared.skippedCount == Self.count)
    }

    @Test("a page that does not come is an error in the listing, and the next one begins anew")
    func failure() throws {
        let (volume, store) = try recovered()
        let ino = try volume.resolve("/files/large")
        store.pass(Self.first, others: .unreachable(retryAfter: nil))
        let handle = try volume.engine.openDirectory(ino, volume.context).handle
        var (offset, listed): (UInt64, [String]) = (0, [])
        #expect(throws: FileError.inputOutput) {
            while true {
                listed += try names(volume, handle, ino, from: &offset, volume.context)
            }
        }
        volume.engine.releaseDirectory(handle)
        #expect(listed.count < Self.count)
        #expect(throws: FileError.inputOutput) { try volume.list("/files/large") }
        store.pass(nil)
        #expect(try volume.list("/files/large") == Self.names)
    }

    @Test("a name that is made while it is loaded joins the others, here and on the store")
    func change() throws {
        let (volume, store) = try recovered()
        let ino = try volume.resolve("/files/large")
        store.pass(Self.first)
        let handle = try volume.engine.openDirectory(ino, volume.context).handle
        volume.engine.releaseDirectory(handle)
        // Also one that is a row already: it may not change before the others are there.
        #expect(throws: FileError.inputOutput) {
            try volume.engine.unlink(Array(Self.name(0).utf8), in: ino, hasty())
        }
        store.pass(nil)
        try volume.writeFile("/files/large/new", [1, 2, 3])
        try volume.unlink("/files/large/" + Self.name(0))
        let wanted = Array(Self.names.dropFirst()) + ["new"]
        #expect(try volume.list("/files/large") == wanted)
        try volume.recover()
        #expect(try volume.list("/files/large") == wanted)
    }

    @Test("what is changed in it meanwhile is published with the rest, and not before")
    func publication() throws {
        let (volume, store) = try recovered()
        let ino = try volume.resolve("/files/large")
        store.pass(Self.first)
        let handle = try volume.engine.openDirectory(ino, volume.context).handle
        volume.engine.releaseDirectory(handle)
        // What no operation reaches: a file of which nobody has looked up the name.
        let shared = volume.engine.volume
        let row = try shared.query { (reader) throws(MetadataError) in
            try reader.lookup(parent: ino, name: Array(Self.name(1).utf8))
        }
        try shared.with(try #require(row).ino) { (inode) throws(FileError) in
            try shared.change(inode) { (state) throws(FileError) in state.isRowDirty = true }
        }
        func publishNow() -> FileError? {
            volume.engine.publisher.publishNow(until: .now + .seconds(20).scaled)
        }
        #expect(publishNow() == .inputOutput)
        #expect(try volume.report("errors").contains("this machine has not all names"))
        store.pass(nil)
        #expect(eventually { publishNow() == nil })
        try volume.recover()
        #expect(try volume.list("/files/large") == Self.names)
    }

    @Test("a volume that is stopped meanwhile goes on at its next start")
    func stop() throws {
        let (volume, store) = try recovered()
        let ino = try volume.resolve("/files/large")
        store.pass(Self.first)
        let handle = try volume.engine.openDirectory(ino, volume.context).handle
        volume.engine.releaseDirectory(handle)
        let start = ContinuousClock.now
        try volume.restart()
        #expect(ContinuousClock.now - start < Duration.seconds(5).scaled)
        #expect(try volume.list("/files/large") == Self.names)
    }
}
