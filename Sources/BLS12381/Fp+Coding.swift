// SPDX-License-Identifier: Apache-2.0
//
// Elements as bytes: 48 of them, the highest first. There is one encoding of an element.

internal import Primitives

extension Fp {
    /// The element that 48 bytes are; nil for a number that is not below p.
    init?(_ bytes: Span<UInt8>) {
        guard bytes.count == Fp.byteCount else { return nil }
        let limbs = Fp.limbs(bytes)
        var borrow: UInt64 = 0
        for index in 0..<Fp.limbCount {
            _ = subtractWithBorrow(limbs[index], Fp.modulus[index], &borrow)
        }
        guard borrow == 1 else { return nil }
        self.init(reducing: limbs)
    }

    /// A constant from its 96 hexadecimal digits.
    init(hex: String) {
        guard let bytes = Hex.decode(hex), let element = Fp(bytes.span) else {
            preconditionFailure("a constant that is no element of the field")
        }
        self = element
    }

    /// The number that 64 bytes are, modulo p.
    init(reducing bytes: InlineArray<64, UInt8>) {
        var high = Limbs(repeating: 0)
        var low = Limbs(repeating: 0)
        for index in 0..<32 {
            let shift = UInt64(8 * (7 - index % 8))
            high[3 - index / 8] |= UInt64(bytes[index]) << shift
            low[3 - index / 8] |= UInt64(bytes[32 + index]) << shift
        }
        self = Fp(reducing: high) * Fp.twoTo256 + Fp(reducing: low)
    }

    private static let twoTo256 = Fp(reducing: [0, 0, 0, 0, 1, 0])

    /// The 48 bytes of the element.
    var bytes: [UInt8] {
        let integer = integer
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Fp.byteCount)
        for index in stride(from: Fp.limbCount - 1, through: 0, by: -1) {
            for shift in stride(from: UInt64(56), through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: integer[index] >> shift))
            }
        }
        return bytes
    }

    /// Whether the integer is odd.
    var isOdd: Bool { integer[0] & 1 == 1 }

    /// Whether the integer is above (p − 1) / 2, and so above that of the negated element.
    var isUpper: Bool {
        // 2·x is reduced exactly if x is above (p − 1) / 2; p is odd, so that makes it odd.
        (self + self).isOdd
    }

    private static func limbs(_ bytes: Span<UInt8>) -> Limbs {
        var limbs = Limbs(repeating: 0)
        for index in 0..<byteCount {
            limbs[limbCount - 1 - index / 8] |=
                UInt64(bytes[index]) << UInt64(8 * (7 - index % 8))
        }
        return limbs
    }
}

extension Fp2 {
    /// The sign that hashing to the curve gives an element: that of its first coefficient that is
    /// not zero.
    ///
    /// - Source: RFC 9380 §4.1, `sgn0` for m = 2.
    var isOdd: Bool { real == .zero ? imaginary.isOdd : real.isOdd }

    /// Whether the element is the larger of itself and its negation, where the coefficient of u
    /// counts first.
    var isUpper: Bool { imaginary == .zero ? real.isUpper : imaginary.isUpper }
}
