// SPDX-License-Identifier: Apache-2.0
//
// One version of a pad as the network keeps it: an element of the pad's aggregate. Pure.
//
// Key: cairn-pad-SCHEME-ADDRESS, both in hex. Content: `record`, base 64 of the signed record, and
// `tags` with the key, by which nodes find the elements of one pad.

internal import AlephProtocol
internal import JSON
internal import Primitives
internal import Scratchpads

/// A record, and the message that carries it.
struct PadElement: Equatable, Sendable {
    /// The record, verified.
    let record: PadRecord
    /// The AGGREGATE message.
    let message: ItemHash
    /// Its content's time: it says nothing about which record stands.
    let time: Double
    /// Whether the content travels beside the message, and has to be fetched.
    let isBeside: Bool

    private static let recordName = "record"
    private static let tagsName = "tags"

    /// The aggregate of a pad, and the tag of its elements.
    static func key(_ address: PadAddress) -> String {
        "cairn-pad-" + Hex.encode([address.scheme.rawValue]) + "-" + address.hex
    }

    /// The message that offers a record.
    static func draft(_ record: PadRecord) -> MessageDraft {
        let key = key(record.address)
        return .aggregate(
            key: key,
            content: JSONObject([
                (recordName, .string(Base64.encode(record.encoded()))),
                (tagsName, .array([.string(key)])),
            ]))
    }

    /// What a message of the account says about a pad.
    enum Reading: Equatable {
        case element(PadElement)
        /// It is not about this pad.
        case foreign
        /// The record is damaged, or not its owner's.
        case damaged
        /// A newer version wrote it.
        case newer(UInt64)
    }

    /// Reads a message.
    static func read(_ message: VerifiedMessage, of address: PadAddress) -> Reading {
        guard message.type == .aggregate, AggregateValue.key(of: message) == key(address) else {
            return .foreign
        }
        guard let text = message.content["content"]?[recordName]?.string,
            let bytes = Base64.decode(text), bytes.count <= PadRecord.maximumSize
        else { return .damaged }
        do throws(ScratchpadError) {
            let record = try PadRecord(decoding: bytes)
            guard record.address == address else { return .damaged }
            try record.verify()
            return .element(
                PadElement(
                    record: record, message: message.itemHash, time: message.time,
                    isBeside: message.envelope.itemType != .inline))
        } catch .unsupportedVersion(let version) {
            return .newer(UInt64(version))
        } catch {
            return .damaged
        }
    }
}
