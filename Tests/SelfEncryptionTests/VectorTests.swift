// SPDX-License-Identifier: Apache-2.0
//
// Every published vector of both generations, encrypted and decrypted.

import Compression
import Cryptography
import Primitives
import SelfEncryption
import Testing

@Suite("The frozen vectors of self-encryption")
struct VectorTests {
    @Test(
        "files of the older generation in chunks of 1 MiB give the published chunks and maps",
        arguments: try Vector.all(in: "v1_max1MiB"))
    func olderGenerationInSmallChunks(_ vector: Vector) throws {
        try check(vector)
    }

    @Test(
        "files of the older generation give the published chunks and maps",
        arguments: try Vector.all(in: "v1_max4MiB"))
    func olderGeneration(_ vector: Vector) throws {
        try check(vector)
    }

    @Test(
        "files of the present generation give the published chunks and maps",
        arguments: try Vector.all(in: "v2_max4190208"))
    func presentGeneration(_ vector: Vector) throws {
        try check(vector)
    }

    private func check(_ vector: Vector) throws {
        let input = vector.content.input
        let bytes = try #require(VectorInputs.bytes(kind: input.kind, size: input.size))
        #expect(Hex.encode(SHA2.sha256(bytes)) == input.sha256)

        let (root, chunks) = try SelfEncryptor.encrypt(
            bytes, version: vector.version, quality: .autonomi,
            maximumChunkSize: vector.maximumChunkSize)
        let stored = Dictionary(chunks.map { ($0.address, $0.bytes) }) { first, _ in first }
        for chunk in chunks {
            #expect(Digests.matches(chunk.bytes, chunk.address))
        }
        let file = try unpack(root) { stored[$0] }
        try checkSources(of: file, vector)
        if vector.isStoredAlike {
            try checkStored(chunks, vector)
            try checkRoot(root, vector)
        }
        try checkMaps(file: file, vector)
        let back = try SelfEncryptor.decrypt(root) { stored[$0] }
        #expect(back == bytes)
        try checkReferenceChunks(decryptTo: bytes, vector)
    }

    /// Cut and source digests do not depend on the compressor: they hold for every input.
    private func checkSources(of file: DataMap, _ vector: Vector) throws {
        let expected = try #require(vector.content.levels.first).chunks
        #expect(file.child == nil)
        #expect(file.fileSize == UInt64(vector.content.input.size))
        #expect(file.chunks.map(\.index) == expected.map(\.index))
        #expect(file.chunks.map(\.size) == expected.map(\.srcSize))
        #expect(file.chunks.map(\.source.hex) == expected.map(\.srcHash))
    }

    private func checkStored(_ chunks: [EncryptedChunk], _ vector: Vector) throws {
        let levels = vector.content.levels
        let expected = levels.flatMap(\.chunks)
        #expect(chunks.count == expected.count)
        for (position, (chunk, wanted)) in zip(chunks, expected).enumerated() {
            let mapIndex = position - levels[0].chunks.count
            if mapIndex >= 0 && !vector.isMapChunkStoredAlike(mapIndex) { continue }
            #expect(chunk.address.hex == wanted.dstHash, "chunk \(position)")
            #expect(chunk.bytes.count == wanted.dstSize, "chunk \(position)")
        }
        if let hex = vector.content.chunkBytesHex {
            #expect(chunks.map { Hex.encode($0.bytes) } == hex)
        }
    }

    /// The published root map, apart from the address of the one chunk that may be stored
    /// otherwise: its source digest and size are the published ones all the same.
    private func checkRoot(_ root: DataMap, _ vector: Vector) throws {
        let published = try DataMap(
            decodingBincode: decoded(vector.content.rootMapBincodeV1), version: vector.version)
        #expect(root.child == published.child)
        let isPacked = root.child != nil
        for (found, wanted) in zip(root.chunks, published.chunks) {
            #expect(found.source == wanted.source && found.size == wanted.size)
            if isPacked && !vector.isMapChunkStoredAlike(Int(wanted.index)) { continue }
            #expect(found.address == wanted.address)
        }
    }

    /// The published maps are read, and written again byte for byte, in every form there is.
    private func checkMaps(file: DataMap, _ vector: Vector) throws {
        let content = vector.content
        let version = vector.version
        let binary = try decoded(content.rootMapBincodeV1)
        let root = try DataMap(decodingBincode: binary, version: version)
        #expect(root.child == content.rootChild)
        #expect(root.encodedBincode() == binary)
        let packed = try decoded(content.rootMapMsgpack)
        #expect(root.encodedMessagePack() == packed)
        #expect(try DataMap(decodingMessagePack: packed, version: version) == root)
        #expect(try DataMap(decodingJSON: root.encodedJSON(), version: version) == root)
        #expect(root.publicChunk().address.hex == content.publicAddressOfRootMap)
        if let hex = content.rootMapBincodeV0Nochild {
            let map = try DataMap(decodingBincode: decoded(hex), version: version)
            #expect(map.chunks == root.chunks && map.child == nil)
        }
        guard vector.isStoredAlike else { return }
        if let sha256 = content.level0MapBincodeV1Sha256 {
            #expect(Hex.encode(SHA2.sha256(file.encodedBincode())) == sha256)
        }
        if let hex = content.level0MapBincodeV0Hex {
            #expect(try DataMap(decodingBincode: decoded(hex), version: version) == file)
        }
    }

    /// What the reference encoder wrote is read, where its chunks are in the vectors: also where
    /// libbrotli would have written other bytes.
    private func checkReferenceChunks(decryptTo bytes: [UInt8], _ vector: Vector) throws {
        guard let hex = vector.content.chunkBytesHex else { return }
        let root = try DataMap(
            decodingBincode: decoded(vector.content.rootMapBincodeV1), version: vector.version)
        var stored: [Digest: [UInt8]] = [:]
        for (descriptor, text) in zip(root.chunks, hex) {
            stored[descriptor.address] = try decoded(text)
        }
        #expect(try SelfEncryptor.decrypt(root) { stored[$0] } == bytes)
    }

    private func decoded(_ hex: String) throws -> [UInt8] {
        try #require(Hex.decode(hex))
    }
}
