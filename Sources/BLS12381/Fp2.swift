// SPDX-License-Identifier: Apache-2.0
//
// The field of two coordinates: Fp with a root u of −1.

/// real + imaginary·u, where u² = −1.
struct Fp2: Equatable, Sendable {
    var real: Fp
    var imaginary: Fp

    @inline(__always)
    init(_ real: Fp, _ imaginary: Fp) {
        self.real = real
        self.imaginary = imaginary
    }

    static let zero = Fp2(.zero, .zero)
    static let one = Fp2(.one, .zero)

    @inline(__always)
    static func + (left: Fp2, right: Fp2) -> Fp2 {
        Fp2(left.real + right.real, left.imaginary + right.imaginary)
    }

    @inline(__always)
    static func - (left: Fp2, right: Fp2) -> Fp2 {
        Fp2(left.real - right.real, left.imaginary - right.imaginary)
    }

    @inline(__always)
    static prefix func - (element: Fp2) -> Fp2 {
        Fp2(-element.real, -element.imaginary)
    }

    /// Three products instead of four (Karatsuba).
    static func * (left: Fp2, right: Fp2) -> Fp2 {
        let reals = left.real * right.real
        let imaginaries = left.imaginary * right.imaginary
        let cross = (left.real + left.imaginary) * (right.real + right.imaginary)
        return Fp2(reals - imaginaries, cross - reals - imaginaries)
    }

    @inline(__always)
    static func * (left: Fp2, right: Fp) -> Fp2 {
        Fp2(left.real * right, left.imaginary * right)
    }

    /// (a + b)·(a − b) + 2ab·u.
    func squared() -> Fp2 {
        let product = real * imaginary
        return Fp2((real + imaginary) * (real - imaginary), product + product)
    }

    /// The element's image under x ↦ x^p.
    @inline(__always)
    func conjugate() -> Fp2 { Fp2(real, -imaginary) }

    /// The element times 1 + u, which has neither a square nor a cube root here.
    @inline(__always)
    func timesNonresidue() -> Fp2 { Fp2(real - imaginary, real + imaginary) }

    /// The element that times this is one; zero for zero.
    func inverse() -> Fp2 {
        let norm = (real.squared() + imaginary.squared()).inverse()
        return Fp2(real * norm, -(imaginary * norm))
    }

    /// An element whose square is this; nil if there is none. Which of the two is not said. Its
    /// time depends on the element, which must be no secret.
    ///
    /// (c + du)² = a + bu asks for c² = (a ± √(a² + b²)) / 2, for one of the signs, and d = b / 2c.
    func squareRoot() -> Fp2? {
        if imaginary == .zero {
            if let root = real.squareRoot() { return Fp2(root, .zero) }
            return (-real).squareRoot().map { Fp2(.zero, $0) }
        }
        guard let norm = (real.squared() + imaginary.squared()).squareRoot() else { return nil }
        let positive = (real + norm) * Fp2.half
        guard let root = positive.squareRoot() ?? (positive - norm).squareRoot() else { return nil }
        let result = Fp2(root, imaginary * Fp2.half * root.inverse())
        return result.squared() == self ? result : nil
    }

    private static let half = Fp(2).inverse()

    @inline(__always)
    var zeroMask: UInt64 { real.zeroMask & imaginary.zeroMask }

    @inline(__always)
    static func select(_ first: Fp2, _ second: Fp2, where mask: UInt64) -> Fp2 {
        Fp2(
            Fp.select(first.real, second.real, where: mask),
            Fp.select(first.imaginary, second.imaginary, where: mask))
    }
}
