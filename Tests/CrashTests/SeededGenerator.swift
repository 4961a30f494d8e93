// SPDX-License-Identifier: Apache-2.0
//
// Dice that fall the same way for the same seed, so that a failure can be seen again.

/// SplitMix64: one word of state, good enough to choose test data.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }

    /// Bytes of any value.
    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// A number of any magnitude: small ones as likely as large ones.
    mutating func number() -> UInt64 {
        next() >> UInt64.random(in: 0...63, using: &self)
    }
}
