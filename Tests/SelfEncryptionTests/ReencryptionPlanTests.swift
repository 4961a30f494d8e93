// SPDX-License-Identifier: Apache-2.0
//
// After an edit: which chunks are hashed, which encrypted anew.

import Compression
import Primitives
import SelfEncryption
import TestSupport
import Testing

@Suite("Encrypting again what was edited")
struct ReencryptionPlanTests {
    @Test("any run of edits ends in the map and the chunks of a full encryption", arguments: 0..<64)
    func incrementalEqualsFull(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let version: FormatVersion = seed % 4 == 0 ? .v1 : .v2
        let chunkSize = Int.random(in: 1...24, using: &generator)
        var file = EditedFile(
            generator.bytes(Int.random(in: 3...10 * chunkSize + 3, using: &generator)))
        var stored: Set<Digest> = []
        var map: DataMap?
        for _ in 0..<6 {
            let plan = ReencryptionPlan(
                version: version, old: map, size: UInt64(file.bytes.count), changed: file.changed,
                maximumChunkSize: chunkSize)
            let result = try carryOut(plan, on: file.bytes)
            let full = try FullEncryption(
                file.bytes, version: version, maximumChunkSize: chunkSize)
            #expect(result.map == full.map, "seed \(seed)")
            stored.formUnion(result.encrypted.values)
            #expect(stored.isSuperset(of: full.chunks.keys), "seed \(seed)")
            map = result.map
            file.changed = []
            file.edit(using: &generator, chunkSize: chunkSize)
        }
    }

    @Test("an edit of 4 KiB in a file of 10 GiB hashes one chunk and encrypts three")
    func smallEdit() throws {
        let size: UInt64 = 10 << 30
        let old = try inventedMap(size: size)
        #expect(old.chunks.count == 2563)
        let chunkSize = UInt64(FormatVersion.v2.maximumChunkSize)
        for index in [0, 1, 2, 1000, 2560, 2561, 2562] as [UInt64] {
            let start = index * chunkSize + 100
            let plan = ReencryptionPlan(
                version: .v2, old: old, size: size, changed: [start..<start + 4096])
            #expect(plan.toHash == [Int(index)])
            var sources = old.chunks.map(\.source)
            // The bytes turn out to be what they were: nothing is left to do.
            #expect(plan.toEncrypt(sources: sources).isEmpty)
            #expect(plan.map(sources: sources, encrypted: [:]) == old)
            sources[Int(index)] = try digest(1 << 40)
            let expected = (0...2).map { (Int(index) + $0) % old.chunks.count }.sorted()
            #expect(plan.toEncrypt(sources: sources) == expected)
        }
    }

    @Test("appending hashes only the new chunks, and the one that was not full")
    func append() throws {
        let old = try inventedMap(size: 1050, maximumChunkSize: 100)
        let plan = ReencryptionPlan(
            version: .v2, old: old, size: 1250, changed: [1050..<1250], maximumChunkSize: 100)
        #expect(plan.toHash == [10, 11, 12])
        let sources = try plan.knownSources.map { try $0 ?? digest(1 << 40) }
        // The first two chunks follow the last two round the end.
        #expect(plan.toEncrypt(sources: sources) == [0, 1, 10, 11, 12])
    }

    @Test("cutting off at a chunk's end hashes nothing and encrypts the two chunks at the start")
    func truncate() throws {
        let old = try inventedMap(size: 1050, maximumChunkSize: 100)
        let plan = ReencryptionPlan(
            version: .v2, old: old, size: 800, changed: [], maximumChunkSize: 100)
        #expect(plan.toHash.isEmpty)
        #expect(plan.toEncrypt(sources: plan.knownSources.compactMap { $0 }) == [0, 1])
    }

    @Test("a file that crosses three full chunks is cut anew, and hashed anew")
    func changedLayout() throws {
        let small = try inventedMap(size: 299, maximumChunkSize: 100)
        let grown = ReencryptionPlan(
            version: .v2, old: small, size: 301, changed: [], maximumChunkSize: 100)
        #expect(grown.toHash == [0, 1, 2, 3])
        let large = try inventedMap(size: 301, maximumChunkSize: 100)
        let shrunk = ReencryptionPlan(
            version: .v2, old: large, size: 299, changed: [], maximumChunkSize: 100)
        #expect(shrunk.toHash == [0, 1, 2])
        // 300 and 301 bytes are cut alike but for the one byte more.
        let even = ReencryptionPlan(
            version: .v2, old: large, size: 300, changed: [], maximumChunkSize: 100)
        #expect(even.toHash.isEmpty)
    }

