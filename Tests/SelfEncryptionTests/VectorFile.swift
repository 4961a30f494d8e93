// SPDX-License-Identifier: Apache-2.0
//
// The frozen vectors as they lie in their JSON files.

import Foundation
import SelfEncryption
import Testing

/// One file of vectors: many inputs, encrypted by one generation with one chunk size.
struct VectorFile: Decodable {
    let maxChunkSize: Int
    let version: UInt8
    let cases: [VectorCase]

    static func load(_ name: String) throws -> VectorFile {
        let url = try #require(
            Bundle.module.url(
                forResource: name, withExtension: "json", subdirectory: "Vectors"))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(VectorFile.self, from: Data(contentsOf: url))
    }
}

/// One input and all that its encryption gives.
struct VectorCase: Decodable {
    struct Input: Decodable {
        let kind: String
        let size: Int
        let sha256: String
    }

    struct Level: Decodable {
        let level: UInt64
        let chunks: [Chunk]
    }

    struct Chunk: Decodable {
        let index: UInt64
        let srcSize: UInt64
        let srcHash: String
        let dstHash: String
        let dstSize: Int
    }

    let input: Input
    let levels: [Level]
    let rootChild: UInt64?
    let rootMapBincodeV1: String
    let rootMapMsgpack: String
    let publicAddressOfRootMap: String
    let rootMapBincodeV0Nochild: String?
    let level0MapBincodeV1Sha256: String?
    let level0MapBincodeV0Hex: String?
    let chunkBytesHex: [String]?
    let brotliHex: [String]?
}

/// A case together with what its whole file has in common.
struct Vector: Sendable, CustomTestStringConvertible {
    let version: FormatVersion
    let maximumChunkSize: Int
    let content: VectorCase

    var testDescription: String {
        "\(version), chunks of \(maximumChunkSize), \(input.size) B of \(input.kind)"
    }

    /// Whether the reference encoder and libbrotli store the chunks of this file alike.
    ///
    /// They are different programs, and both write valid streams. On runs of equal bytes with
    /// little between them (`rle`) they choose differently from some 300 bytes on. There, what is
    /// held against the vector is all that compression does not enter: the cut, the source
    /// digests, and that everything decrypts.
    var isStoredAlike: Bool { input.kind != "rle" || input.size < 300 }

    /// Whether they store chunk `index` of a packed map alike, whatever the file. Not the first:
    /// it begins with just such runs, of zeros, and comes out otherwise in 15 of the 24 packed
    /// files here that are not `rle`.
    func isMapChunkStoredAlike(_ index: Int) -> Bool { index > 0 }

    private var input: VectorCase.Input { content.input }

    static func all(in name: String) throws -> [Vector] {
        let file = try VectorFile.load(name)
        let version = try #require(FormatVersion(rawValue: file.version))
        return file.cases.map {
            Vector(version: version, maximumChunkSize: file.maxChunkSize, content: $0)
        }
    }
}
