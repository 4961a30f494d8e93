// SPDX-License-Identifier: Apache-2.0
//
// The whole way of a file that is in memory, on as many threads as asked: every chunk hashed, then
// every chunk compressed, encrypted and addressed; and back.

import Compression
import Primitives
import SelfEncryption
import Synchronization

/// One file, measured over and over.
struct SpeedBench: Sendable {
    let plain: [UInt8]
    let version: FormatVersion
    let quality: BrotliQuality
    let threads: Int

    /// Rates in bytes of plain content a second; the best of the rounds, for what else runs on
    /// the machine only ever takes away.
    struct Result {
        var encrypted: Double
        var decrypted: Double
        var rounds: Int
        var stored: Int
    }

    /// Rounds there and back until `time` is over, at least one.
    func run(for time: Duration) async throws(BenchError) -> Result {
        guard
            let layout = ChunkLayout(
                fileSize: UInt64(plain.count), maximumChunkSize: version.maximumChunkSize)
        else { throw .failed("the file is too small") }
        let clock = ContinuousClock()
        let end = clock.now + time
        var result = Result(encrypted: 0, decrypted: 0, rounds: 0, stored: 0)
        repeat {
            let start = clock.now
            let (map, chunks) = await encrypt(layout)
            let middle = clock.now
            let isWhole = await decrypt(map, chunks, layout)
            let after = clock.now
            guard isWhole else { throw .failed("what came back differs") }
            result.encrypted = max(result.encrypted, rate(middle - start))
            result.decrypted = max(result.decrypted, rate(after - middle))
            result.stored = chunks.reduce(0) { $0 + $1.bytes.count }
            result.rounds += 1
        } while clock.now < end
        return result
    }

    private func rate(_ time: Duration) -> Double { Double(plain.count) / (time / .seconds(1)) }

    private func encrypt(_ layout: ChunkLayout) async -> (DataMap, [EncryptedChunk]) {
        let transform = ChunkTransform(version: version, quality: quality)
        let sources = await each(layout.count) { index in
            transform.sourceDigest(plain.span.extracting(bytes(index, layout)))
        }
        let chunks = await each(layout.count) { index in
            let neighbours = layout.neighbours(of: index)
            return transform.encrypt(
                plain.span.extracting(bytes(index, layout)), index: index, source: sources[index],
                neighbours: (sources[neighbours.0], sources[neighbours.1]))
        }
        let map = DataMap(
            version: version,
            chunks: chunks.indices.map { index in
                ChunkDescriptor(
                    index: UInt64(index), address: chunks[index].address,
                    source: sources[index], size: UInt64(layout.range(of: index).count))
            })
        return (map, chunks)
    }

    /// Every chunk back, and its first and last byte compared; its digest, `decrypt` compares.
    private func decrypt(
        _ map: DataMap, _ chunks: [EncryptedChunk], _ layout: ChunkLayout
    ) async -> Bool {
        let transform = ChunkTransform(version: version, quality: quality)
        let same = await each(layout.count) { index in
            let range = layout.range(of: index)
            let stored = chunks[index].bytes
            guard transform.sourceDigest(stored.span) == map.chunks[index].address
            else { return false }
            do throws(SelfEncryptionError) {
                let bytes = try transform.decrypt(stored.span, index: index, map: map)
                return bytes.count == range.count && bytes.first == plain[Int(range.lowerBound)]
                    && bytes.last == plain[Int(range.upperBound) - 1]
            } catch {
                return false
            }
        }
        return same.allSatisfy { $0 }
    }

    private func bytes(_ index: Int, _ layout: ChunkLayout) -> Range<Int> {
        let range = layout.range(of: index)
        return Int(range.lowerBound)..<Int(range.upperBound)
    }

    /// What `body` gives for each index, by threads that take the next index when they are free.
    private func each<Value: Sendable>(
        _ count: Int, _ body: @escaping @Sendable (Int) -> Value
    ) async -> [Value] {
        let next = SharedCounter()
        return await withTaskGroup(of: [(Int, Value)].self) { group in
            for _ in 0..<threads {
                group.addTask {
                    var done: [(Int, Value)] = []
                    while let index = next.take(below: count) { done.append((index, body(index))) }
                    return done
                }
            }
            var all: [(Int, Value)] = []
            for await part in group { all += part }
            return all.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}

/// Numbers, each given once.
private final class SharedCounter: Sendable {
    private let value = Atomic(0)

    /// The next number; nil when all below `limit` are given.
    func take(below limit: Int) -> Int? {
        let number = value.wrappingAdd(1, ordering: .relaxed).oldValue
        return number < limit ? number : nil
    }
}
