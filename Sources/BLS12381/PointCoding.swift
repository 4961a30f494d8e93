// SPDX-License-Identifier: Apache-2.0
//
// Points as bytes, compressed. There is one encoding of a point, and only points of the groups are
// read: everything else is refused.
//
//   bit 7 of the first byte: compressed, always set;  bit 6: the point at infinity, then all other
//   bits are zero;  bit 5: y is the larger of the two that x allows.
//   The rest is x; over Fp2 the coefficient of u comes first.
//
// - Source: draft-irtf-cfrg-pairing-friendly-curves-11 appendix C.

private enum Flag {
    static let compressed: UInt8 = 0x80
    static let infinity: UInt8 = 0x40
    static let upper: UInt8 = 0x20
    static let all: UInt8 = 0xE0
}

/// What the flags of an encoded point say, and its x.
private struct Encoded {
    let isInfinity: Bool
    let isUpper: Bool
    let coordinates: [UInt8]

    /// Nil for flags that no point has, and for a point at infinity with anything behind it.
    init?(_ bytes: Span<UInt8>, count: Int) {
        guard bytes.count == count, bytes[0] & Flag.compressed != 0 else { return nil }
        isInfinity = bytes[0] & Flag.infinity != 0
        isUpper = bytes[0] & Flag.upper != 0
        var coordinates = [UInt8](repeating: 0, count: count)
        var rest = bytes[0] & ~Flag.all
        coordinates[0] = rest
        for index in 1..<count {
            coordinates[index] = bytes[index]
            rest |= bytes[index]
        }
        self.coordinates = coordinates
        if isInfinity, isUpper || rest != 0 { return nil }
    }
}

/// The bytes of a point with these coordinates.
private func encode(_ coordinates: [UInt8], isInfinity: Bool, isUpper: Bool) -> [UInt8] {
    var bytes = coordinates
    if isInfinity {
        bytes = [UInt8](repeating: 0, count: coordinates.count)
        bytes[0] = Flag.compressed | Flag.infinity
    } else {
        bytes[0] |= Flag.compressed | (isUpper ? Flag.upper : 0)
    }
    return bytes
}

extension CurvePoint<Fp> {
    /// Bytes of a point of the first group.
    static var byteCount: Int { Fp.byteCount }

    /// The point of the first group that the bytes are; nil for anything else.
    init?(_ bytes: Span<UInt8>) {
        guard let encoded = Encoded(bytes, count: G1Point.byteCount) else { return nil }
        guard !encoded.isInfinity else {
            self = .infinity
            return
        }
        guard let x = Fp(encoded.coordinates.span),
            let y = (x.squared() * x + Fp(4)).squareRoot()
        else { return nil }
        self.init(x: x, y: y.isUpper == encoded.isUpper ? y : -y)
        guard isInGroup else { return nil }
    }

    /// The point's bytes.
    var bytes: [UInt8] {
        let (x, y) = affine
        return encode(x.bytes, isInfinity: isInfinity, isUpper: y.isUpper)
    }
}

extension CurvePoint<Fp2> {
    /// Bytes of a point of the second group.
    static var byteCount: Int { 2 * Fp.byteCount }

    /// The point of the second group that the bytes are; nil for anything else.
    init?(_ bytes: Span<UInt8>) {
        guard let encoded = Encoded(bytes, count: G2Point.byteCount) else { return nil }
        guard !encoded.isInfinity else {
            self = .infinity
            return
        }
        let coordinates = encoded.coordinates.span
        let half = Fp.byteCount
        guard let imaginary = Fp(coordinates.extracting(0..<half)),
            let real = Fp(coordinates.extracting(half..<2 * half))
        else { return nil }
        let x = Fp2(real, imaginary)
        guard let y = (x.squared() * x + Fp2(Fp(4), Fp(4))).squareRoot() else { return nil }
        self.init(x: x, y: y.isUpper == encoded.isUpper ? y : -y)
        guard isInGroup else { return nil }
    }

    /// The point's bytes.
    var bytes: [UInt8] {
        let (x, y) = affine
        return encode(
            x.imaginary.bytes + x.real.bytes, isInfinity: isInfinity, isUpper: y.isUpper)
    }
}
