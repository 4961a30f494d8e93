// SPDX-License-Identifier: Apache-2.0
//
// The groups: their laws, what is in them, and how a point is written.

import Primitives
import TestSupport
import Testing

@testable import BLS12381

@Suite("Groups of BLS12-381")
struct GroupTests {
    @Test("adding obeys the laws of a group, the exceptional cases among them")
    func laws() {
        var dice = SeededGenerator(seed: 1)
        for _ in 0..<5 {
            check(dice.g1(), dice.g1(), dice.g1())
            check(dice.g2(), dice.g2(), dice.g2())
        }
    }

    private func check<Field>(
        _ a: CurvePoint<Field>, _ b: CurvePoint<Field>, _ c: CurvePoint<Field>
    ) {
        #expect(a + b == b + a && (a + b) + c == a + (b + c))
        #expect(a + .infinity == a && .infinity + a == a && a + -a == .infinity)
        #expect(a + a == a.doubled() && CurvePoint<Field>.infinity.doubled() == .infinity)
        #expect((.infinity + .infinity as CurvePoint<Field>).isInfinity)
        #expect((a + b).isOnCurve && a.doubled().isOnCurve && a != b && a != .infinity)
    }

    @Test("multiplying distributes over scalars, and r times a point is nothing")
    func scalars() {
        var dice = SeededGenerator(seed: 2)
        for _ in 0..<5 {
            let (s, t, p, q) = (dice.scalar(), dice.scalar(), dice.g1(), dice.g2())
            #expect(p.times(s) + p.times(t) == p.times(s + t))
            #expect(q.times(s).times(t) == q.times(s * t))
            #expect(p.times(.order).isInfinity && q.times(.order).isInfinity)
            let small = dice.next() >> 40
            var limbs = [UInt8](repeating: 0, count: 8)
            for index in 0..<8 {
                limbs[index] = UInt8(truncatingIfNeeded: small >> (56 - 8 * UInt64(index)))
            }
            #expect(p.times(public: small) == p.times(Scalar(reducing: limbs.span)))
        }
    }

    @Test("a scalar is above zero and below r")
    func scalarBytes() throws {
        let order = try bytes("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001")
        #expect(Scalar(order) == nil)
        #expect(Scalar([UInt8](repeating: 0, count: 32)) == nil)
        #expect(Scalar([UInt8](repeating: 0xFF, count: 32)) == nil)
        #expect(Scalar([UInt8](repeating: 1, count: 31)) == nil)
        let last = Array(order.dropLast()) + [0]
        let scalar = try #require(Scalar(last))
        // r − 1 is −1.
        #expect(G1Point.generator.times(scalar) == -G1Point.generator)
        #expect(BLS12381Tests.scalar(order).isZero)
    }

    @Test("the endomorphism's test for membership agrees with multiplying by r")
    func membership() {
        var dice = SeededGenerator(seed: 3)
        for _ in 0..<5 {
            let inside = dice.g2()
            #expect(inside.isInGroup)
            // A point of the curve by chance is in the group with no probability to speak of.
            let point = HashToCurve.isogeny(HashToCurve.map(dice.fp2()))
            #expect(point.isOnCurve && !point.isInGroup && !point.times(.order).isInfinity)
            let cleared = point.clearingCofactor()
            #expect(cleared.isInGroup && cleared.times(.order).isInfinity && !cleared.isInfinity)
        }
        #expect(G1Point.generator.isInGroup && G2Point.generator.isInGroup)
        #expect(!G1Point(x: .one, y: .one).isInGroup && !G2Point(x: .one, y: .one).isInGroup)
    }

    @Test("a point is read as it was written, with either sign")
    func pointBytes() {
        var dice = SeededGenerator(seed: 4)
        for _ in 0..<5 {
            let (p, q) = (dice.g1(), dice.g2())
            for point in [p, -p] { #expect(G1Point(point.bytes) == point) }
            for point in [q, -q] { #expect(G2Point(point.bytes) == point) }
            #expect(p.bytes != (-p).bytes && p.bytes.dropFirst() == (-p).bytes.dropFirst())
        }
        #expect(Hex.encode(G1Point.infinity.bytes) == "c0" + String(repeating: "00", count: 47))
        #expect(Hex.encode(G2Point.infinity.bytes) == "c0" + String(repeating: "00", count: 95))
        #expect(G1Point(G1Point.infinity.bytes)?.isInfinity == true)
        #expect(G2Point(G2Point.infinity.bytes)?.isInfinity == true)
    }

    /// Points of the curves that are in no group of order r, and x without a point: found with
    /// py_ecc.
    @Test(
        "points outside the groups, and numbers without a point, are refused",
        arguments: [
            (4, 48), (5, 48), (6, 48), (1, 48), (2, 48), (3, 48), (2, 96), (4, 96), (5, 96),
            (1, 96),
        ])
    func outsiders(x: UInt8, size: Int) {
        for sign: UInt8 in [0x80, 0xA0] {
            var bytes = [UInt8](repeating: 0, count: size)
            bytes[0] = sign
            bytes[size - 1] = x
            #expect((size == 48 ? G1Point(bytes) == nil : G2Point(bytes) == nil))
        }
    }

    @Test("other encodings of a point are refused")
    func nonCanonical() {
        let good = G1Point.generator.bytes
        var uncompressed = good
        uncompressed[0] &= 0x7F
        var infinite = good
        infinite[0] |= 0x40
        #expect(G1Point(good) != nil)
        #expect(G1Point(uncompressed) == nil && G1Point(infinite) == nil)
        #expect(G1Point(Array(good.dropLast())) == nil && G1Point((good + [0])) == nil)
        var signedInfinity = G1Point.infinity.bytes
        signedInfinity[0] |= 0x20
        #expect(G1Point(signedInfinity) == nil)
        for position in [1, 47] {
            var dirty = G1Point.infinity.bytes
            dirty[position] = 1
            #expect(G1Point(dirty) == nil)
        }
        // x + p for the x of a point is no second name for it: 4 is no x of the group, 0 is of the
        // curve. Both coefficients are looked at.
        var large = modulus(plus: 0)
        large[0] |= 0x80
        #expect(G1Point(large) == nil)
        let second = G2Point.generator.bytes
        #expect(G2Point((Array(second.prefix(48)) + modulus(plus: 3))) == nil)
        #expect(G2Point((large + second.suffix(48))) == nil)
    }
}
