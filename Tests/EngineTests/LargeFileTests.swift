// SPDX-License-Identifier: Apache-2.0
//
// Files that are larger than what one would like to move: mostly holes, or changed in one place.

import Engine
import Namespace
import Primitives
import Testing

@Suite("large files", .serialized)
struct LargeFileTests {
    @Test("a file of 1 TiB with a thousand places costs those places")
    func sparse() throws {
        let volume = try TestVolume(on: TestStore())
        let (places, size) = (1000, UInt64(1) << 40)
        let step = size / UInt64(places)
        try volume.writeFile("/files/sparse", [1])
        let ino = try volume.resolve("/files/sparse")
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: true), volume.context)
        var change = AttributeChange()
        change.size = size
        _ = try volume.engine.setAttributes(of: ino, change, volume.context)
        for place in 0..<places {
            let bytes = pattern(5000, seed: UInt64(place + 1))
            _ = try volume.engine.write(
                file.handle, ino: ino, at: UInt64(place) * step, bytes.span, volume.context)
        }
        volume.engine.release(file.handle, ino: ino)
        try check(volume, places, size)
        try volume.recover()
        let entry = try #require(try volume.published().entries["/files/sparse"])
        guard case .regular(size, _) = entry.body else {
            Issue.record("published with another size")
            return
        }
        try check(volume, places, size)
        #expect(volume.engine.engineStatus().chunksFetched < 4000)
    }

    private func check(_ volume: TestVolume, _ places: Int, _ size: UInt64) throws {
        let engine = volume.engine
        let ino = try volume.resolve("/files/sparse")
        let status = try engine.status(of: ino, volume.context)
        #expect(status.size == size)
        #expect(status.allocated < 100 << 20)
        let file = try engine.open(ino, OpenIntent(reads: true, writes: false), volume.context)
        defer { engine.release(file.handle, ino: ino) }
        let step = size / UInt64(places)
        for place in stride(from: 0, to: places, by: 37) {
            let start = UInt64(place) * step
            let wanted = pattern(5000, seed: UInt64(place + 1))
            var bytes = [UInt8](repeating: 0xEE, count: 5000)
            var span = bytes.mutableSpan
            let count = try engine.read(
                file.handle, ino: ino, at: start, into: &span, volume.context)
            #expect(count == 5000 && same(bytes, wanted), "place \(place)")
            let hole = try engine.seek(ino, from: start, findsData: false, volume.context)
            #expect(hole > start && hole < start + (1 << 20), "place \(place)")
            if place + 1 < places {
                let next = try engine.seek(ino, from: hole, findsData: true, volume.context)
                #expect(next <= start + step && next + (1 << 20) > start + step, "place \(place)")
            }
        }
    }

    @Test("a small edit of a large stored file makes three chunks and the levels above")
    func incremental() throws {
        let volume = try TestVolume(on: TestStore())
        let size = 40 << 20
        var wanted = pattern(size, seed: 1)
        try volume.writeFile("/files/large", wanted)
        try volume.publish()
        let ino = try volume.resolve("/files/large")
        let before = try volume.engine.describe(ino, volume.context).chunkAddresses
        for at in [30_000_000, 0, size - 4096] {
            let store = volume.memory
            store.change { $0.puts = [] }
            try volume.writeFile(
                "/files/large", pattern(4096, seed: UInt64(at + 7)), at: UInt64(at))
            try volume.publish()
            let puts = store.change { Set($0.puts) }
            let pages = try volume.published().pages.values.reduce(into: Set<Digest>()) {
                $0.formUnion($1)
            }
            // Three of the file's, and three of the one level above.
            #expect(puts.subtracting(pages).count <= 6, "at \(at)")
        }
        let after = try volume.engine.describe(ino, volume.context).chunkAddresses
        #expect(Set(before).intersection(after).count >= 4)
        for at in [30_000_000, 0, size - 4096] {
            wanted.replaceSubrange(at..<at + 4096, with: pattern(4096, seed: UInt64(at + 7)))
        }
        try volume.recover()
        #expect(same(try volume.readFile("/files/large"), wanted))
    }
}
