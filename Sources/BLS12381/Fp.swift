// SPDX-License-Identifier: Apache-2.0
//
// The field of the curve's coordinates: integers modulo the prime p of 381 bits.
//
// Invariant: an element is x·2³⁸⁴ mod p (Montgomery's form) in six limbs, the lowest first, and is
// below p: so equal elements have equal limbs.
//
// Nothing here branches on the value of an element, or takes an index from one, but for what says
// so: `squareRoot`, and everything that compares for the sake of a branch.

/// An integer modulo p.
///
/// - Source: draft-irtf-cfrg-pairing-friendly-curves-11 §4.2.1 for p.
struct Fp: Sendable {
    /// Bytes of an encoded element.
    static let byteCount = 48
    static let limbCount = 6

    typealias Limbs = InlineArray<6, UInt64>

    /// p, the lowest limb first.
    static let modulus: Limbs = [
        0xB9FE_FFFF_FFFF_AAAB, 0x1EAB_FFFE_B153_FFFF, 0x6730_D2A0_F6B0_F624,
        0x6477_4B84_F385_12BF, 0x4B1B_A7B6_434B_ACD7, 0x1A01_11EA_397F_E69A,
    ]
    /// −p⁻¹ mod 2⁶⁴.
    private static let negativeInverse: UInt64 = 0x89F3_FFFC_FFFC_FFFD
    /// 2⁷⁶⁸ mod p: multiplying by it brings an integer into Montgomery's form.
    private static let toMontgomery = Fp(limbs: [
        0xF4DF_1F34_1C34_1746, 0x0A76_E6A6_09D1_04F1, 0x8DE5_476C_4C95_B6D5,
        0x67EB_88A9_939D_83C0, 0x9A79_3E85_B519_952D, 0x1198_8FE5_92CA_E3AA,
    ])

    var limbs: Limbs

    @inline(__always)
    init(limbs: Limbs) {
        self.limbs = limbs
    }

    /// The integer `value`.
    init(_ value: UInt64) {
        self = Fp.toMontgomery * Fp(limbs: [value, 0, 0, 0, 0, 0])
    }

    /// The integer with these limbs, the lowest first; it may be as large as 2³⁸⁴ − 1.
    init(reducing limbs: Limbs) {
        self = Fp.toMontgomery * Fp(limbs: limbs)
    }

    static let zero = Fp(limbs: .init(repeating: 0))
    static let one = Fp(1)

    /// The integer below p, the lowest limb first.
    var integer: Limbs {
        (self * Fp(limbs: [1, 0, 0, 0, 0, 0])).limbs
    }

    // MARK: Arithmetic

    @inline(__always)
    static func + (left: Fp, right: Fp) -> Fp {
        var sum = Limbs(repeating: 0)
        var carry: UInt64 = 0
        // p is below 2³⁸³: the last carry is zero.
        for index in 0..<limbCount {
            sum[index] = addWithCarry(left.limbs[index], right.limbs[index], &carry)
        }
        return reduceOnce(sum)
    }

    @inline(__always)
    static func - (left: Fp, right: Fp) -> Fp {
        var difference = Limbs(repeating: 0)
        var borrow: UInt64 = 0
        for index in 0..<limbCount {
            difference[index] = subtractWithBorrow(left.limbs[index], right.limbs[index], &borrow)
        }
        let mask = 0 &- borrow
        var carry: UInt64 = 0
        for index in 0..<limbCount {
            difference[index] = addWithCarry(difference[index], modulus[index] & mask, &carry)
        }
        return Fp(limbs: difference)
    }

    @inline(__always)
    static prefix func - (element: Fp) -> Fp {
        zero - element
    }

    /// Montgomery's product: left·right·2⁻³⁸⁴ mod p. The right factor may be any integer below
    /// 2³⁸⁴; the left one must be below p, as every element is.
    static func * (left: Fp, right: Fp) -> Fp {
        var total = Limbs(repeating: 0)
        for row in 0..<limbCount {
            let factor = right.limbs[row]
            var carry: UInt64 = 0
            for index in 0..<limbCount {
                total[index] = multiplyAdd(total[index], left.limbs[index], factor, &carry)
            }
            let quotient = total[0] &* negativeInverse
            var reduction: UInt64 = 0
            _ = multiplyAdd(total[0], modulus[0], quotient, &reduction)
            for index in 1..<limbCount {
                total[index - 1] = multiplyAdd(total[index], modulus[index], quotient, &reduction)
            }
            // After every row the total is below left + p < 2p < 2³⁸³: the sum has no carry.
            total[limbCount - 1] = carry &+ reduction
        }
        return reduceOnce(total)
    }

    func squared() -> Fp { self * self }

