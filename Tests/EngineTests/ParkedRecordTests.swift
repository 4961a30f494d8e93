// SPDX-License-Identifier: Apache-2.0
//
// Parked identities whose records wait for the store: a record is written once, and is there when
// somebody comes for the identity.

import Cryptography
import Primitives
import Scratchpads
import Stores
import TestSupport
import Testing

@testable import Engine
@testable import Metadata

@Suite("records of parked identities", .serialized)
struct ParkedRecordTests {
    private static let size = 100_000
    private static let names = ["a", "b", "c"]

    /// Pads of which the store has the first state, and a second waits for it.
    private func waiting() throws -> (volume: TestVolume, addresses: [String]) {
        let volume = try TestVolume(on: TestStore())
        for name in Self.names { try volume.writeFile("/scratchpads/" + name, [1]) }
        try volume.publish()
        volume.memory.change { state in state.padFailure = .unreachable(retryAfter: nil) }
        for name in Self.names {
            try volume.writeFile("/scratchpads/" + name, pattern(Self.size, seed: 2))
        }
        #expect(
            volume.engine.synchronizeRemotely(timeout: .seconds(20).scaled)
                != .published(revision: 0))
        let addresses = try Self.names.map {
            try volume.attribute("user.cairn.address", of: "/scratchpads/" + $0)
        }
        return (volume, addresses)
    }

    /// Bytes of the settings that parked identities have, the list's first.
    private func sizes(_ volume: TestVolume, _ addresses: [String]) throws -> [Int] {
        try volume.engine.volume.query { (reader) throws(MetadataError) in
            var sizes = [try reader.value("parked-pads")?.count ?? 0]
            for address in addresses {
                sizes.append(try reader.value("parked-record-" + address)?.count ?? 0)
            }
            return sizes
        }
    }

    @Test(
        "a record is beside the list, for as long as its identity is parked",
        arguments: [false, true])
    func besideTheList(crashes: Bool) throws {
        let (volume, addresses) = try waiting()
        for name in Self.names { try volume.unlink("/scratchpads/" + name) }
        let parked = try sizes(volume, addresses)
        #expect(parked[0] < 1000)
        #expect(parked.dropFirst().allSatisfy { $0 > Self.size })
        #expect(
            volume.engine.pads.parked.withLock { list in
                list.entries.allSatisfy { $0.pad.pendingRecord == nil }
            })
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        if crashes { try volume.crash() }
        // One comes back under its name, one is taken by a rename, one is forgotten.
        try volume.writeFile("/scratchpads/a", [3])
        try volume.writeFile("/scratchpads/x.tmp", [4])
        try volume.rename("/scratchpads/x.tmp", "/scratchpads/b")
        #expect(try sizes(volume, addresses)[1...2] == [0, 0])
        volume.engine.pads.expireParked(at: .now + ParkedPads.lifetime)
        #expect(try sizes(volume, addresses).dropFirst() == [0, 0, 0])
        volume.memory.heal()
        try volume.recover()
        for (name, content) in [("a", [3]), ("b", [4])] as [(String, [UInt8])] {
            #expect(try volume.readFile("/scratchpads/" + name) == content)
            // What waited was put before anything newer was sealed.
            #expect(try volume.attribute("user.cairn.counter", of: "/scratchpads/" + name) == "3")
        }
        let first = volume.memory.change { $0.accepted }.filter { $0.address.hex == addresses[0] }
        #expect(first.map(\.counter) == [1, 2, 3])
    }

    @Test("a file that went away has its record again with its identity")
    func givenBack() throws {
        let (volume, addresses) = try waiting()
        try volume.rename("/scratchpads/a", "/scratchpads/a~")
        #expect(try sizes(volume, addresses)[1] > Self.size)
        volume.engine.pads.expireParked(at: .now + ParkedPads.lifetime)
        #expect(try sizes(volume, addresses).dropFirst() == [0, 0, 0])
        let ino = try volume.resolve("/scratchpads/a~")
        #expect(try volume.engine.pad(ino)?.pendingRecord != nil)
        volume.memory.heal()
        try volume.publish()
        let first = volume.memory.change { $0.accepted }.filter { $0.address.hex == addresses[0] }
        #expect(first.map(\.counter) == [1, 2])
    }

    @Test("a list of the version before is read, with its records in it")
    func olderVersion() throws {
        let capability = WriteCapability(seed: SecretBytes([UInt8](repeating: 7, count: 32)))
        var writer = ByteWriter()
        writer.u8(2)
        writer.varint(1)
        writer.u64le(3)
        writer.lengthPrefixed(Array("note".utf8))
        writer.u64le(70)
        writer.i64le(1_700_000_000)
        writer.lengthPrefixed([UInt8](repeating: 3, count: 32))
        writer.u8(capability.address.scheme.rawValue)
        writer.lengthPrefixed(capability.address.bytes)
        writer.u64le(5)
        writer.u64le(8)
        writer.lengthPrefixed([UInt8](repeating: 6, count: 32))
        writer.lengthPrefixed([1, 2, 3])
        let now = ContinuousClock.now
        var parked = try ParkedPads(decoding: writer.bytes, now: now)
        let pad = try #require(parked.entries.first).pad
        #expect(pad.pendingRecord == [1, 2, 3] && pad.counter == 8 && pad.encoding == 5)
        let (added, left) = parked.separateRecords()
        #expect(added.map(\.1) == [[1, 2, 3]] && left.isEmpty)
        let again = try ParkedPads(decoding: parked.encoded(now: now, seconds: 0), now: now)
        #expect(again.entries.map(\.isRecordApart) == [true])
        #expect(again.entries.first?.pad.pendingRecord == nil)
    }
}
