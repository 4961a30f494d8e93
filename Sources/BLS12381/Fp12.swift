// SPDX-License-Identifier: Apache-2.0
//
// The top of the tower, where pairings have their values: Fp6 with a square root w of v.

/// c0 + c1·w, where w² = v; so w⁶ = 1 + u.
struct Fp12: Equatable, Sendable {
    var c0: Fp6
    var c1: Fp6

    @inline(__always)
    init(_ c0: Fp6, _ c1: Fp6) {
        self.c0 = c0
        self.c1 = c1
    }

    static let one = Fp12(.one, .zero)

    static func * (left: Fp12, right: Fp12) -> Fp12 {
        let p0 = left.c0 * right.c0
        let p1 = left.c1 * right.c1
        let cross = (left.c0 + left.c1) * (right.c0 + right.c1)
        return Fp12(p0 + p1.timesV(), cross - p0 - p1)
    }

    /// Two products in Fp6 instead of three.
    func squared() -> Fp12 {
        let product = c0 * c1
        let c = (c0 + c1) * (c0 + c1.timesV()) - product - product.timesV()
        return Fp12(c, product + product)
    }

    /// The product with the value of a line: a + b·v + c·v·w.
    func times(_ line: LineValue) -> Fp12 {
        let p0 = c0.timesSparse(line.constant, line.v)
        let p1 = c1.timesSparse(line.vw)
        let cross = (c0 + c1).timesSparse(line.constant, line.v + line.vw)
        return Fp12(p0 + p1.timesV(), cross - p0 - p1)
    }

    /// The element's image under x ↦ x^(p⁶): for a value of the pairing, its inverse.
    func conjugate() -> Fp12 { Fp12(c0, -c1) }

    /// The element that times this is one; zero for zero.
    func inverse() -> Fp12 {
        let norm = (c0 * c0 - (c1 * c1).timesV()).inverse()
        return Fp12(c0 * norm, -(c1 * norm))
    }

    /// The element's image under x ↦ x^p.
    func frobenius() -> Fp12 {
        // w^p = w·(1 + u)^((p − 1) / 6).
        let powers = Fp12.frobeniusPowers
        return Fp12(
            Fp6(
                c0.c0.conjugate(), c0.c1.conjugate() * powers[2], c0.c2.conjugate() * powers[4]),
            Fp6(
                c1.c0.conjugate() * powers[1], c1.c1.conjugate() * powers[3],
                c1.c2.conjugate() * powers[5]))
    }

    /// The powers 0 to 5 of (1 + u)^((p − 1) / 6).
    static let frobeniusPowers: [Fp2] = {
        let base = Fp2(
            Fp(
                hex: "1904d3bf02bb0667c231beb4202c0d1f0fd603fd3cbd5f4f7b2443d784bab9c4"
                    + "f67ea53d63e7813d8d0775ed92235fb8"),
            Fp(
                hex: "00fc3e2b36c4e03288e9e902231f9fb854a14787b6c7b36fec0c8ec971f63c5f"
                    + "282d5ac14d6c7ec22cf78a126ddc4af3"))
        var powers = [Fp2.one]
        for _ in 1..<6 { powers.append(powers[powers.count - 1] * base) }
        return powers
    }()
}

/// What a line through points of the twisted curve is at a point of the curve: three of the six
/// coefficients over Fp2, and zeros.
struct LineValue {
    var constant: Fp2
    var v: Fp2
    var vw: Fp2
}
