// SPDX-License-Identifier: Apache-2.0
//
// Maps of maps: a map with many entries is encrypted like a file, until three entries remain.

package import Compression
import Cryptography
package import Primitives

/// A map of three entries, and the chunks that the rest of the map went into.
package struct PackedMap: Hashable, Sendable {
    /// The most levels `unpack` goes down. Writers make one; those of the older generation, for
    /// files of many terabytes, two.
    package static let maximumLevelCount = 4

    /// The largest serialised map, in bytes, that `unpack` puts together: one of the most entries
    /// a map may have, in the binary form.
    package static let maximumSerializedSize =
        DataMap.bincodeOverheadSize + 8 + DataMap.maximumChunkCount * DataMap.bincodeEntrySize

    /// At most three entries; with a `child` if there was anything to pack.
    package let root: DataMap
    /// What must be stored beside the file's own chunks before `root` can be used.
    package let chunks: [EncryptedChunk]

    /// A packed map whose serialised lower level is in `chunks`.
    package init(root: DataMap, chunks: [EncryptedChunk]) {
        self.root = root
        self.chunks = chunks
    }
}

/// Shrinks a map to three entries, encrypting what it held into chunks.
///
/// A map of three entries is its own packed form, and adds no chunks.
///
/// - Parameters:
///   - map: a map of a file, with all its chunks.
///   - quality: how hard the serialised map is compressed.
///   - maximumChunkSize: bytes; nil for the format's own.
/// - Throws: `tooLarge`, in entries, above what the reference implementation can read back.
/// - Source: docs/format.md §3.
package func pack(
    _ map: DataMap, quality: BrotliQuality, maximumChunkSize: Int? = nil
) throws(SelfEncryptionError) -> PackedMap {
    let version = map.version
    guard map.chunks.count <= version.maximumPackableCount else {
        throw .tooLarge(limit: UInt64(version.maximumPackableCount))
    }
    var root = map
    var chunks: [EncryptedChunk] = []
    while root.chunks.count > DataMap.minimumChunkCount {
        let bytes = root.encodedBincode()
        let level = root.childLevel + 1
        let transform = ChunkTransform(version: version, quality: quality, childLevel: level)
        let size = maximumChunkSize ?? version.maximumChunkSize
        let encrypted = try transform.encryptAll(bytes.span, maximumChunkSize: size)
        guard encrypted.descriptors.count < root.chunks.count else {
            // Chunks so small that a map outgrows what it describes would be packed for ever.
            throw .tooLarge(limit: UInt64(DataMap.minimumChunkCount))
        }
        root = DataMap(version: version, chunks: encrypted.descriptors, child: level)
        chunks += encrypted.chunks
    }
    return PackedMap(root: root, chunks: chunks)
}

/// The map of the file itself, from a packed one.
///
/// A map without a child comes back as it is, and nothing is fetched. Every chunk is verified
/// against its address, its size and its source digest.
///
/// - Parameters:
///   - map: a map from anywhere; it is not trusted.
///   - fetch: the bytes stored under an address, or nil if there are none. What it throws, this
///     throws on.
/// - Returns: a map whose `child` is nil.
/// - Throws: `SelfEncryptionError`, or what `fetch` throws.
package func unpack(
    _ map: DataMap, fetch: (Digest) throws -> [UInt8]?
) throws -> DataMap {
    var map = map
    var levelCount = 0
    while map.child != nil {
        levelCount += 1
        guard levelCount <= PackedMap.maximumLevelCount else {
            throw SelfEncryptionError.malformedMap("more levels of maps than the limit")
        }
        guard map.describedSize <= UInt64(PackedMap.maximumSerializedSize) else {
            throw SelfEncryptionError.malformedMap("a map of more bytes than the limit")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(map.describedSize))
        for index in map.chunks.indices {
            bytes += try fetchChunk(index, of: map, fetch: fetch)
        }
        map = try DataMap(decodingLevel: bytes, version: map.version)
    }
    return map
}

/// The plain bytes of one chunk, fetched and verified against its address as well.
func fetchChunk(
    _ index: Int, of map: DataMap, fetch: (Digest) throws -> [UInt8]?
) throws -> [UInt8] {
    let address = map.chunks[index].address
    guard let stored = try fetch(address) else {
        throw SelfEncryptionError.missingChunk(index: index)
    }
    guard Digests.matches(stored.span, address) else {
        throw SelfEncryptionError.corruptChunk(index: index)
    }
    // Decryption reads every quality, so which one is named here has no effect.
    return try ChunkTransform(version: map.version, quality: .fast)
        .decrypt(stored.span, index: index, map: map)
}

extension DataMap {
    /// A map from the bytes that the chunks of the map above it held.
    ///
    /// The older generation put both binary and old MessagePack forms there.
    fileprivate init(
        decodingLevel bytes: [UInt8], version: FormatVersion
    ) throws(SelfEncryptionError) {
        if version == .v1, Self.isDataMapLevel(bytes) {
            try self.init(decodingMessagePack: bytes, version: version)
        } else {
            try self.init(decodingBincode: bytes, version: version)
        }
    }
}
