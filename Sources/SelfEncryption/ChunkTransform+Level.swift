// SPDX-License-Identifier: Apache-2.0
//
// All chunks of content that fits in memory: small files, and serialised maps.

import Primitives

extension ChunkTransform {
    /// All chunks of one level, whole in memory.
    ///
    /// - Throws: `tooSmall` below three bytes.
    func encryptAll(
        _ plain: Span<UInt8>, maximumChunkSize: Int
    ) throws(SelfEncryptionError) -> (descriptors: [ChunkDescriptor], chunks: [EncryptedChunk]) {
        let size = UInt64(plain.count)
        guard let layout = ChunkLayout(fileSize: size, maximumChunkSize: maximumChunkSize) else {
            throw .tooSmall(minimum: Int(ChunkLayout.minimumFileSize))
        }
        var sources: [Digest] = []
        sources.reserveCapacity(layout.count)
        for index in 0..<layout.count {
            let range = layout.range(of: index)
            sources.append(
                sourceDigest(plain.extracting(Int(range.lowerBound)..<Int(range.upperBound))))
        }
        var descriptors: [ChunkDescriptor] = []
        var chunks: [EncryptedChunk] = []
        descriptors.reserveCapacity(layout.count)
        chunks.reserveCapacity(layout.count)
        for index in 0..<layout.count {
            let range = layout.range(of: index)
            let (before, beforeThat) = layout.neighbours(of: index)
            let chunk = encrypt(
                plain.extracting(Int(range.lowerBound)..<Int(range.upperBound)), index: index,
                source: sources[index], neighbours: (sources[before], sources[beforeThat]))
            descriptors.append(
                ChunkDescriptor(
                    index: UInt64(index), address: chunk.address, source: sources[index],
                    size: UInt64(range.count)))
            chunks.append(chunk)
        }
        return (descriptors, chunks)
    }
}
