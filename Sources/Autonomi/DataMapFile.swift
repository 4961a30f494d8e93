// SPDX-License-Identifier: Apache-2.0
//
// Data maps as people keep them: `.datamap` files, and the hexadecimal text that clients print.

package import SelfEncryption
import Primitives

/// Why a file or text is no data map.
package enum DataMapFileError: Error, Hashable, Sendable {
    /// It is larger than `DataMapFile.maximumSize`.
    case tooLarge
    /// It is in none of the forms; the text is what the likeliest of them lacks.
    case malformed(String)
}

extension DataMapFileError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .tooLarge: "a data map has at most \(DataMapFile.maximumSize) bytes"
        case .malformed(let reason): "this is no data map: \(reason)"
        }
    }
}

/// A data map in whichever form somebody handed over.
///
/// The forms are told apart by how they begin: JSON by `{` or `[`; hexadecimal by having nothing
/// else in it; MessagePack by the head of an array or a map; what is left is the binary form.
///
/// - Source: docs/format.md §3.
package enum DataMapFile {
    /// The most bytes that are looked at: of the largest map that is taken at all, as text.
    package static let maximumSize = 128 << 20

    /// The map that `bytes` hold.
    ///
    /// No form says of which generation it is, so the caller does; one that does not know asks for
    /// each, and for a chunk of each.
    package static func decode(
        _ bytes: [UInt8], version: FormatVersion
    ) throws(DataMapFileError) -> DataMap {
        guard bytes.count <= maximumSize else { throw .tooLarge }
        let text = trimmed(bytes)
        guard let first = text.first else { throw .malformed("it is empty") }
        do throws(SelfEncryptionError) {
            if first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
                return try DataMap(decodingJSON: Array(text), version: version)
            }
            if text.allSatisfy(isHexadecimal),
                let decoded = Hex.decode(String(decoding: text, as: UTF8.self))
            {
                return try binary(decoded, version: version)
            }
            return try binary(bytes, version: version)
        } catch {
            throw .malformed(reason(error))
        }
    }

    /// The text that clients print for a private file, and take to give it back.
    package static func hexadecimal(_ map: DataMap) -> String {
        Hex.encode(map.encodedMessagePack())
    }

    private static func binary(
        _ bytes: [UInt8], version: FormatVersion
    ) throws(SelfEncryptionError) -> DataMap {
        // Arrays and maps of MessagePack; the binary forms begin with a version or a count.
        switch bytes.first {
        case .some(0x80...0x9F), .some(0xDC...0xDF):
            return try DataMap(decodingMessagePack: bytes, version: version)
        default:
            return try DataMap(decodingBincode: bytes, version: version)
        }
    }

    private static func reason(_ error: SelfEncryptionError) -> String {
        if case .malformedMap(let reason) = error { return reason }
        return "it cannot be read"
    }

    private static func trimmed(_ bytes: [UInt8]) -> ArraySlice<UInt8> {
        let isBlank: (UInt8) -> Bool = { [0x20, 0x09, 0x0A, 0x0D].contains($0) }
        let start = bytes.firstIndex { !isBlank($0) } ?? bytes.endIndex
        let end = bytes.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? start
        return bytes[start..<max(start, end)]
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}
