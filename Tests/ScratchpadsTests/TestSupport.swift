// SPDX-License-Identifier: Apache-2.0
//
// What the tests of scratchpads share: dice that fall the same way every time, and short ways to
// make pads.

import Cryptography
import Primitives
import Scratchpads

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &self) }
    }
}

extension WriteCapability {
    /// The pad whose seed is this byte, 32 times.
    init(testSeed: UInt8, scheme: SignatureSchemeID = .ed25519) {
        self.init(seed: SecretBytes([UInt8](repeating: testSeed, count: 32)), scheme: scheme)
    }

    func seal(
        _ plain: [UInt8], encoding: UInt64 = 0, counter: UInt64
    ) throws(ScratchpadError) -> PadRecord {
        try seal(plain.span, encoding: encoding, counter: counter)
    }
}
