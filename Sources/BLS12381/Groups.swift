// SPDX-License-Identifier: Apache-2.0
//
// The two groups of order r: which points are in them, and how to get there.

/// A point of the curve over Fp; in the first group if `isInGroup`.
typealias G1Point = CurvePoint<Fp>
/// A point of the twisted curve over Fp2; in the second group if `isInGroup`.
typealias G2Point = CurvePoint<Fp2>

/// The absolute value of the number x that the curve is made from; x itself is negative.
///
/// - Source: draft-irtf-cfrg-pairing-friendly-curves-11 §4.2.1.
let curveParameter: UInt64 = 0xD201_0000_0001_0000

extension CurvePoint<Fp> {
    /// The point that public keys are multiples of.
    ///
    /// - Source: draft-irtf-cfrg-pairing-friendly-curves-11 §4.2.1.
    static let generator = G1Point(
        x: Fp(
            hex: "17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac58"
                + "6c55e83ff97a1aeffb3af00adb22c6bb"),
        y: Fp(
            hex: "08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3ed"
                + "d03cc744a2888ae40caa232946c5e7e1"))

    /// Whether the point is on the curve and times r the one at infinity.
    var isInGroup: Bool { isOnCurve && times(.order).isInfinity }
}

extension CurvePoint<Fp2> {
    /// The second group's generator. No key or signature is made from it; tests are.
    ///
    /// - Source: draft-irtf-cfrg-pairing-friendly-curves-11 §4.2.1.
    static let generator = G2Point(
        x: Fp2(
            Fp(
                hex: "024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d177"
                    + "0bac0326a805bbefd48056c8c121bdb8"),
            Fp(
                hex: "13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049"
                    + "334cf11213945d57e5ac7d055d042b7e")),
        y: Fp2(
            Fp(
                hex: "0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c"
                    + "923ac9cc3baca289e193548608b82801"),
            Fp(
                hex: "0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab"
                    + "3f370d275cec1da1aaa9075ff05f79be")))

    /// Whether the point is on the curve and in the group: ψ acts on the group, and on no other
    /// point of the curve, as multiplying by x does.
    ///
    /// - Source: Scott, “A note on group membership tests for G1, G2 and GT on BLS pairing-friendly
    ///   curves”, 2021.
    var isInGroup: Bool { isOnCurve && endomorphism() == -times(public: curveParameter) }

    /// ψ: from the twisted curve to the curve over a larger field, x ↦ x^p there, and back.
    func endomorphism() -> G2Point {
        G2Point(
            x: x.conjugate() * G2Point.endomorphismX, y: y.conjugate() * G2Point.endomorphismY,
            z: z.conjugate())
    }

    /// A point of the group for any point of the curve.
    ///
    /// [x² − x − 1]P + [x − 1]ψ(P) + ψ²(2P).
    ///
    /// - Source: RFC 9380 §8.8.2 and G.4.
    func clearingCofactor() -> G2Point {
        // x is negative, so x times a point is what the parameter gives, negated.
        let xP = -times(public: curveParameter)
        let psi = endomorphism()
        let first = -(xP + psi).times(public: curveParameter)  // [x² P + x ψ(P)]
        return first + -(xP + self) + -psi + doubled().endomorphism().endomorphism()
    }

    /// (1 + u)^(−(p − 1) / 3).
    private static let endomorphismX = Fp2(
        .zero,
        Fp(
            hex: "1a0111ea397fe699ec02408663d4de85aa0d857d89759ad4897d29650fb85f9b"
                + "409427eb4f49fffd8bfd00000000aaad"))
    /// (1 + u)^(−(p − 1) / 2).
    private static let endomorphismY = Fp2(
        Fp(
            hex: "135203e60180a68ee2e9c448d77a2cd91c3dedd930b1cf60ef396489f61eb45e"
                + "304466cf3e67fa0af1ee7b04121bdea2"),
        Fp(
            hex: "06af0e0437ff400b6831e36d6bd17ffe48395dabc2d3435e77f76e17009241c5"
                + "ee67992f72ec05f4c81084fbede3cc09"))
}
