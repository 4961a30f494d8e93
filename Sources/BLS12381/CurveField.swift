// SPDX-License-Identifier: Apache-2.0
//
// What the arithmetic of points asks of the field their coordinates are in.

/// A field with a curve over it.
protocol CurveField: Equatable, Sendable {
    static var zero: Self { get }
    static var one: Self { get }
    /// All ones if the element is zero, else zero.
    var zeroMask: UInt64 { get }

    static func + (left: Self, right: Self) -> Self
    static func - (left: Self, right: Self) -> Self
    static func * (left: Self, right: Self) -> Self
    static prefix func - (element: Self) -> Self
    func squared() -> Self
    /// Zero for zero.
    func inverse() -> Self
    /// `first` where `mask` is all ones, `second` where it is zero.
    static func select(_ first: Self, _ second: Self, where mask: UInt64) -> Self
    /// The element times 3·b, where y² = x³ + b is the curve over this field.
    var timesThreeB: Self { get }
}

extension CurveField {
    @inline(__always)
    func doubled() -> Self { self + self }

    @inline(__always)
    func tripled() -> Self { self + self + self }
}

extension Fp: CurveField {
    /// b is 4.
    @inline(__always)
    var timesThreeB: Fp { tripled().doubled().doubled() }
}

extension Fp2: CurveField {
    /// b is 4·(1 + u).
    @inline(__always)
    var timesThreeB: Fp2 { timesNonresidue().tripled().doubled().doubled() }
}
