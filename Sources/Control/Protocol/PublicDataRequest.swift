// SPDX-License-Identifier: Apache-2.0
//
// What a command wants done with public data in a volume. Pure.

import Primitives

/// A task with files and the chunk store's public side.
package enum PublicDataRequest: Equatable, Sendable {
    /// Make a file at `path` of what `source` names: an address, or a data map in any form.
    case open(source: [UInt8], path: [UInt8])
    /// Make what is at `path` public.
    case share(path: [UInt8])
    /// Tell the data map of the file at `path`.
    case dataMap(path: [UInt8])

    /// Most bytes of a source: a data map of as many entries as a file of the volume may keep, as
    /// hexadecimal text.
    package static let sourceSize = 384 << 10

    private enum Tag {
        static let open: UInt8 = 1
        static let share: UInt8 = 2
        static let dataMap: UInt8 = 3
    }

    func write(to writer: inout ByteWriter) {
        switch self {
        case .open(let source, let path):
            writer.u8(Tag.open)
            writer.lengthPrefixed(source)
            writer.lengthPrefixed(path)
        case .share(let path):
            writer.u8(Tag.share)
            writer.lengthPrefixed(path)
        case .dataMap(let path):
            writer.u8(Tag.dataMap)
            writer.lengthPrefixed(path)
        }
    }

    init(from reader: inout ByteReader) throws(CodingError) {
        switch try reader.u8() {
        case Tag.open:
            self = .open(
                source: try reader.lengthPrefixed(limit: Self.sourceSize),
                path: try reader.lengthPrefixed(limit: ControlLimits.textSize))
        case Tag.share:
            self = .share(path: try reader.lengthPrefixed(limit: ControlLimits.textSize))
        case Tag.dataMap:
            self = .dataMap(path: try reader.lengthPrefixed(limit: ControlLimits.textSize))
        default: throw .malformed("a task of an unknown kind")
        }
    }
}

/// What came of it.
package struct PublicDataReport: Equatable, Sendable {
    /// The address, or the data map as hexadecimal text; empty for `open`.
    package var text = ""
    /// Bytes of what was opened.
    package var size: UInt64 = 0
    /// Files that became public.
    package var fileCount = 0
    /// Things that an archive cannot hold, and which were left out.
    package var skippedCount = 0

    /// Nothing yet.
    package init() {}

    func write(to writer: inout ByteWriter) {
        writer.lengthPrefixed(Array(text.utf8))
        writer.varint(size)
        writer.varint(UInt64(fileCount))
        writer.varint(UInt64(skippedCount))
    }

    init(from reader: inout ByteReader) throws(CodingError) {
        let bytes = try reader.lengthPrefixed(limit: ControlLimits.dataMapSize)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("text that is not UTF-8")
        }
        self.text = text
        size = try reader.varint()
        fileCount = try reader.number()
        skippedCount = try reader.number()
    }
}
