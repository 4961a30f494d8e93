// SPDX-License-Identifier: Apache-2.0
//
// Rows of the database, the key file, the volume's settings, control messages, and texts people
// type: what comes from this machine, and is read as hostile all the same.

import Blocks
import Cryptography
import Primitives
import RemoteStores

@testable import Control
@testable import Engine
@testable import Metadata

extension Parser {
    /// Rows of the database.
    static let local: [Parser] = [
        Parser(name: "block-group", seeds: { Samples.blockGroups().map { $0.encoded() } }) {
            bytes in
            try checkCoding(bytes, isCanonical: true) {
                try required(BlockGroup(decoding: $0)).entries
            } encode: { entries in
                var group = BlockGroup()
                for (index, entry) in entries.enumerated() { group[index] = entry }
                return group.encoded()
            }
        },
        Parser(
            name: "segment-list",
            seeds: { Samples.segmentLists().map { StoredContent(segments: $0).encodedSegments } }
        ) { bytes in
            try checkCoding(bytes, isCanonical: true) {
                try StoredContent.segments(decoding: $0)
            } encode: {
                StoredContent(segments: $0).encodedSegments
            }
        },
        // What is read ends a fixed time from now: the bytes that say when are not kept.
        Parser(
            name: "parked-pads",
            seeds: { [try Samples.parked().encoded(now: Samples.now, seconds: 1000)] }
        ) { bytes in
            try checkCoding(bytes, isCanonical: false) {
                try ParkedPads(decoding: $0, now: Samples.now).entries
            } encode: { entries in
                var parked = ParkedPads()
                for entry in entries { parked.park(entry, now: Samples.now) }
                return parked.encoded(now: Samples.now, seconds: 1000)
            }
        },
    ]

    /// Files and messages of the command.
    static let command: [Parser] = [
        Parser(name: "key-file", seeds: { [KeyFile(seed: Samples.seed).encoded()] }) { bytes in
            // The checksum at the end keeps mutations out of what is behind it: it is made right.
            for candidate in [bytes, checksummed(bytes)] {
                guard let file = parsed({ try KeyFile(decoding: candidate) }) else { continue }
                if file.encoded() != candidate {
                    throw BrokenProperty(description: "what was read is written as other bytes")
                }
            }
        },
        Parser(
            name: "settings", seeds: { Samples.settings().map { Array($0.text.utf8) } }
        ) { bytes in
            try checkCoding(bytes, isCanonical: false) {
                try VolumeConfiguration(text: $0)
            } encode: {
                Array($0.text.utf8)
            }
        },
        Parser(
            name: "control-request", seeds: { Samples.requests().map { $0.encoded() } }
        ) { bytes in
            try checkCoding(bytes, isCanonical: true) {
                try ControlRequest(decoding: $0)
            } encode: {
                $0.encoded()
            }
        },
        Parser(name: "control-reply", seeds: { try Samples.replies().map { $0.encoded() } }) {
            bytes in
            try checkCoding(bytes, isCanonical: false) {
                try ControlReply(decoding: $0)
            } encode: {
                $0.encoded()
            }
        },
    ]

    /// Texts.
    static let texts: [Parser] = [
        Parser(name: "store-url", seeds: { Samples.storeURLs().map { Array($0.utf8) } }) { bytes in
            try checkCoding(bytes, isCanonical: false) {
                try StoreURL(String(decoding: $0, as: UTF8.self))
            } encode: {
                Array($0.text.utf8)
            }
        },
        Parser(name: "phrase", seeds: { [Array(Samples.phrase().utf8)] }) { bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let phrase = parsed({ try RecoveryPhrase(words: text) }) else { return }
            if parsed({ try RecoveryPhrase(words: phrase.words) }) != phrase {
                throw BrokenProperty(description: "a phrase is not read as it was written")
            }
        },
        Parser(
            name: "base-texts",
            seeds: { ["00ff7a", "2NEpo7TZRRrLZSi2U", "aGVsbG8="].map { Array($0.utf8) } }
        ) {
            bytes in
            let text = String(decoding: bytes, as: UTF8.self)
            if let value = Hex.decode(text), Hex.encode(value) != text.lowercased() {
                throw BrokenProperty(description: "hex is not what it was")
            }
            if let value = Base58.decode(text), Base58.encode(value) != text {
                throw BrokenProperty(description: "base58 is not what it was")
            }
            if let value = Base64.decode(text), Base64.decode(Base64.encode(value)) != value {
                throw BrokenProperty(description: "base64 is not what it was")
            }
        },
    ]
}

private struct Refused: Error {}

/// The value, or a refusal.
func required<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw Refused() }
    return value
}

/// The bytes with the last 32 replaced by the digest of the others.
private func checksummed(_ bytes: [UInt8]) -> [UInt8] {
    let body = Array(bytes.dropLast(Digest.byteCount))
    return body + Blake3.hash(body).bytes
}
