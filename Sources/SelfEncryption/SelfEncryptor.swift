// SPDX-License-Identifier: Apache-2.0
//
// Self-encryption of content that fits in memory, in one call each way.

package import Compression
package import Primitives

/// Whole-buffer conveniences. The engine works chunk by chunk, with `ChunkTransform`.
package enum SelfEncryptor {
    /// The most bytes `decrypt` gives at once unless told otherwise: 1 GiB.
    ///
    /// A small map can describe an enormous file that is nothing but one chunk over and over.
    package static let maximumWholeSize: UInt64 = 1 << 30

    /// Encrypts `bytes`.
    ///
    /// - Parameters:
    ///   - bytes: at least `ChunkLayout.minimumFileSize`.
    ///   - version: the generation to write.
    ///   - quality: how hard to compress.
    ///   - maximumChunkSize: bytes; nil for the format's own.
    /// - Returns: the packed map, and every chunk it needs: the file's by index, then the map's.
    /// - Throws: `tooSmall`; `tooLarge` above what one map can describe.
    package static func encrypt(
        _ bytes: [UInt8], version: FormatVersion, quality: BrotliQuality,
        maximumChunkSize: Int? = nil
    ) throws(SelfEncryptionError) -> (map: DataMap, chunks: [EncryptedChunk]) {
        let transform = ChunkTransform(version: version, quality: quality)
        let level = try transform.encryptAll(
            bytes.span, maximumChunkSize: maximumChunkSize ?? version.maximumChunkSize)
        let map = DataMap(version: version, chunks: level.descriptors)
        let packed = try pack(map, quality: quality, maximumChunkSize: maximumChunkSize)
        return (packed.root, level.chunks + packed.chunks)
    }

    /// The whole file behind `map`.
    ///
    /// - Parameters:
    ///   - map: packed or not; it is not trusted.
    ///   - limit: the most bytes to give.
    ///   - fetch: the bytes stored under an address, or nil if there are none.
    /// - Throws: `SelfEncryptionError` (`tooLarge` above `limit`), or what `fetch` throws.
    package static func decrypt(
        _ map: DataMap, limit: UInt64 = maximumWholeSize, fetch: (Digest) throws -> [UInt8]?
    ) throws -> [UInt8] {
        try decrypt(map, range: 0..<UInt64.max, limit: limit, fetch: fetch)
    }

    /// The bytes `range` of the file behind `map`, as far as the file has them.
    ///
    /// Fetches only the chunks that hold them, and those of the map.
    ///
    /// - Parameters:
    ///   - map: packed or not; it is not trusted.
    ///   - range: offsets in the file; what lies beyond its end is not given.
    ///   - limit: the most bytes to give.
    ///   - fetch: the bytes stored under an address, or nil if there are none.
    /// - Throws: `SelfEncryptionError` (`tooLarge` above `limit`), or what `fetch` throws.
    package static func decrypt(
        _ map: DataMap, range: Range<UInt64>, limit: UInt64 = maximumWholeSize,
        fetch: (Digest) throws -> [UInt8]?
    ) throws -> [UInt8] {
        let map = try unpack(map, fetch: fetch)
        let layout = try ChunkLayout(describedBy: map)
        let range = range.clamped(to: 0..<layout.fileSize)
        let size = range.upperBound - range.lowerBound
        guard size <= limit else { throw SelfEncryptionError.tooLarge(limit: limit) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(size))
        for index in layout.chunks(overlapping: range) {
            let plain = try fetchChunk(index, of: map, fetch: fetch)
            let held = layout.range(of: index)
            let wanted = range.clamped(to: held)
            let start = Int(wanted.lowerBound - held.lowerBound)
            bytes += plain[start..<start + wanted.count]
        }
        return bytes
    }
}
