// SPDX-License-Identifier: Apache-2.0
//
// Reads MessagePack that nobody vouches for: a count is compared with the bytes that are left
// before anything is allocated, and nesting has a limit.

extension MessagePack {
    /// A place in some bytes, from which value after value is read.
    ///
    /// A read that throws may have moved the place; there is nothing to go on with after it.
    package struct Reader: Sendable {
        private var input: ByteReader

        /// Reads from the first of `bytes` on.
        package init(_ bytes: [UInt8]) {
            input = ByteReader(bytes)
        }

        /// Bytes not read yet.
        package var remaining: Int { input.remaining }

        /// The type of the next value, which stays unread.
        package func peek() throws(CodingError) -> Kind {
            guard input.remaining > 0 else { throw .truncated }
            return switch input.bytes[input.offset] {
            case 0x00...0x7F, 0xCC...0xCF: .uint
            case 0x80...0x8F, 0xDE, 0xDF: .map
            case 0x90...0x9F, 0xDC, 0xDD: .array
            case 0xA0...0xBF, 0xD9...0xDB: .string
            case 0xC4...0xC6: .binary
            case 0xC0: .null
            default: .other
            }
        }

        /// Reads a number in any of the unsigned forms.
        package mutating func uint() throws(CodingError) -> UInt64 {
            switch try input.u8() {
            case let marker where marker <= 0x7F: return UInt64(marker)
            case 0xCC: return try bigEndian(1)
            case 0xCD: return try bigEndian(2)
            case 0xCE: return try bigEndian(4)
            case 0xCF: return try bigEndian(8)
            default: throw .malformed("not an unsigned number")
            }
        }

        /// Reads the head of an array; its values are read next.
        ///
        /// - Parameter limit: the most values that are taken; more throws `tooLarge`.
        /// - Throws: `truncated` also when fewer bytes are left than values.
        package mutating func array(limit: Int) throws(CodingError) -> Int {
            switch try input.u8() {
            case let marker where marker & 0xF0 == 0x90:
                return try checked(UInt64(marker & 15), limit: limit, bytesEach: 1)
            case 0xDC: return try checked(try bigEndian(2), limit: limit, bytesEach: 1)
            case 0xDD: return try checked(try bigEndian(4), limit: limit, bytesEach: 1)
            default: throw .malformed("not an array")
            }
        }

        /// Reads the head of a map; its keys and values are read next, in turn.
        ///
        /// - Parameter limit: the most pairs that are taken; more throws `tooLarge`.
        /// - Throws: `truncated` also when fewer bytes are left than keys and values.
        package mutating func map(limit: Int) throws(CodingError) -> Int {
            switch try input.u8() {
            case let marker where marker & 0xF0 == 0x80:
                return try checked(UInt64(marker & 15), limit: limit, bytesEach: 2)
            case 0xDE: return try checked(try bigEndian(2), limit: limit, bytesEach: 2)
            case 0xDF: return try checked(try bigEndian(4), limit: limit, bytesEach: 2)
            default: throw .malformed("not a map")
            }
        }

        /// Reads text.
        ///
        /// - Parameter limit: the most bytes of UTF-8 that are taken; more throws `tooLarge`.
        package mutating func string(limit: Int) throws(CodingError) -> String {
            let size: UInt64
            switch try input.u8() {
            case let marker where marker & 0xE0 == 0xA0: size = UInt64(marker & 31)
            case 0xD9: size = try bigEndian(1)
            case 0xDA: size = try bigEndian(2)
            case 0xDB: size = try bigEndian(4)
            default: throw .malformed("not text")
            }
            let utf8 = try input.raw(try checked(size, limit: limit, bytesEach: 1))
            guard let text = String(validating: utf8, as: UTF8.self) else {
                throw .malformed("text that is not UTF-8")
            }
            return text
        }

        /// Reads bytes.
        ///
        /// - Parameter limit: the most that are taken; more throws `tooLarge`.
        package mutating func binary(limit: Int) throws(CodingError) -> [UInt8] {
            let size: UInt64
            switch try input.u8() {
            case 0xC4: size = try bigEndian(1)
            case 0xC5: size = try bigEndian(2)
            case 0xC6: size = try bigEndian(4)
            default: throw .malformed("not binary")
            }
            return try input.raw(try checked(size, limit: limit, bytesEach: 1))
        }

        /// Reads nil.
        package mutating func null() throws(CodingError) {
            guard try input.u8() == 0xC0 else { throw .malformed("not nil") }
        }

        /// Steps over one value of any type, with all that is in it.
        ///
        /// - Throws: `tooLarge` when values nest deeper than `maximumDepth`.
        package mutating func skip() throws(CodingError) {
            // Values still to step over at each depth, instead of a recursion hostile bytes steer.
            var pending: [UInt64] = [1]
            while let left = pending.popLast() {
                if left == 0 { continue }
                pending.append(left - 1)
                let inner = try skipHead()
                guard inner > 0 else { continue }
                guard inner <= UInt64(remaining) else { throw .truncated }
                guard pending.count < MessagePack.maximumDepth else {
                    throw .tooLarge(limit: MessagePack.maximumDepth)
                }
                pending.append(inner)
            }
        }

        /// Throws `malformed` unless everything was read.
        package func expectEnd() throws(CodingError) {
            try input.expectEnd()
        }

        /// Steps over a value that holds no others, or the head of one that does; gives how many
        /// it holds.
        private mutating func skipHead() throws(CodingError) -> UInt64 {
            let marker = try input.u8()
            switch marker {
            case 0x00...0x7F, 0xE0...0xFF, 0xC0, 0xC2, 0xC3: return 0
            case 0x80...0x8F: return 2 * UInt64(marker & 15)
            case 0x90...0x9F: return UInt64(marker & 15)
            case 0xA0...0xBF: return try discard(UInt64(marker & 31))
            case 0xC1: throw .malformed("a type that does not exist")
            case 0xC4, 0xD9: return try discard(try bigEndian(1))
            case 0xC5, 0xDA: return try discard(try bigEndian(2))
            case 0xC6, 0xDB: return try discard(try bigEndian(4))
            // Extensions carry a type byte before their content.
            case 0xC7: return try discard(try bigEndian(1) + 1)
            case 0xC8: return try discard(try bigEndian(2) + 1)
            case 0xC9: return try discard(try bigEndian(4) + 1)
            case 0xD4...0xD8: return try discard((1 << UInt64(marker - 0xD4)) + 1)
            case 0xCC, 0xD0: return try discard(1)
            case 0xCD, 0xD1: return try discard(2)
            case 0xCA, 0xCE, 0xD2: return try discard(4)
            case 0xDC: return try bigEndian(2)
            case 0xDD: return try bigEndian(4)
            case 0xDE: return 2 * (try bigEndian(2))
            case 0xDF: return 2 * (try bigEndian(4))
            default: return try discard(8)
            }
        }

        private mutating func discard(_ count: UInt64) throws(CodingError) -> UInt64 {
            guard count <= UInt64(input.remaining) else { throw .truncated }
            try input.skip(Int(count))
            return 0
        }

        private mutating func bigEndian(_ count: Int) throws(CodingError) -> UInt64 {
            var value: UInt64 = 0
            for _ in 0..<count {
                value = value << 8 | UInt64(try input.u8())
            }
            return value
        }

        private func checked(
            _ count: UInt64, limit: Int, bytesEach: UInt64
        ) throws(CodingError) -> Int {
            guard count <= UInt64(limit) else { throw .tooLarge(limit: limit) }
            guard count * bytesEach <= UInt64(input.remaining) else { throw .truncated }
            return Int(count)
        }
    }
}
