// SPDX-License-Identifier: Apache-2.0
//
// A store that lost or changed what it was given: the file that is hit says so, everything else
// goes on, and what comes back is taken up again.

import Engine
import Namespace
import Primitives
import Scratchpads
import Testing

@Suite("a store with bad bytes", .serialized)
struct BadBytesTests {
    static let large = pattern(1_200_000, seed: 1)
    static let medium = pattern(200_000, seed: 2)

    enum Damage: String, CaseIterable {
        case missing, noticed, flipped, truncated, swapped

        func fault(other: Digest) -> Fault {
            switch self {
            case .missing: .missing
            case .noticed: .noticed
            case .flipped: .flipped
            case .truncated: .truncated
            case .swapped: .swapped(other)
            }
        }
    }

    /// A published volume of which this machine has forgotten everything.
    static func forgotten() throws -> TestVolume {
        let volume = try TestVolume(on: TestStore()) { $0.readDeadline = .seconds(5) }
        try volume.writeFile("/files/large", large)
        try volume.writeFile("/files/small", Array("small".utf8))
        try volume.makeDirectory("/files/dir")
        try volume.writeFile("/files/dir/medium", medium)
        try volume.writeFile("/files/dir/tiny", Array("tiny".utf8))
        try volume.makeDirectory("/files/other")
        try volume.writeFile("/files/other/tiny", Array("other".utf8))
        try volume.writeFile("/scratchpads/note", Array("a note".utf8))
        try volume.writeFile("/scratchpads/list", Array("a list".utf8))
        try volume.recover()
        return volume
    }

    static func expectHealthy(_ volume: TestVolume) throws {
        #expect(same(try volume.readFile("/files/large"), large))
        #expect(try volume.readFile("/files/small") == Array("small".utf8))
        #expect(same(try volume.readFile("/files/dir/medium"), medium))
        #expect(try volume.readFile("/files/dir/tiny") == Array("tiny".utf8))
        #expect(try volume.readFile("/files/other/tiny") == Array("other".utf8))
        #expect(try volume.readFile("/scratchpads/note") == Array("a note".utf8))
        #expect(try volume.readFile("/scratchpads/list") == Array("a list".utf8))
    }

    // SEMANTICS: What its digest, seal or signature does not prove is never shown: the read fails
    // with EIO, and `.cairn/errors` has a line.
    @Test("a bad chunk is EIO at its file alone", arguments: Damage.allCases)
    func badChunk(_ damage: Damage) throws {
        let volume = try Self.forgotten()
        let store = volume.memory
        let ino = try volume.resolve("/files/large")
        let addresses = try volume.engine.describe(ino, volume.context).chunkAddresses
        let digests = addresses.compactMap { Digest(hex: $0) }
        try #require(digests.count == 3)
        store.change { $0.chunkFaults[digests[1]] = damage.fault(other: digests[0]) }

        #expect(throws: FileError.inputOutput) { try volume.readFile("/files/large") }
        #expect(try volume.report("errors").contains(digests[1].hex))
        #expect(same(try volume.readFile("/files/dir/medium"), Self.medium))
        #expect(try volume.readFile("/files/small") == Array("small".utf8))
        // New work is stored and published beside the damage.
        try volume.writeFile("/files/new", pattern(100_000, seed: 3))
        try volume.publish()

        store.heal()
        try Self.expectHealthy(volume)
        try volume.recover()
        try Self.expectHealthy(volume)
        #expect(same(try volume.readFile("/files/new"), pattern(100_000, seed: 3)))
    }

    @Test("a bad page is EIO in its directory alone", arguments: Damage.allCases)
    func badPage(_ damage: Damage) throws {
        let volume = try Self.forgotten()
        let store = volume.memory
        let tree = try volume.published()
        let page = try #require(tree.pages["/files/dir"]?.first)
        let other = try #require(tree.pages["/files/other"]?.first)
        store.change { $0.chunkFaults[page] = damage.fault(other: other) }

        #expect(throws: FileError.inputOutput) { try volume.list("/files/dir") }
        #expect(throws: FileError.inputOutput) { try volume.resolve("/files/dir/tiny") }
        #expect(try volume.report("errors").contains(page.hex))
        #expect(try volume.list("/files") == ["dir", "large", "other", "small"])
        #expect(try volume.readFile("/files/other/tiny") == Array("other".utf8))
        try volume.writeFile("/files/other/new", Array("new".utf8))
        try volume.publish()

        store.heal()
        try Self.expectHealthy(volume)
        try volume.recover()
        try Self.expectHealthy(volume)
    }