    /// The element to the power of an exponent that is no secret, the lowest limb first.
    func power(_ exponent: Limbs) -> Fp {
        // Four bits at a time.
        var powers = InlineArray<16, Fp>(repeating: .one)
        for index in 1..<16 { powers[index] = powers[index - 1] * self }
        var result = Fp.one
        for limb in stride(from: Fp.limbCount - 1, through: 0, by: -1) {
            for shift in stride(from: UInt64(60), through: 0, by: -4) {
                result = result.squared().squared().squared().squared()
                result = result * powers[Int((exponent[limb] >> shift) & 15)]
            }
        }
        return result
    }

    /// The element that times this is one; zero for zero.
    ///
    /// - Source: Fermat: x^(p − 2).
    func inverse() -> Fp {
        power([
            0xB9FE_FFFF_FFFF_AAA9, 0x1EAB_FFFE_B153_FFFF, 0x6730_D2A0_F6B0_F624,
            0x6477_4B84_F385_12BF, 0x4B1B_A7B6_434B_ACD7, 0x1A01_11EA_397F_E69A,
        ])
    }

    /// An element whose square is this; nil if there is none. Which of the two is not said.
    ///
    /// - Source: p ≡ 3 mod 4: x^((p + 1) / 4).
    func squareRoot() -> Fp? {
        let root = power([
            0xEE7F_BFFF_FFFF_EAAB, 0x07AA_FFFF_AC54_FFFF, 0xD9CC_34A8_3DAC_3D89,
            0xD91D_D2E1_3CE1_44AF, 0x92C6_E9ED_90D2_EB35, 0x0680_447A_8E5F_F9A6,
        ])
        return root.squared() == self ? root : nil
    }

    // MARK: Looking at elements

    /// All ones if the element is zero, else zero.
    @inline(__always)
    var zeroMask: UInt64 {
        var bits: UInt64 = 0
        for index in 0..<Fp.limbCount { bits |= limbs[index] }
        // The highest bit of bits | −bits is set unless all are clear.
        return ((bits | (0 &- bits)) >> 63) &- 1
    }

    /// `first` where `mask` is all ones, `second` where it is zero.
    @inline(__always)
    static func select(_ first: Fp, _ second: Fp, where mask: UInt64) -> Fp {
        var chosen = Limbs(repeating: 0)
        for index in 0..<limbCount {
            chosen[index] =
                second.limbs[index] ^ (mask & (first.limbs[index] ^ second.limbs[index]))
        }
        return Fp(limbs: chosen)
    }

    // MARK: Limbs

    /// What is left of a sum below 2p when p is taken off it at most once.
    @inline(__always)
    private static func reduceOnce(_ sum: Limbs) -> Fp {
        var reduced = Limbs(repeating: 0)
        var borrow: UInt64 = 0
        for index in 0..<limbCount {
            reduced[index] = subtractWithBorrow(sum[index], modulus[index], &borrow)
        }
        return select(Fp(limbs: sum), Fp(limbs: reduced), where: 0 &- borrow)
    }
}

extension Fp: Equatable {
    static func == (left: Fp, right: Fp) -> Bool {
        var difference: UInt64 = 0
        for index in 0..<limbCount { difference |= left.limbs[index] ^ right.limbs[index] }
        return difference == 0
    }
}

// MARK: Limbs

/// The low limb of left + right + carry; `carry` becomes the high one, 0 or 1.
@inline(__always)
func addWithCarry(_ left: UInt64, _ right: UInt64, _ carry: inout UInt64) -> UInt64 {
    let sum = UInt128(left) &+ UInt128(right) &+ UInt128(carry)
    carry = UInt64(truncatingIfNeeded: sum >> 64)
    return UInt64(truncatingIfNeeded: sum)
}

/// The low limb of left − right − borrow; `borrow` becomes 1 if that was below zero, else 0.
@inline(__always)
func subtractWithBorrow(_ left: UInt64, _ right: UInt64, _ borrow: inout UInt64) -> UInt64 {
    let difference = UInt128(left) &- UInt128(right) &- UInt128(borrow)
    borrow = UInt64(truncatingIfNeeded: difference >> 64) & 1
    return UInt64(truncatingIfNeeded: difference)
}

/// The low limb of addend + left·right + carry, which always fits into two; `carry` becomes the
/// high one.
@inline(__always)
func multiplyAdd(
    _ addend: UInt64, _ left: UInt64, _ right: UInt64, _ carry: inout UInt64
) -> UInt64 {
    let sum = UInt128(left) &* UInt128(right) &+ UInt128(addend) &+ UInt128(carry)
    carry = UInt64(truncatingIfNeeded: sum >> 64)
    return UInt64(truncatingIfNeeded: sum)
}
