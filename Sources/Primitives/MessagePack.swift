// SPDX-License-Identifier: Apache-2.0
//
// The part of MessagePack that data maps use. This file knows the encoding, not the maps.

/// MessagePack, as far as data maps need it: unsigned numbers, arrays, maps, strings, binary, nil.
///
/// Writing picks the shortest form of everything, so equal values are equal bytes. Reading takes
/// every form of the values above, because other writers are free in their choice, and can step
/// over values of any type.
///
/// - Source: the MessagePack specification (github.com/msgpack/msgpack/blob/master/spec.md).
package enum MessagePack {
    /// How deep values may nest in what `skip` steps over.
    package static let maximumDepth = 32

    /// Of what type the next value is.
    package enum Kind: Sendable, Equatable {
        /// A number that is not negative.
        case uint
        /// A sequence of values.
        case array
        /// A sequence of pairs of values.
        case map
        /// Text.
        case string
        /// Bytes.
        case binary
        /// Nothing.
        case null
        /// Negative and floating-point numbers, booleans, extensions: only `skip` takes them.
        case other
    }
}

extension MessagePack {
    /// Puts values one behind the other.
    package struct Writer: Sendable {
        private var output: ByteWriter

        /// A writer that has written nothing.
        ///
        /// - Parameter capacity: bytes of memory to take at once.
        package init(capacity: Int = 0) {
            output = ByteWriter(capacity: capacity)
        }

        /// What was written so far.
        package var bytes: [UInt8] { output.bytes }

        /// Writes a number.
        package mutating func uint(_ value: UInt64) {
            switch value {
            case 0...0x7F:
                output.u8(UInt8(value))
            case 0x80...0xFF:
                output.u8(0xCC)
                output.u8(UInt8(value))
            case 0x100...0xFFFF:
                bigEndian(0xCD, value, count: 2)
            case 0x1_0000...0xFFFF_FFFF:
                bigEndian(0xCE, value, count: 4)
            default:
                bigEndian(0xCF, value, count: 8)
            }
        }

        /// Begins an array; its `count` values are written next.
        package mutating func array(count: Int) {
            container(count, short: 0x90, word: 0xDC)
        }

        /// Begins a map; its `count` keys and values are written next, in turn.
        package mutating func map(count: Int) {
            container(count, short: 0x80, word: 0xDE)
        }

        /// Writes text.
        package mutating func string(_ value: String) {
            let utf8 = Array(value.utf8)
            precondition(utf8.count <= UInt32.max, "text above the format's 4 GiB")
            switch utf8.count {
            case 0...31: output.u8(0xA0 | UInt8(utf8.count))
            case 32...0xFF: bigEndian(0xD9, UInt64(utf8.count), count: 1)
            case 0x100...0xFFFF: bigEndian(0xDA, UInt64(utf8.count), count: 2)
            default: bigEndian(0xDB, UInt64(utf8.count), count: 4)
            }
            output.raw(utf8)
        }

        /// Writes bytes.
        package mutating func binary(_ value: [UInt8]) {
            precondition(value.count <= UInt32.max, "bytes above the format's 4 GiB")
            switch value.count {
            case 0...0xFF: bigEndian(0xC4, UInt64(value.count), count: 1)
            case 0x100...0xFFFF: bigEndian(0xC5, UInt64(value.count), count: 2)
            default: bigEndian(0xC6, UInt64(value.count), count: 4)
            }
            output.raw(value)
        }

        /// Writes nil.
        package mutating func null() {
            output.u8(0xC0)
        }

        private mutating func container(_ count: Int, short: UInt8, word: UInt8) {
            precondition(count >= 0 && count <= UInt32.max, "a count the format cannot hold")
            switch count {
            case 0...15: output.u8(short | UInt8(count))
            case 16...0xFFFF: bigEndian(word, UInt64(count), count: 2)
            default: bigEndian(word + 1, UInt64(count), count: 4)
            }
        }

        private mutating func bigEndian(_ marker: UInt8, _ value: UInt64, count: Int) {
            output.u8(marker)
            for shift in (0..<count).reversed() {
                output.u8(UInt8(truncatingIfNeeded: value >> UInt64(8 * shift)))
            }
        }
    }
}
