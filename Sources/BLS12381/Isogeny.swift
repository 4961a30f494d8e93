// SPDX-License-Identifier: Apache-2.0
//
// The constants of the map from the curve that is hashed to onto the twisted curve.
//
// - Source: RFC 9380 appendix E.3.

/// Four polynomials in x, the coefficient of x⁰ first: the new x is the quotient of the first two,
/// the new y that of the others, times y.
enum Isogeny {
    /// k_(1,0) to k_(1,3).
    static let xNumerator = [
        Fp2(
            Fp(
                hex: "05c759507e8e333ebb5b7a9a47d7ed8532c52d39fd3a042a88b58423c50ae15d"
                    + "5c2638e343d9c71c6238aaaaaaaa97d6"),
            Fp(
                hex: "05c759507e8e333ebb5b7a9a47d7ed8532c52d39fd3a042a88b58423c50ae15d"
                    + "5c2638e343d9c71c6238aaaaaaaa97d6")),
        Fp2(
            .zero,
            Fp(
                hex: "11560bf17baa99bc32126fced787c88f984f87adf7ae0c7f9a208c6b4f20a418"
                    + "1472aaa9cb8d555526a9ffffffffc71a")),
        Fp2(
            Fp(
                hex: "11560bf17baa99bc32126fced787c88f984f87adf7ae0c7f9a208c6b4f20a418"
                    + "1472aaa9cb8d555526a9ffffffffc71e"),
            Fp(
                hex: "08ab05f8bdd54cde190937e76bc3e447cc27c3d6fbd7063fcd104635a790520c"
                    + "0a395554e5c6aaaa9354ffffffffe38d")),
        Fp2(
            Fp(
                hex: "171d6541fa38ccfaed6dea691f5fb614cb14b4e7f4e810aa22d6108f142b8575"
                    + "7098e38d0f671c7188e2aaaaaaaa5ed1"),
            .zero),
    ]
    /// k_(2,0), k_(2,1) and 1.
    static let xDenominator = [
        Fp2(
            .zero,
            Fp(
                hex: "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624"
                    + "1eabfffeb153ffffb9feffffffffaa63")),
        Fp2(
            Fp(12),
            Fp(
                hex: "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624"
                    + "1eabfffeb153ffffb9feffffffffaa9f")),
        Fp2(
            .one,
            .zero),
    ]
    /// k_(3,0) to k_(3,3).
    static let yNumerator = [
        Fp2(
            Fp(
                hex: "1530477c7ab4113b59a4c18b076d11930f7da5d4a07f649bf54439d87d27e500"
                    + "fc8c25ebf8c92f6812cfc71c71c6d706"),
            Fp(
                hex: "1530477c7ab4113b59a4c18b076d11930f7da5d4a07f649bf54439d87d27e500"
                    + "fc8c25ebf8c92f6812cfc71c71c6d706")),
        Fp2(
            .zero,
            Fp(
                hex: "05c759507e8e333ebb5b7a9a47d7ed8532c52d39fd3a042a88b58423c50ae15d"
                    + "5c2638e343d9c71c6238aaaaaaaa97be")),
        Fp2(
            Fp(
                hex: "11560bf17baa99bc32126fced787c88f984f87adf7ae0c7f9a208c6b4f20a418"
                    + "1472aaa9cb8d555526a9ffffffffc71c"),
            Fp(
                hex: "08ab05f8bdd54cde190937e76bc3e447cc27c3d6fbd7063fcd104635a790520c"
                    + "0a395554e5c6aaaa9354ffffffffe38f")),
        Fp2(
            Fp(
                hex: "124c9ad43b6cf79bfbf7043de3811ad0761b0f37a1e26286b0e977c69aa27452"
                    + "4e79097a56dc4bd9e1b371c71c718b10"),
            .zero),
    ]
    /// k_(4,0) to k_(4,2) and 1.
    static let yDenominator = [
        Fp2(
            Fp(
                hex: "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624"
                    + "1eabfffeb153ffffb9feffffffffa8fb"),
            Fp(
                hex: "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624"
                    + "1eabfffeb153ffffb9feffffffffa8fb")),
        Fp2(
            .zero,
            Fp(
                hex: "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624"
                    + "1eabfffeb153ffffb9feffffffffa9d3")),
        Fp2(
            Fp(18),
            Fp(
                hex: "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f624"
                    + "1eabfffeb153ffffb9feffffffffaa99")),
        Fp2(
            .one,
            .zero),
    ]
}
