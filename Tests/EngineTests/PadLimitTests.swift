// SPDX-License-Identifier: Apache-2.0
//
// Pads at their limits: the first counter and the last, and a file that is too large for the
// identity whose name it would take.

import Cryptography
import Namespace
import Scratchpads
import TestSupport
import Testing

@testable import Engine

@Suite("pads at their limits", .serialized)
struct PadLimitTests {
    private static let key = SecretBytes([UInt8](repeating: 1, count: AutonomiPad.keySize))

    /// Brings a pad of the older network in as `/scratchpads/p`.
    private func bring(
        _ volume: TestVolume, counter: UInt64, withKey: Bool = true, isEncrypted: Bool = false
    ) throws {
        let pad = try #require(AutonomiPad(key: Self.key, isEncrypted: isEncrypted))
        let record = try pad.seal(Array("\(counter)".utf8).span, encoding: 42, counter: counter)
        let status = try volume.engine.importPad(
            record, key: withKey ? Self.key : nil, as: Array("p".utf8),
            in: Engine.scratchpadsInode, volume.context)
        volume.engine.forget(status.ino, count: 1)
    }

    private func read(_ volume: TestVolume) throws -> String {
        String(decoding: try volume.readFile("/scratchpads/p"), as: UTF8.self)
    }

    @Test("a pad whose counter is at its end says so, and stays on this machine")
    func lastCounter() throws {
        let volume = try TestVolume(on: TestStore())
        try bring(volume, counter: .max - 1)
        try volume.writeFile("/scratchpads/p", Array("last".utf8), truncates: true)
        try volume.publish()
        #expect(try volume.attribute("user.cairn.counter", of: "/scratchpads/p") == "\(UInt64.max)")
        for _ in 0..<2 {
            try volume.writeFile("/scratchpads/p", Array("more".utf8), truncates: true)
            guard
                case .failed(let sentence) = volume.engine.synchronizeRemotely(
                    timeout: .seconds(20).scaled)
            else {
                Issue.record("there is no counter left")
                return
            }
            #expect(sentence.contains("counter"))
            #expect(try volume.report("errors").contains("counter"))
            try volume.restart()
            #expect(try read(volume) == "more")
        }
    }

    @Test("a pad that could never be written is not brought in to be written")
    func importedAtTheEnd() throws {
        let volume = try TestVolume(on: TestStore())
        #expect(throws: FileError.invalid) { try bring(volume, counter: .max) }
        #expect(volume.memory.pads.count == 1, "the root's alone")
        try bring(volume, counter: 5)
        #expect(throws: FileError.invalid) { try bring(volume, counter: .max, withKey: false) }
        try volume.writeFile("/scratchpads/p", Array("six".utf8), truncates: true)
        try volume.publish()
        let other = try TestVolume(on: TestStore())
        try bring(other, counter: .max, withKey: false)
        try other.recover()
        #expect(try read(other) == "\(UInt64.max)")
    }

    @Test("a pad from elsewhere with counter 0 is in the revision", arguments: [false, true])
    func firstCounter(isWritable: Bool) throws {
        let volume = try TestVolume(on: TestStore())
        try bring(volume, counter: 0, withKey: isWritable)
        try volume.recover()
        #expect(try read(volume) == "0")
        #expect(try volume.attribute("user.cairn.counter", of: "/scratchpads/p") == "0")
        guard isWritable else { return }
        try volume.writeFile("/scratchpads/p", Array("one".utf8), truncates: true)
        try volume.recover()
        #expect(try read(volume) == "one")
        #expect(try volume.attribute("user.cairn.counter", of: "/scratchpads/p") == "1")
    }

    enum Taking: String, CaseIterable {
        case over, exchange, parked
    }

    // SEMANTICS: A file that is larger than the pad may be whose identity it would take is not
    // renamed so: EFBIG.
    @Test("a file too large for a pad does not take its name", arguments: Taking.allCases)
    func tooLarge(_ taking: Taking) throws {
        let volume = try TestVolume(on: TestStore())
        try bring(volume, counter: 7, isEncrypted: true)
        let address = try volume.attribute("user.cairn.address", of: "/scratchpads/p")
        let limit = AutonomiPad.maximumContentSize
        try volume.writeFile("/scratchpads/x.tmp", pattern(limit + 1, seed: 1))
        if taking == .parked { try volume.unlink("/scratchpads/p") }
        let mode: RenameMode = taking == .exchange ? .exchange : .replace
        func rename() throws {
            let parent = Engine.scratchpadsInode
            try volume.engine.rename(
                Array("x.tmp".utf8), in: parent, to: Array("p".utf8), in: parent, mode,
                volume.context)
        }
        #expect(throws: FileError.tooLarge) { try rename() }
        if taking != .parked { #expect(try read(volume) == "7") }
        try volume.publish()
        try volume.writeFile("/scratchpads/x.tmp", pattern(limit, seed: 2), truncates: true)
        try rename()
        try volume.recover()
        #expect(same(try volume.readFile("/scratchpads/p"), pattern(limit, seed: 2)))
        #expect(try volume.attribute("user.cairn.address", of: "/scratchpads/p") == address)
    }
}
