// SPDX-License-Identifier: Apache-2.0
//
// Points of y² = x³ + b over either field, with formulas that know no exceptions: the same steps
// for equal, opposite and infinite points, so that no branch tells one from another.
//
// Invariant: x : y : z satisfies the curve's equation; z is zero for the point at infinity alone.

/// A point in homogeneous coordinates: the affine point (x / z, y / z), or the one at infinity.
struct CurvePoint<Field: CurveField>: Sendable {
    var x: Field
    var y: Field
    var z: Field

    @inline(__always)
    init(x: Field, y: Field, z: Field) {
        self.x = x
        self.y = y
        self.z = z
    }

    /// The affine point, which must be on the curve.
    init(x: Field, y: Field) {
        self.init(x: x, y: y, z: .one)
    }

    static var infinity: CurvePoint { CurvePoint(x: .zero, y: .one, z: .zero) }

    var isInfinity: Bool { z == .zero }

    /// x / z and y / z; zeros for the point at infinity.
    var affine: (x: Field, y: Field) {
        let inverse = z.inverse()
        return (x * inverse, y * inverse)
    }

    /// The sum.
    ///
    /// - Source: Renes, Costello, Batina, “Complete addition formulas for prime order elliptic
    ///   curves”, 2015, algorithm 7; complete here because neither curve has a point of order 2.
    static func + (left: CurvePoint, right: CurvePoint) -> CurvePoint {
        let xx = left.x * right.x
        let yy = left.y * right.y
        let zz = left.z * right.z
        let xy = (left.x + left.y) * (right.x + right.y) - xx - yy
        let yz = (left.y + left.z) * (right.y + right.z) - yy - zz
        let xz = ((left.x + left.z) * (right.x + right.z) - xx - zz).timesThreeB
        let xxx = xx.tripled()
        let bzz = zz.timesThreeB
        let sum = yy + bzz
        let difference = yy - bzz
        return CurvePoint(
            x: xy * difference - yz * xz, y: sum * difference + xxx * xz, z: yz * sum + xxx * xy)
    }

    static prefix func - (point: CurvePoint) -> CurvePoint {
        CurvePoint(x: point.x, y: -point.y, z: point.z)
    }

    /// The point twice.
    ///
    /// - Source: as `+`, algorithm 9.
    func doubled() -> CurvePoint {
        let yy = y.squared()
        let yz = y * z
        let xy = x * y
        let bzz = z.squared().timesThreeB
        let eightYY = yy.doubled().doubled().doubled()
        let difference = yy - bzz.tripled()
        return CurvePoint(
            x: (xy * difference).doubled(), y: difference * (yy + bzz) + bzz * eightYY,
            z: yz * eightYY)
    }

    /// The point times a scalar that may be a secret: every scalar takes the same steps, and reads
    /// the same memory.
    func times(_ scalar: Scalar) -> CurvePoint {
        var multiples = InlineArray<16, CurvePoint>(repeating: .infinity)
        for index in 1..<16 { multiples[index] = multiples[index - 1] + self }
        var result = CurvePoint.infinity
        for limb in stride(from: Scalar.limbCount - 1, through: 0, by: -1) {
            for shift in stride(from: UInt64(60), through: 0, by: -4) {
                result = result.doubled().doubled().doubled().doubled()
                let digit = (scalar.limbs[limb] >> shift) & 15
                var chosen = CurvePoint.infinity
                for index in 1..<16 {
                    let difference = digit ^ UInt64(index)
                    // All ones if they are equal.
                    let mask = ((difference | (0 &- difference)) >> 63) &- 1
                    chosen = CurvePoint.select(multiples[index], chosen, where: mask)
                }
                result = result + chosen
            }
        }
        return result
    }

    /// The point times a number that everybody knows: its bits decide the steps.
    func times(public number: UInt64) -> CurvePoint {
        var result = CurvePoint.infinity
        for shift in stride(from: 63 - number.leadingZeroBitCount, through: 0, by: -1) {
            result = result.doubled()
            if (number >> UInt64(shift)) & 1 == 1 { result = result + self }
        }
        return result
    }

    @inline(__always)
    static func select(
        _ first: CurvePoint, _ second: CurvePoint, where mask: UInt64
    ) -> CurvePoint {
        CurvePoint(
            x: Field.select(first.x, second.x, where: mask),
            y: Field.select(first.y, second.y, where: mask),
            z: Field.select(first.z, second.z, where: mask))
    }

    /// Whether the coordinates satisfy the curve's equation.
    var isOnCurve: Bool {
        // 3y²z = 3x³ + 3b·z³, because the field knows 3b.
        let zz = z.squared()
        return (y.squared() * z).tripled() == (x.squared() * x).tripled() + (zz * z).timesThreeB
    }
}

extension CurvePoint: Equatable {
    static func == (left: CurvePoint, right: CurvePoint) -> Bool {
        left.x * right.z == right.x * left.z && left.y * right.z == right.y * left.z
            && left.isInfinity == right.isInfinity
    }
}