    @Test("a bad page of the revisions' log does not stop publishing", arguments: Damage.allCases)
    func badLog(_ damage: Damage) throws {
        let volume = try Self.forgotten()
        let store = volume.memory
        let tree = try volume.published()
        let page = try #require(tree.pages["log"]?.first)
        let other = try #require(tree.pages["/files/other"]?.first)
        store.change { $0.chunkFaults[page] = damage.fault(other: other) }
        try volume.writeFile("/files/new", Array("new".utf8))
        try volume.publish()
        #expect(try volume.report("errors").contains("log of revisions"))
        try volume.recover()
        try Self.expectHealthy(volume)
    }

    @Test("after half a directory came, a change in it loses nothing of the other half")
    func halfLoaded() throws {
        let volume = try TestVolume(on: TestStore()) { $0.readDeadline = .seconds(5) }
        let store = volume.memory
        try volume.makeDirectory("/files/dir")
        for number in 0..<60 {
            try volume.writeFile(
                "/files/dir/f\(100 + number)", pattern(12_000, seed: UInt64(number)))
        }
        try volume.recover()
        let pages = try #require(try volume.published().pages["/files/dir"])
        try #require(pages.count > 2)
        // The walk goes in order: the last page is the last leaf.
        let last = try #require(pages.last)
        store.change { $0.chunkFaults[last] = .missing }
        #expect(throws: FileError.inputOutput) { try volume.list("/files/dir") }
        // What came of it may be used or not; whatever is done must not cut the rest off.
        do throws(FileError) {
            let ino = try volume.resolve("/files/dir/f100")
            var change = AttributeChange()
            change.mode = 0o600
            _ = try volume.engine.setAttributes(of: ino, change, volume.context)
        } catch {
            #expect(error == .inputOutput)
        }
        try volume.publish()
        store.heal()
        try volume.recover()
        #expect(try volume.list("/files/dir").count == 60)
    }

    // MARK: Pads

    enum PadDamage: String, CaseIterable {
        case missing, noticed, older, foreign, unsigned
    }

    @Test("a bad pad is EIO at the pad alone", arguments: PadDamage.allCases)
    func badPad(_ damage: PadDamage) throws {
        let volume = try TestVolume(on: TestStore()) { $0.readDeadline = .seconds(5) }
        let store = volume.memory
        try volume.writeFile("/scratchpads/note", Array("first".utf8))
        try volume.publish()
        let first = try record("note", volume)
        try volume.writeFile("/scratchpads/note", Array("second".utf8))
        try volume.writeFile("/scratchpads/list", Array("a list".utf8))
        try volume.publish()
        let second = try record("note", volume)
        let other = try record("list", volume)
        var forged = second.signature
        forged[3] ^= 1
        let unsigned = try PadRecord(
            address: second.address, encoding: second.encoding, counter: second.counter,
            ciphertext: second.ciphertext, signature: forged)
        volume.stop()
        store.change { state in
            switch damage {
            case .missing: state.pads[second.address] = nil
            case .noticed: state.padFaults[second.address] = .some(nil)
            case .older: state.padFaults[second.address] = .some(first)
            case .foreign: state.padFaults[second.address] = .some(other)
            case .unsigned: state.padFaults[second.address] = .some(unsigned)
            }
        }
        try volume.forgetEverything()
        for _ in 0..<2 {
            #expect(try volume.list("/scratchpads") == ["list", "note"])
            #expect(throws: FileError.inputOutput) { try volume.readFile("/scratchpads/note") }
            #expect(try volume.readFile("/scratchpads/list") == Array("a list".utf8))
            let errors = try volume.report("errors")
            #expect(errors.contains("pad"))
            if damage == .older { #expect(errors.contains("rollback")) }
            // The rest of the volume is not held up by it, now and after a restart.
            try volume.writeFile("/files/new", Array("new".utf8))
            try volume.publish()
            try volume.restart()
        }
        store.heal()
        store.change { $0.pads[second.address] = $0.pads[second.address] ?? second }
        #expect(try volume.readFile("/scratchpads/note") == Array("second".utf8))
        #expect(try volume.attribute("user.cairn.counter", of: "/scratchpads/note") == "2")
        try volume.recover()
        #expect(try volume.readFile("/scratchpads/note") == Array("second".utf8))
    }

    private func record(_ name: String, _ volume: TestVolume) throws -> PadRecord {
        let address = try volume.attribute("user.cairn.address", of: "/scratchpads/" + name)
        let pads = volume.memory.pads
        return try #require(pads.first { $0.key.hex == address }?.value)
    }
}
