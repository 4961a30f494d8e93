// SPDX-License-Identifier: Apache-2.0
//
// Pages, roots and data maps in all their encodings: what comes from a store.

import Compression
import Primitives
import Scratchpads
import SelfEncryption

@testable import Namespace

extension Parser {
    static let namespace: [Parser] = [
        Parser(name: "page", seeds: { try Samples.pages().map { try $0.encoded() } }) { bytes in
            try checkCoding(bytes, isCanonical: true) {
                try Page(decoding: $0)
            } encode: {
                try $0.encoded()
            }
        },
        Parser(name: "root", seeds: { [try Samples.root().encoded()] }) { bytes in
            try checkCoding(bytes, isCanonical: true) {
                try Root(decoding: $0)
            } encode: {
                try $0.encoded()
            }
        },
        Parser(name: "brotli", seeds: { Samples.compressed() }) { bytes in
            let limit = 1 << 20
            guard let plain = parsed({ try Brotli.decompress(bytes.span, limit: limit) })
            else { return }
            if plain.count > limit { throw BrokenProperty(description: "more than the limit") }
            let again = Brotli.compress(plain.span, quality: .fast)
            if parsed({ try Brotli.decompress(again.span, limit: limit) }) != plain {
                throw BrokenProperty(description: "compression loses bytes")
            }
        },
    ]

    static let dataMaps: [Parser] =
        [FormatVersion.v1, .v2].flatMap { version in
            [
                Parser(
                    name: "map-binary-\(version)",
                    seeds: { Samples.maps(version).map { $0.encodedBincode() } }
                ) { bytes in
                    // Bytes after a map are ignored, so the encoding is not the only one.
                    try checkCoding(bytes, isCanonical: false) {
                        try DataMap(decodingBincode: $0, version: version)
                    } encode: {
                        $0.encodedBincode()
                    }
                },
                Parser(
                    name: "map-packed-\(version)",
                    seeds: { Samples.maps(version).map { $0.encodedMessagePack() } }
                ) { bytes in
                    try checkCoding(bytes, isCanonical: false) {
                        try DataMap(decodingMessagePack: $0, version: version)
                    } encode: {
                        $0.encodedMessagePack()
                    }
                },
                Parser(
                    name: "map-json-\(version)",
                    seeds: { Samples.maps(version).map { $0.encodedJSON() } }
                ) { bytes in
                    try checkCoding(bytes, isCanonical: false) {
                        try DataMap(decodingJSON: $0, version: version)
                    } encode: {
                        $0.encodedJSON()
                    }
                },
            ]
        }

    static let padRecord = Parser(name: "pad", seeds: { [try Samples.pad().encoded()] }) { bytes in
        try checkCoding(bytes, isCanonical: true) {
            try PadRecord(decoding: $0)
        } encode: {
            $0.encoded()
        }
        guard let record = parsed({ try PadRecord(decoding: bytes) }) else { return }
        // Whether it verifies is all the same; it must say so, and open no other content.
        let isVerified = parsed({ try record.verify() }) != nil
        let content = parsed({ try Samples.capability.reading.open(record) })
        if !isVerified && content != nil {
            throw BrokenProperty(description: "a record without its owner's signature opens")
        }
    }
}
