// SPDX-License-Identifier: Apache-2.0
//
// Files that two releases of the network's own library made. Vectors/ has what they wrote: for each
// input the map as the library gives it (binary, as hexadecimal text, or JSON) and every chunk.

import Autonomi
import Compression
import Cryptography
import Foundation
import Primitives
import SelfEncryption
import Testing

/// What one release made.
struct ReferenceFiles: Decodable, Sendable, CustomTestStringConvertible {
    struct File: Decodable, Sendable {
        let kind: String
        let size: Int
        let map: String
        let chunks: [String]

        /// The input it was made from.
        var plain: [UInt8] {
            if kind == "mod" { return (0..<size).map { UInt8(truncatingIfNeeded: 7 * $0 + 3) } }
            let line = Array("A cairn is a pile of stones that marks a path. ".utf8)
            return (0..<size).map { line[$0 % line.count] }
        }
    }

    /// The chunk size that these releases were built with.
    static let chunkSize = 1 << 20

    let library: String
    let cases: [File]
    var testDescription: String { library }

    static let all: [ReferenceFiles] = {
        ["0.30.266", "0.32.4"].compactMap { release in
            // A file that is missing makes `count` fail.
            guard
                let url = Bundle.module.url(
                    forResource: "self-encryption-\(release)", withExtension: "json",
                    subdirectory: "Vectors"), let data = try? Data(contentsOf: url)
            else { return nil }
            return try? JSONDecoder().decode(ReferenceFiles.self, from: data)
        }
    }()
}

@Suite("Files of the network's own library")
struct InterchangeTests {
    @Test("the vectors of both releases are there")
    func count() {
        #expect(
            ReferenceFiles.all.map(\.library) == [
                "self-encryption 0.30.266", "self-encryption 0.32.4",
            ])
        #expect(ReferenceFiles.all.allSatisfy { $0.cases.count == 4 })
    }

    @Test(
        "a file that the library made opens from its map and chunks", arguments: ReferenceFiles.all)
    func open(files: ReferenceFiles) throws {
        for file in files.cases {
            var chunks: [Digest: [UInt8]] = [:]
            for chunk in file.chunks {
                let bytes = try #require(Hex.decode(chunk))
                chunks[Digests.of(bytes, algorithm: .sha3)] = bytes
            }
            let map = try DataMapFile.decode(Array(file.map.utf8), version: .v1)
            let plain = try SelfEncryptor.decrypt(map) { chunks[$0] }
            #expect(plain == file.plain, "\(files.library), \(file.kind) \(file.size)")
        }
    }

    @Test("the same files get the same chunks here, level by level", arguments: ReferenceFiles.all)
    func make(files: ReferenceFiles) throws {
        for file in files.cases {
            let ours = try SelfEncryptor.encrypt(
                file.plain, version: .v1, quality: .autonomi,
                maximumChunkSize: ReferenceFiles.chunkSize)
            let theirs = try DataMapFile.decode(Array(file.map.utf8), version: .v1)
            var stored: [Digest: [UInt8]] = [:]
            for chunk in ours.chunks { stored[chunk.address] = chunk.bytes }
            let full = try unpack(ours.map) { stored[$0] }
            // An upper level holds the serialised map, whose form the releases differ in.
            var chunks: [Digest: [UInt8]] = [:]
            for chunk in file.chunks {
                let bytes = try #require(Hex.decode(chunk))
                chunks[Digests.of(bytes, algorithm: .sha3)] = bytes
            }
            let level = try unpack(theirs) { chunks[$0] }
            #expect(full.chunks == level.chunks, "\(files.library), \(file.kind) \(file.size)")
        }
    }
}