    @Test("without an old map, or with one of another generation, everything is new")
    func nothingOld() throws {
        let other = try inventedMap(size: 500, version: .v1, maximumChunkSize: 100)
        for old in [nil, other] {
            let plan = ReencryptionPlan(
                version: .v2, old: old, size: 500, changed: [], maximumChunkSize: 100)
            #expect(plan.toHash == Array(0..<5))
            let sources = try (0..<5).map { try digest(UInt64($0)) }
            #expect(plan.toEncrypt(sources: sources) == Array(0..<5))
        }
    }

    @Test("ranges may overlap, be empty, come in any order, and lie beyond the end")
    func looseRanges() throws {
        let old = try inventedMap(size: 1000, maximumChunkSize: 100)
        let plan = ReencryptionPlan(
            version: .v2, old: old, size: 1000,
            changed: [950..<2000, 120..<130, 5..<5, 110..<201, 5000..<UInt64.max],
            maximumChunkSize: 100)
        #expect(plan.toHash == [1, 2, 9])
    }

    @Test("a map made without all the chunks that had to be encrypted is a trap")
    func forgottenChunk() async {
        await #expect(processExitsWith: .failure) {
            let sources = try (0..<3).map { try digest(UInt64($0)) }
            let plan = ReencryptionPlan(version: .v2, old: nil, size: 30, changed: [])
            _ = plan.map(sources: sources, encrypted: [0: sources[0], 1: sources[1]])
        }
    }

    /// What a caller of the plan does.
    private func carryOut(
        _ plan: ReencryptionPlan, on bytes: [UInt8]
    ) throws -> (map: DataMap, encrypted: [Int: Digest]) {
        let transform = ChunkTransform(version: plan.version, quality: .fast)
        func plain(_ index: Int) -> [UInt8] {
            let range = plan.layout.range(of: index)
            return Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
        }
        var known = plan.knownSources
        for index in plan.toHash {
            #expect(known[index] == nil)
            known[index] = transform.sourceDigest(plain(index).span)
        }
        let sources = known.compactMap { $0 }
        var encrypted: [Int: Digest] = [:]
        for index in plan.toEncrypt(sources: sources) {
            let (before, beforeThat) = plan.layout.neighbours(of: index)
            let chunk = transform.encrypt(
                plain(index).span, index: index, source: sources[index],
                neighbours: (sources[before], sources[beforeThat]))
            encrypted[index] = chunk.address
        }
        return (plan.map(sources: sources, encrypted: encrypted), encrypted)
    }
}

/// A file, and where it was changed since it was last encrypted.
private struct EditedFile {
    var bytes: [UInt8]
    var changed: [Range<UInt64>] = []

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// One to three overwrites, appends, cuts, and cuts that grow back.
    mutating func edit(using generator: inout SeededGenerator, chunkSize: Int) {
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let length = Int.random(in: 1...2 * chunkSize, using: &generator)
            switch Int.random(in: 0..<4, using: &generator) {
            case 0:
                changed.append(UInt64(bytes.count)..<UInt64(bytes.count + length))
                bytes += generator.bytes(length)
            case 1:
                let size = max(3, bytes.count - length)
                bytes.removeLast(bytes.count - size)
            case 2:
                let size = max(3, bytes.count - length)
                let lost = bytes.count - size
                bytes.removeLast(lost)
                bytes += repeatElement(0, count: lost)
                changed.append(UInt64(size)..<UInt64(size + lost))
            default:
                let start = Int.random(in: 0..<bytes.count, using: &generator)
                let end = min(bytes.count, start + length)
                // Half of them write what was there already.
                if Bool.random(using: &generator) {
                    bytes.replaceSubrange(start..<end, with: generator.bytes(end - start))
                }
                changed.append(UInt64(start)..<UInt64(end))
            }
        }
    }
}
