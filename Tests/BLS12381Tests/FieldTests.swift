// SPDX-License-Identifier: Apache-2.0
//
// The laws of the fields, over elements by chance.

import Primitives
import TestSupport
import Testing

@testable import BLS12381

@Suite("Fields of BLS12-381")
struct FieldTests {
    @Test("sums and products obey the laws of a field", arguments: 1...40 as ClosedRange<UInt64>)
    func laws(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let (a, b, c) = (dice.fp(), dice.fp(), dice.fp())
        #expect(a + b == b + a && a * b == b * a)
        #expect((a + b) + c == a + (b + c) && (a * b) * c == a * (b * c))
        #expect(a * (b + c) == a * b + a * c)
        #expect(a - b == -(b - a) && a + -a == .zero && -Fp.zero == .zero)
        #expect(a * .one == a && a * .zero == .zero && a.squared() == a * a)
        #expect(a * a.inverse() == .one && Fp.zero.inverse() == .zero)
    }

    @Test("numbers at the edges are computed as far away from them")
    func edges() throws {
        let last = try #require(Fp(modulus(plus: 0).dropLast() + [0xAA]))
        #expect(last + .one == .zero && last == -Fp.one && last * last == .one)
        #expect(last + last == -Fp(2) && Fp.zero - last == .one)
        let largest = Fp(reducing: .init(repeating: UInt64.max))
        // 2³⁸⁴ − 1, by another way.
        var power = Fp.one
        for _ in 0..<384 { power = power + power }
        #expect(largest == power - .one)
    }

    @Test("64 bytes are reduced as the number that they are")
    func wideReduction() {
        var dice = SeededGenerator(seed: 9)
        for _ in 0..<20 {
            let bytes = dice.bytes(64)
            var inline = InlineArray<64, UInt8>(repeating: 0)
            var expected = Fp.zero
            for (index, byte) in bytes.enumerated() {
                inline[index] = byte
                expected = expected * Fp(256) + Fp(UInt64(byte))
            }
            #expect(Fp(reducing: inline) == expected)
        }
    }

    @Test("an element has one encoding: what is not below p is refused")
    func canonicalBytes() throws {
        var dice = SeededGenerator(seed: 5)
        for _ in 0..<20 {
            let element = dice.fp()
            #expect(Fp(element.bytes) == element)
        }
        #expect(Fp(modulus(plus: 0)) == nil)
        #expect(Fp(modulus(plus: 1)) == nil)
        #expect(Fp([UInt8](repeating: 0xFF, count: 48)) == nil)
        #expect(Fp([UInt8](repeating: 0, count: 47)) == nil)
        #expect(Fp([UInt8](repeating: 0, count: 48)) == .zero)
    }

    @Test("a square has a root, and of an element and its negation one alone is a square")
    func roots() throws {
        var dice = SeededGenerator(seed: 6)
        for _ in 0..<20 {
            let a = dice.fp()
            let root = try #require(a.squared().squareRoot())
            #expect(root == a || root == -a)
            #expect((a.squareRoot() == nil) != ((-a).squareRoot() == nil))
            let b = dice.fp2()
            let other = try #require(b.squared().squareRoot())
            #expect(other == b || other == -b)
            // 1 + u has no root, so that exactly one of these has.
            #expect((b.squareRoot() == nil) != (b.timesNonresidue().squareRoot() == nil))
            let real = Fp2(a, .zero)
            #expect(real.squareRoot()?.squared() == real)
            let imaginary = Fp2(.zero, a)
            #expect(imaginary.squared().squareRoot()?.squared() == imaginary.squared())
        }
    }

    @Test("one of an element and its negation is the upper one")
    func signs() {
        var dice = SeededGenerator(seed: 7)
        for _ in 0..<20 {
            let a = dice.fp()
            #expect(a.isUpper != (-a).isUpper)
            let b = dice.fp2()
            #expect(b.isUpper != (-b).isUpper && b.isOdd != (-b).isOdd)
            #expect(Fp2(a, .zero).isUpper == a.isUpper && Fp2(.zero, a).isOdd == a.isOdd)
        }
        #expect(!Fp.one.isUpper && (-Fp.one).isUpper && !Fp.zero.isUpper)
    }

    @Test("the tower is a tower of fields", arguments: 1...10 as ClosedRange<UInt64>)
    func tower(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let (a, b, c) = (dice.fp12(), dice.fp12(), dice.fp12())
        #expect(a * b == b * a && (a * b) * c == a * (b * c) && a.squared() == a * a)
        #expect(a * a.inverse() == .one)
        let (d, e) = (dice.fp6(), dice.fp6())
        #expect(d * d.inverse() == .one && (d + e) * d == d * d + e * d)
        #expect(d.timesV() == d * Fp6(.zero, .one, .zero))
        let (x, y) = (dice.fp2(), dice.fp2())
        #expect(d.timesSparse(x, y) == d * Fp6(x, y, .zero))
        #expect(d.timesSparse(y) == d * Fp6(.zero, y, .zero))
        #expect(x * x.inverse() == .one && x.squared() == x * x)
        #expect(x.timesNonresidue() == x * Fp2(.one, .one))
        let line = LineValue(constant: x, v: y, vw: dice.fp2())
        #expect(
            a.times(line)
                == a * Fp12(Fp6(line.constant, line.v, .zero), Fp6(.zero, line.vw, .zero)))
    }

    @Test("raising to p is a homomorphism that twelve times over is nothing")
    func frobenius() {
        var dice = SeededGenerator(seed: 8)
        let (a, b) = (dice.fp12(), dice.fp12())
        #expect((a * b).frobenius() == a.frobenius() * b.frobenius())
        var image = a
        for step in 1...12 {
            image = image.frobenius()
            if step == 6 { #expect(image == a.conjugate()) }
        }
        #expect(image == a)
        let x = dice.fp2()
        // x^p, by multiplying.
        var power = Fp2.one
        for limb in (0..<6).reversed() {
            for shift in stride(from: UInt64(63), through: 0, by: -1) {
                power = power.squared()
                if (Fp.modulus[limb] >> shift) & 1 == 1 { power = power * x }
            }
        }
        #expect(power == x.conjugate())
    }

    @Test("a mask chooses one of two, and tells zero from all else")
    func masks() {
        var dice = SeededGenerator(seed: 10)
        let (a, b) = (dice.fp2(), dice.fp2())
        #expect(Fp2.select(a, b, where: UInt64.max) == a && Fp2.select(a, b, where: 0) == b)
        #expect(Fp.zero.zeroMask == UInt64.max && Fp.one.zeroMask == 0 && a.zeroMask == 0)
        #expect(Fp2(.zero, .one).zeroMask == 0 && Fp2.zero.zeroMask == UInt64.max)
    }
}
