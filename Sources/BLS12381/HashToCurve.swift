// SPDX-License-Identifier: Apache-2.0
//
// Any bytes to a point of the second group, as if by chance. What is hashed is public everywhere:
// this branches.
//
// - Source: RFC 9380, suite BLS12381G2_XMD:SHA-256_SSWU_RO_ (§8.8.2).

internal import Cryptography

/// Hashes to the second group.
enum HashToCurve {
    /// The most bytes of `expand`.
    static let expandedLimit = 255 * SHA256Hasher.digestSize

    /// The point of a message.
    ///
    /// - Parameter tag: what keeps the points of one protocol from those of others; at most 255
    ///   bytes.
    static func point(of message: Span<UInt8>, tag: [UInt8]) -> G2Point {
        let bytes = expand(message, tag: tag, count: 4 * 64)
        let first = element(bytes, at: 0)
        let second = element(bytes, at: 128)
        return (isogeny(map(first)) + isogeny(map(second))).clearingCofactor()
    }

    /// `count` bytes that look like chance, from a message.
    ///
    /// - Source: RFC 9380 §5.3.1, `expand_message_xmd` with SHA-256.
    static func expand(_ message: Span<UInt8>, tag: [UInt8], count: Int) -> [UInt8] {
        precondition(tag.count <= 255 && count <= expandedLimit, "a hash of another size")
        let suffix = tag + [UInt8(tag.count)]
        var hasher = SHA256Hasher()
        // One block of the hash function's, all zero.
        hasher.update([UInt8](repeating: 0, count: 64).span)
        hasher.update(message)
        hasher.update([UInt8(count >> 8), UInt8(count & 255), 0].span)
        hasher.update(suffix.span)
        let seed = hasher.finalize()
        var block = [UInt8](repeating: 0, count: seed.count)
        var output: [UInt8] = []
        var number: UInt8 = 0
        while output.count < count {
            number += 1
            block = SHA2.sha256(zip(seed, block).map { $0 ^ $1 } + [number] + suffix)
            output += block
        }
        return Array(output.prefix(count))
    }

    /// The element that 128 of the bytes make.
    private static func element(_ bytes: [UInt8], at offset: Int) -> Fp2 {
        var real = InlineArray<64, UInt8>(repeating: 0)
        var imaginary = InlineArray<64, UInt8>(repeating: 0)
        for index in 0..<64 {
            real[index] = bytes[offset + index]
            imaginary[index] = bytes[offset + 64 + index]
        }
        return Fp2(Fp(reducing: real), Fp(reducing: imaginary))
    }

    /// A point of the curve y² = x³ + 240u·x + 1012·(1 + u) for an element of the field.
    ///
    /// - Source: RFC 9380 §6.6.2, the simplified map of Shallue, van de Woestijne and Ulas.
    static func map(_ u: Fp2) -> (x: Fp2, y: Fp2) {
        let a = Fp2(.zero, Fp(240))
        let b = Fp2(Fp(1012), Fp(1012))
        let z = Fp2(-Fp(2), -Fp.one)
        let zuu = z * u.squared()
        let denominator = (zuu.squared() + zuu).inverse()
        // The inverse of zero is zero, and asks for the exception.
        let x1 =
            denominator == .zero
            ? b * (z * a).inverse() : -b * a.inverse() * (.one + denominator)
        let curve = { (x: Fp2) in (x.squared() + a) * x + b }
        let x: Fp2
        let root: Fp2
        if let y = curve(x1).squareRoot() {
            (x, root) = (x1, y)
        } else {
            x = zuu * x1
            guard let y = curve(x).squareRoot() else {
                preconditionFailure("neither of two elements is a square, one of which must be")
            }
            root = y
        }
        return (x, u.isOdd == root.isOdd ? root : -root)
    }

    /// The image of such a point on the twisted curve.
    ///
    /// - Source: RFC 9380 appendix E.3.
    static func isogeny(_ point: (x: Fp2, y: Fp2)) -> G2Point {
        let value = { (coefficients: [Fp2]) in
            coefficients.reversed().reduce(Fp2.zero) { $0 * point.x + $1 }
        }
        let xDenominator = value(Isogeny.xDenominator)
        let yDenominator = value(Isogeny.yDenominator)
        let xNumerator = value(Isogeny.xNumerator)
        let yNumerator = value(Isogeny.yNumerator) * point.y
        // Over a common denominator, which is zero where the image is at infinity.
        let z = xDenominator * yDenominator
        guard z != .zero else { return .infinity }
        return G2Point(x: xNumerator * yDenominator, y: yNumerator * xDenominator, z: z)
    }
}
