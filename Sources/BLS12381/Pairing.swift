// SPDX-License-Identifier: Apache-2.0
//
// The optimal ate pairing of the two groups. Its arguments are public everywhere: it branches.
//
// A point of the twisted curve (x, y) stands for (x / w², y / w³) of the curve over Fp12. The line
// through such points with the slope λ / w, times w³, has at a point (X, Y) of the curve the value
//
//   (λx − y) − λX·v + Y·v·w
//
// and times anything of Fp2 it does as well: the final exponentiation takes it to 1.

/// What multiplies the points of two groups.
enum Pairing {
    /// Whether the product of the pairings of all pairs is 1. All points must be in their groups.
    static func isProductOne(_ pairs: [(G1Point, G2Point)]) -> Bool {
        finalExponentiation(millerLoop(pairs)) == .one
    }

    /// The product of all pairs' values before the final exponentiation: all pairs share squarings.
    static func millerLoop(_ pairs: [(G1Point, G2Point)]) -> Fp12 {
        // A pair with the point at infinity gives 1.
        let pairs = pairs.filter { !$0.0.isInfinity && !$0.1.isInfinity }
            .map { (first: $0.0.affine, second: $0.1.affine) }
        var multiples = pairs.map { JacobianPoint(x: $0.second.x, y: $0.second.y, z: .one) }
        var value = Fp12.one
        let highest = 63 - curveParameter.leadingZeroBitCount
        for shift in stride(from: highest - 1, through: 0, by: -1) {
            value = value.squared()
            for index in pairs.indices {
                value = value.times(multiples[index].double(at: pairs[index].first))
                if (curveParameter >> UInt64(shift)) & 1 == 1 {
                    let line = multiples[index].add(pairs[index].second, at: pairs[index].first)
                    value = value.times(line)
                }
            }
        }
        // The curve's parameter is negative.
        return value.conjugate()
    }

    /// The value to the power of 3·(p¹² − 1) / r: the cube of the pairing, which is one as well.
    ///
    /// - Source: Hayashida, Hayasaka, Teruya, “Efficient final exponentiation via cyclotomic
    ///   structure for pairings over families of elliptic curves”, 2020:
    ///   3·(p⁴ − p² + 1) / r = (x − 1)²·(x + p)·(x² + p² − 1) + 3.
    static func finalExponentiation(_ value: Fp12) -> Fp12 {
        // (p⁶ − 1)·(p² + 1)
        var base = value.conjugate() * value.inverse()
        base = base.frobenius().frobenius() * base
        // From here on the conjugate is the inverse.
        let first = power(base) * base.conjugate()
        let second = power(first) * first.conjugate()
        let third = power(second) * second.frobenius()
        let hard = power(power(third)) * third.frobenius().frobenius() * third.conjugate()
        return hard * base.squared() * base
    }

    /// The value to the power of the curve's parameter, which is negative.
    private static func power(_ value: Fp12) -> Fp12 {
        var result = value
        for shift in stride(from: 62 - curveParameter.leadingZeroBitCount, through: 0, by: -1) {
            result = result.squared()
            if (curveParameter >> UInt64(shift)) & 1 == 1 { result = result * value }
        }
        return result.conjugate()
    }
}

/// A point of the twisted curve in Jacobian coordinates: (x / z², y / z³). Not at infinity.
private struct JacobianPoint {
    var x: Fp2
    var y: Fp2
    var z: Fp2

    /// Doubles the point; the tangent's value at a point, times 2·y·z³ of the point before.
    mutating func double(at point: (x: Fp, y: Fp)) -> LineValue {
        let xx = x.squared()
        let yy = y.squared()
        let zz = z.squared()
        let yyyy = yy.squared()
        // 4xy²
        let s = ((x + yy).squared() - xx - yyyy).doubled()
        let m = xx.tripled()
        let newX = m.squared() - s.doubled()
        let newZ = (y * z).doubled()
        let line = LineValue(
            constant: m * x - yy.doubled(), v: -(m * zz) * point.x, vw: (newZ * zz) * point.y)
        y = m * (s - newX) - yyyy.doubled().doubled().doubled()
        x = newX
        z = newZ
        return line
    }

    /// Adds an affine point; the value at a point of the line through both, times the new z.
    mutating func add(_ other: (x: Fp2, y: Fp2), at point: (x: Fp, y: Fp)) -> LineValue {
        let zz = z.squared()
        let h = other.x * zz - x
        let slope = other.y * zz * z - y
        let hh = h.squared()
        let hhh = hh * h
        let v = x * hh
        let newX = slope.squared() - hhh - v.doubled()
        let newZ = z * h
        let line = LineValue(
            constant: slope * other.x - other.y * newZ, v: -slope * point.x, vw: newZ * point.y)
        y = slope * (v - newX) - y * hhh
        x = newX
        z = newZ
        return line
    }
}
