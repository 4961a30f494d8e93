// SPDX-License-Identifier: Apache-2.0
//
// One chunk's way from plain to stored bytes and back, in both generations of the format.
//
//   plain → brotli → cipher → XOR with a repeating pad → stored; its digest is its address
//
// Keys come from the source digests of the chunk and its two neighbours. No state: any thread
// may use one transform for any number of chunks.

package import Compression
import Cryptography
package import Primitives

/// Encrypts and decrypts the chunks of one level of one file.
///
/// - Source: docs/format.md §3.
package struct ChunkTransform: Sendable {
    /// The generation of the format.
    package let version: FormatVersion

    /// How hard encryption compresses. Decryption reads every quality.
    package let quality: BrotliQuality

    /// 0 for a file's own bytes, 1 for the serialised map above them. Only v2 mixes it in.
    package let childLevel: UInt64

    /// A transform for the chunks of level `childLevel`.
    package init(version: FormatVersion, quality: BrotliQuality, childLevel: UInt64 = 0) {
        self.version = version
        self.quality = quality
        self.childLevel = childLevel
    }

    /// The digest of a plain chunk, from which its own key and those of the next two are made.
    package func sourceDigest(_ plain: Span<UInt8>) -> Digest {
        Digests.of(plain, algorithm: version.digestAlgorithm)
    }

    /// The stored form of one chunk.
    ///
    /// - Parameters:
    ///   - plain: the chunk's bytes; at least one.
    ///   - index: its position in the file.
    ///   - source: `sourceDigest(plain)`.
    ///   - neighbours: the source digests of the chunks that `ChunkLayout.neighbours(of:)` names,
    ///     in that order.
    package func encrypt(
        _ plain: Span<UInt8>, index: Int, source: Digest, neighbours: (Digest, Digest)
    ) -> EncryptedChunk {
        precondition(plain.count >= 1, "a chunk has at least one byte")
        let keys = ChunkKeys(
            version: version, index: index, childLevel: childLevel, source: source,
            neighbours: neighbours)
        var bytes = Brotli.compress(plain, quality: quality)
        if bytes.count >= plain.count / 2 {
            keys.seal(inPlace: &bytes)
        } else {
            // It has room for what does not compress: whoever keeps the chunk keeps its size only.
            bytes = keys.seal(bytes.span)
        }
        keys.pad.apply(to: &bytes)
        return EncryptedChunk(
            address: Digests.of(bytes.span, algorithm: version.digestAlgorithm), bytes: bytes)
    }

    /// The plain bytes of chunk `index` of `map`.
    ///
    /// The caller has verified the chunk's address. This verifies the rest: that it decrypts,
    /// that it unpacks to exactly the declared size (and never to more), and that the source
    /// digest is the one the map names. The level is the map's own.
    ///
    /// - Parameter index: below the count of `map.chunks`.
    /// - Throws: `corruptChunk` if any of it is not so; `malformedMap` if the map declares a
    ///   chunk larger than the format allows.
    package func decrypt(
        _ chunk: Span<UInt8>, index: Int, map: DataMap
    ) throws(SelfEncryptionError) -> [UInt8] {
        precondition(map.version == version, "a map of another generation")
        precondition(map.chunks.indices.contains(index), "no such chunk")
        let descriptor = map.chunks[index]
        guard descriptor.size >= 1, descriptor.size <= version.maximumSourceSize else {
            throw .malformedMap("a chunk is empty or larger than the format allows")
        }
        guard chunk.count <= version.maximumStoredSize else { throw .corruptChunk(index: index) }
        let count = map.chunks.count
        let keys = ChunkKeys(
            version: version, index: index, childLevel: map.childLevel,
            source: descriptor.source,
            neighbours: (
                map.chunks[(index + count - 1) % count].source,
                map.chunks[(index + count - 2) % count].source
            ))
        let plain: [UInt8]
        do {
            var bytes = keys.pad.applied(to: chunk)
            try keys.open(inPlace: &bytes)
            plain = try Brotli.decompress(bytes.span, limit: Int(descriptor.size))
        } catch {
            // Which step noticed says nothing more: the bytes are not the ones that were stored.
            throw .corruptChunk(index: index)
        }
        guard plain.count == Int(descriptor.size), sourceDigest(plain.span) == descriptor.source
        else { throw .corruptChunk(index: index) }
        return plain
    }
}
