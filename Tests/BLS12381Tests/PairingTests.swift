// SPDX-License-Identifier: Apache-2.0
//
// The pairing: bilinear, not trivial, and indifferent to points at infinity.

import TestSupport
import Testing

@testable import BLS12381

@Suite("The pairing of BLS12-381")
struct PairingTests {
    private func pairing(_ p: G1Point, _ q: G2Point) -> Fp12 {
        Pairing.finalExponentiation(Pairing.millerLoop([(p, q)]))
    }

    @Test("it is bilinear", arguments: 1...5 as ClosedRange<UInt64>)
    func bilinear(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let (p, q, r, s) = (dice.g1(), dice.g2(), dice.g1(), dice.g2())
        #expect(pairing(p + r, q) == pairing(p, q) * pairing(r, q))
        #expect(pairing(p, q + s) == pairing(p, q) * pairing(p, s))
        let a = dice.scalar()
        #expect(pairing(p.times(a), q) == pairing(p, q.times(a)))
        #expect(pairing(-p, q) == pairing(p, q).conjugate())
    }

    @Test("it is not trivial, and its values have the groups' order")
    func nontrivial() {
        let value = pairing(.generator, .generator)
        #expect(value != .one)
        var power = Fp12.one
        for limb in (0..<4).reversed() {
            for shift in stride(from: UInt64(63), through: 0, by: -1) {
                power = power.squared()
                if (Scalar.order.limbs[limb] >> shift) & 1 == 1 { power = power * value }
            }
        }
        #expect(power == .one)
    }

    @Test("a product of pairings is one exactly if the exponents add up to nothing")
    func products() {
        var dice = SeededGenerator(seed: 11)
        let (a, b) = (dice.scalar(), dice.scalar())
        let (p, q) = (dice.g1(), dice.g2())
        #expect(Pairing.isProductOne([(p.times(a), q.times(b)), (-p.times(a * b), q)]))
        #expect(!Pairing.isProductOne([(p.times(a), q.times(b)), (p.times(a * b), q)]))
        #expect(!Pairing.isProductOne([(p, q)]))
        #expect(Pairing.isProductOne([(.infinity, q), (p, .infinity)]) && Pairing.isProductOne([]))
    }
}
