// SPDX-License-Identifier: Apache-2.0
//
// The middle of the tower: Fp2 with a cube root v of 1 + u.

/// c0 + c1·v + c2·v², where v³ = 1 + u.
struct Fp6: Equatable, Sendable {
    var c0: Fp2
    var c1: Fp2
    var c2: Fp2

    @inline(__always)
    init(_ c0: Fp2, _ c1: Fp2, _ c2: Fp2) {
        self.c0 = c0
        self.c1 = c1
        self.c2 = c2
    }

    static let zero = Fp6(.zero, .zero, .zero)
    static let one = Fp6(.one, .zero, .zero)

    static func + (left: Fp6, right: Fp6) -> Fp6 {
        Fp6(left.c0 + right.c0, left.c1 + right.c1, left.c2 + right.c2)
    }

    static func - (left: Fp6, right: Fp6) -> Fp6 {
        Fp6(left.c0 - right.c0, left.c1 - right.c1, left.c2 - right.c2)
    }

    static prefix func - (element: Fp6) -> Fp6 {
        Fp6(-element.c0, -element.c1, -element.c2)
    }

    /// Six products instead of nine (Karatsuba).
    static func * (left: Fp6, right: Fp6) -> Fp6 {
        let p0 = left.c0 * right.c0
        let p1 = left.c1 * right.c1
        let p2 = left.c2 * right.c2
        let p12 = (left.c1 + left.c2) * (right.c1 + right.c2) - p1 - p2
        let p01 = (left.c0 + left.c1) * (right.c0 + right.c1) - p0 - p1
        let p02 = (left.c0 + left.c2) * (right.c0 + right.c2) - p0 - p2
        return Fp6(p0 + p12.timesNonresidue(), p01 + p2.timesNonresidue(), p02 + p1)
    }

    /// The product with a + b·v: five products.
    func timesSparse(_ a: Fp2, _ b: Fp2) -> Fp6 {
        let p0 = c0 * a
        let p1 = c1 * b
        let p12 = (c1 + c2) * b - p1
        let p01 = (c0 + c1) * (a + b) - p0 - p1
        let p02 = (c0 + c2) * a - p0
        return Fp6(p0 + p12.timesNonresidue(), p01, p02 + p1)
    }

    /// The product with b·v: three products.
    func timesSparse(_ b: Fp2) -> Fp6 {
        Fp6((c2 * b).timesNonresidue(), c0 * b, c1 * b)
    }

    /// The product with v.
    func timesV() -> Fp6 {
        Fp6(c2.timesNonresidue(), c0, c1)
    }

    /// The element that times this is one; zero for zero.
    func inverse() -> Fp6 {
        let t0 = c0.squared() - (c1 * c2).timesNonresidue()
        let t1 = c2.squared().timesNonresidue() - c0 * c1
        let t2 = c1.squared() - c0 * c2
        let norm = c0 * t0 + (c2 * t1 + c1 * t2).timesNonresidue()
        let inverse = norm.inverse()
        return Fp6(t0 * inverse, t1 * inverse, t2 * inverse)
    }
}
