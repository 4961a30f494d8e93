// SPDX-License-Identifier: Apache-2.0
//
// What Aleph Cloud hands over: lists of packs, and manifests of large files.

import AlephProtocol
import JSON
import Primitives

@testable import AlephStores

extension Parser {
    static let aleph: [Parser] = [
        Parser(
            name: "pack-directory",
            seeds: {
                var directory = PackDirectory()
                var seeds = [directory.encoded()]
                for (byte, algorithm) in [(1, .blake3), (2, .sha3)] as [(UInt8, DigestAlgorithm)] {
                    let name = [UInt8](repeating: byte, count: Digest.byteCount)
                    directory.append(Digest(name, algorithm: algorithm), size: Int(byte) * 1000)
                    directory.append(nil, size: 77)
                    seeds.append(directory.encoded())
                }
                return seeds
            }
        ) { bytes in
            try checkCoding(
                bytes, isCanonical: true, decode: { try PackDirectory(decoding: $0) },
                encode: { $0.encoded() })
            guard let directory = parsed({ try PackDirectory(decoding: bytes) }) else { return }
            var end = 0
            for entry in directory.entries {
                guard Int(entry.offset) == end else {
                    throw BrokenProperty(description: "chunks of a pack do not follow each other")
                }
                end += Int(entry.size)
            }
            guard end == directory.fileSize, end <= PackDirectory.fileLimit,
                directory.entries.count <= PackDirectory.entryLimit
            else { throw BrokenProperty(description: "a pack over its limits") }
        },
        Parser(
            name: "large-manifest",
            seeds: {
                let parts = (0..<3).map { ItemHash(sha256Of: [$0]) }
                let digest = [UInt8](repeating: 7, count: 32)
                return try ["film.mkv", nil].map { name in
                    try LargeFileManifest(
                        name: name, size: 25, sha256: digest, partSize: 10, parts: parts
                    ).content.bytes(.compactASCII)
                }
            }
        ) { bytes in
            try checkCoding(
                bytes, isCanonical: false,
                decode: { try LargeFileManifest(JSONValue(parsing: $0)) },
                encode: { $0.content.bytes(.compactASCII) })
            guard
                let manifest = parsed({ try LargeFileManifest(JSONValue(parsing: bytes)) })
            else { return }
            let size = manifest.parts.indices.reduce(0) { $0 + manifest.size(ofPart: $1) }
            guard size == manifest.size,
                manifest.parts.indices.allSatisfy({
                    manifest.size(ofPart: $0) > 0
                })
            else { throw BrokenProperty(description: "parts that are not the whole") }
        },
    ]
}
