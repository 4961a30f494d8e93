// SPDX-License-Identifier: Apache-2.0
//
// What a command wants done with a pad of the older Autonomi network. Pure.

import Primitives
import Scratchpads

/// A pad that comes into a volume, or goes out of it.
package enum PadTransferRequest: Equatable, Sendable {
    /// Put an encoded record at `path`; with a key, if it has one, or none if that is empty.
    case importing(record: [UInt8], key: [UInt8], path: [UInt8])
    /// Give the record of the pad at `path`.
    case exporting(path: [UInt8])

    /// Most bytes of a record.
    package static let recordSize = PadRecord.maximumSize

    private enum Tag {
        static let importing: UInt8 = 1
        static let exporting: UInt8 = 2
    }

    func write(to writer: inout ByteWriter) {
        switch self {
        case .importing(let record, let key, let path):
            writer.u8(Tag.importing)
            writer.lengthPrefixed(record)
            writer.lengthPrefixed(key)
            writer.lengthPrefixed(path)
        case .exporting(let path):
            writer.u8(Tag.exporting)
            writer.lengthPrefixed(path)
        }
    }

    init(from reader: inout ByteReader) throws(CodingError) {
        switch try reader.u8() {
        case Tag.importing:
            self = .importing(
                record: try reader.lengthPrefixed(limit: Self.recordSize),
                key: try reader.lengthPrefixed(limit: AutonomiPad.keySize),
                path: try reader.lengthPrefixed(limit: ControlLimits.textSize))
        case Tag.exporting:
            self = .exporting(path: try reader.lengthPrefixed(limit: ControlLimits.textSize))
        default: throw .malformed("a task of an unknown kind")
        }
    }
}

/// What came of it.
package struct PadTransferReport: Equatable, Sendable {
    /// The encoded record that was asked for; empty for an import.
    package var record: [UInt8] = []
    /// Bytes of the content that is seen in the volume now; 0 for an export.
    package var size: UInt64 = 0

    /// Nothing yet.
    package init() {}

    func write(to writer: inout ByteWriter) {
        writer.lengthPrefixed(record)
        writer.varint(size)
    }

    init(from reader: inout ByteReader) throws(CodingError) {
        record = try reader.lengthPrefixed(limit: PadTransferRequest.recordSize)
        size = try reader.varint()
    }
}
