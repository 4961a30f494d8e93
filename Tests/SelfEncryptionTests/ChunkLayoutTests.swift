// SPDX-License-Identifier: Apache-2.0
//
// How files are cut into chunks, and which chunks a key comes from.

import SelfEncryption
import Testing

@Suite("How files are cut into chunks")
struct ChunkLayoutTests {
    @Test("nothing below three bytes can be cut")
    func tooSmall() {
        for size in 0..<UInt64(3) {
            #expect(ChunkLayout(fileSize: size, maximumChunkSize: 10) == nil)
        }
    }

    @Test("below three full chunks a file is cut into thirds, the last with what is left over")
    func thirds() throws {
        let sizes: [UInt64: [UInt64]] = [
            3: [1, 1, 1], 4: [1, 1, 2], 5: [1, 1, 3], 28: [9, 9, 10], 29: [9, 9, 11],
        ]
        for (size, expected) in sizes {
            #expect(try chunkSizes(size, maximumChunkSize: 10) == expected)
        }
    }

    @Test("from three full chunks on all chunks are full but the last")
    func fullChunks() throws {
        #expect(try chunkSizes(30, maximumChunkSize: 10) == [10, 10, 10])
        #expect(try chunkSizes(31, maximumChunkSize: 10) == [10, 10, 10, 1])
        #expect(try chunkSizes(49, maximumChunkSize: 10) == [10, 10, 10, 10, 9])
        #expect(try chunkSizes(3, maximumChunkSize: 1) == [1, 1, 1])
        #expect(try chunkSizes(5, maximumChunkSize: 1) == [1, 1, 1, 1, 1])
    }

    @Test("the ranges follow one another and cover the file", arguments: 1...9)
    func rangesCover(maximumChunkSize: Int) throws {
        for size in UInt64(3)...120 {
            let layout = try #require(
                ChunkLayout(fileSize: size, maximumChunkSize: maximumChunkSize))
            var offset: UInt64 = 0
            for index in 0..<layout.count {
                let range = layout.range(of: index)
                #expect(range.lowerBound == offset && !range.isEmpty)
                offset = range.upperBound
            }
            #expect(offset == size)
        }
    }

    @Test("the chunks that overlap a range are those that hold any of its bytes")
    func overlap() throws {
        for size in UInt64(3)...40 {
            let layout = try #require(ChunkLayout(fileSize: size, maximumChunkSize: 5))
            for start in 0..<size + 4 {
                for end in start...size + 4 {
                    let found = layout.chunks(overlapping: start..<end)
                    let expected = (0..<layout.count).filter {
                        layout.range(of: $0).overlaps(start..<end)
                    }
                    #expect(Array(found) == expected, "\(start)..<\(end) of \(size)")
                }
            }
        }
    }

    @Test("the neighbours of a chunk are the two before it, counted round the end")
    func neighbours() throws {
        let layout = try #require(ChunkLayout(fileSize: 50, maximumChunkSize: 10))
        let found = (0..<5).map { layout.neighbours(of: $0) }
        let expected = [(4, 3), (0, 4), (1, 0), (2, 1), (3, 2)]
        #expect(zip(found, expected).allSatisfy { $0.0 == $0.1 })
    }

    @Test("the cut a map describes is the one its writer made, whatever its chunk size")
    func describedByMap() throws {
        for chunkSize in [1, 7, 64, 1000] {
            for size in [3, 4, 5, 20, 21, 22, 191, 192, 193, 3001] as [UInt64] {
                let map = try inventedMap(size: size, maximumChunkSize: chunkSize)
                let layout = try ChunkLayout(describedBy: map)
                #expect(layout == ChunkLayout(fileSize: size, maximumChunkSize: chunkSize))
            }
        }
    }

    @Test("a map of chunks no file can have been cut into is refused")
    func impossibleCuts() throws {
        let full = UInt64(FormatVersion.v2.maximumChunkSize)
        for sizes in [[1, 2, 1], [0, 0, 3], [5, 5], [full + 2, full + 2, 1], [5, 5, 4, 5]] {
            let chunks = try sizes.enumerated().map { index, size in
                ChunkDescriptor(
                    index: UInt64(index), address: try digest(1), source: try digest(2),
                    size: size)
            }
            #expect(throws: SelfEncryptionError.self) {
                try ChunkLayout(describedBy: DataMap(version: .v2, chunks: chunks))
            }
        }
    }

    @Test("files of many terabytes are cut without overflow")
    func hugeFiles() throws {
        let layout = try #require(
            ChunkLayout(fileSize: .max, maximumChunkSize: FormatVersion.v2.maximumChunkSize))
        #expect(layout.range(of: layout.count - 1).upperBound == .max)
        #expect(layout.chunks(overlapping: .max - 1 ..< .max) == layout.count - 1..<layout.count)
    }

    @Test("one map holds what the reference implementation can read back")
    func packableCount() {
        #expect(FormatVersion.v2.maximumPackableCount == 157_132)
        let fileSize = UInt64(157_132) * UInt64(FormatVersion.v2.maximumChunkSize)
        #expect(fileSize == 658_415_763_456)
    }

    private func chunkSizes(_ size: UInt64, maximumChunkSize: Int) throws -> [UInt64] {
        let layout = try #require(ChunkLayout(fileSize: size, maximumChunkSize: maximumChunkSize))
        return (0..<layout.count).map { UInt64(layout.range(of: $0).count) }
    }
}
