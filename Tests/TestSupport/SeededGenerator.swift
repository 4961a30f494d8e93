// SPDX-License-Identifier: Apache-2.0
//
// Dice that fall the same way for the same seed, so that a failure can be seen again.

/// SplitMix64: one word of state, good enough to choose test data.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// - Parameter seed: what the whole sequence follows from; to be in the failure's text.
    package init(seed: UInt64) {
        state = seed
    }

    /// The next 64 bits.
    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }

    /// Bytes of any value; eight a step, so that megabytes are quick too.
    package mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 7)
        while bytes.count < count {
            let word = next()
            for shift: UInt64 in stride(from: 0, to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        bytes.removeLast(bytes.count - count)
        return bytes
    }

    /// A number from 0 below `limit`.
    package mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }

    /// True in `percent` of a hundred throws.
    package mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    /// A number of any magnitude: small ones as likely as large ones.
    package mutating func number() -> UInt64 {
        next() >> UInt64.random(in: 0...63, using: &self)
    }
}
