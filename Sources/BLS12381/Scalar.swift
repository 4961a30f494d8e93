// SPDX-License-Identifier: Apache-2.0
//
// Integers modulo r, the order of the groups. Secret keys are such.
//
// Invariant: a scalar is below r, or is r itself where that is the point of it.
//
// Nothing here branches on the value of a scalar, but for `isZero` and the initializer that refuses
// what is no scalar.

/// An integer modulo the groups' order.
struct Scalar: Sendable {
    /// Bytes of an encoded scalar.
    static let byteCount = 32
    static let limbCount = 4

    /// The lowest first.
    var limbs: InlineArray<4, UInt64>

    private init(limbs: InlineArray<4, UInt64>) {
        self.limbs = limbs
    }

    private static let zero = Scalar(limbs: .init(repeating: 0))

    /// r. Not a scalar as others are: times it every point of the groups is the one at infinity.
    ///
    /// - Source: draft-irtf-cfrg-pairing-friendly-curves-11 §4.2.1.
    static let order = Scalar(limbs: [
        0xFFFF_FFFF_0000_0001, 0x53BD_A402_FFFE_5BFE, 0x3339_D808_09A1_D805,
        0x73ED_A753_299D_7D48,
    ])

    /// The scalar that 32 bytes are, the highest first; nil for zero and for r and above.
    init?(_ bytes: Span<UInt8>) {
        guard bytes.count == Scalar.byteCount else { return nil }
        var limbs = InlineArray<4, UInt64>(repeating: 0)
        for index in 0..<Scalar.byteCount {
            limbs[3 - index / 8] |= UInt64(bytes[index]) << UInt64(8 * (7 - index % 8))
        }
        var borrow: UInt64 = 0
        for index in 0..<Scalar.limbCount {
            _ = subtractWithBorrow(limbs[index], Scalar.order.limbs[index], &borrow)
        }
        self.limbs = limbs
        guard borrow == 1, !isZero else { return nil }
    }

    /// The number that the bytes are, the highest first, modulo r.
    init(reducing bytes: Span<UInt8>) {
        var value = Scalar.zero
        for index in bytes.indices {
            let byte = bytes[index]
            for shift in stride(from: UInt8(7), through: 0, by: -1) {
                value = value + value
                var bit = Scalar.zero
                bit.limbs[0] = UInt64((byte >> shift) & 1)
                value = value + bit
            }
        }
        self = value
    }

    var isZero: Bool { limbs[0] | limbs[1] | limbs[2] | limbs[3] == 0 }

    static func + (left: Scalar, right: Scalar) -> Scalar {
        var sum = InlineArray<4, UInt64>(repeating: 0)
        var carry: UInt64 = 0
        // r is below 2²⁵⁵: the last carry is zero.
        for index in 0..<limbCount {
            sum[index] = addWithCarry(left.limbs[index], right.limbs[index], &carry)
        }
        var reduced = InlineArray<4, UInt64>(repeating: 0)
        var borrow: UInt64 = 0
        for index in 0..<limbCount {
            reduced[index] = subtractWithBorrow(sum[index], order.limbs[index], &borrow)
        }
        return select(Scalar(limbs: sum), Scalar(limbs: reduced), where: 0 &- borrow)
    }

    /// The product, bit by bit: it is needed once a key, and may be slow.
    static func * (left: Scalar, right: Scalar) -> Scalar {
        var product = Scalar.zero
        for limb in stride(from: limbCount - 1, through: 0, by: -1) {
            for shift in stride(from: UInt64(63), through: 0, by: -1) {
                product = product + product
                let mask = 0 &- ((right.limbs[limb] >> shift) & 1)
                product = product + select(left, zero, where: mask)
            }
        }
        return product
    }

    /// The 32 bytes, the highest first, into memory of the caller's.
    func write(to bytes: inout MutableSpan<UInt8>) {
        precondition(bytes.count == Scalar.byteCount, "a scalar of another size")
        for index in 0..<Scalar.byteCount {
            bytes[index] = UInt8(
                truncatingIfNeeded: limbs[3 - index / 8] >> UInt64(8 * (7 - index % 8)))
        }
    }

    private static func select(_ first: Scalar, _ second: Scalar, where mask: UInt64) -> Scalar {
        var chosen = second.limbs
        for index in 0..<limbCount {
            chosen[index] ^= mask & (first.limbs[index] ^ second.limbs[index])
        }
        return Scalar(limbs: chosen)
    }
}
