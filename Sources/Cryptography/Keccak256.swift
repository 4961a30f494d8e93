// SPDX-License-Identifier: Apache-2.0
//
// Keccak-256 as Ethereum uses it. No library of Debian's has it: SHA3-256 is another function, for
// its padding has one bit more.

/// Keccak-256 with the padding of the original submission.
///
/// For names and signatures of Ethereum, a few hundred bytes each: it is written to be read, and
/// does some 150 MB/s.
///
/// - Source: the Keccak reference, version 3.0; the Ethereum yellow paper, appendix.
package enum Keccak256 {
    /// Bytes of a digest.
    package static let digestSize = 32

    /// Bytes taken in between two permutations.
    private static let rate = 136

    private static let roundConstants: [UInt64] = [
        0x0000_0000_0000_0001, 0x0000_0000_0000_8082, 0x8000_0000_0000_808A,
        0x8000_0000_8000_8000, 0x0000_0000_0000_808B, 0x0000_0000_8000_0001,
        0x8000_0000_8000_8081, 0x8000_0000_0000_8009, 0x0000_0000_0000_008A,
        0x0000_0000_0000_0088, 0x0000_0000_8000_8009, 0x0000_0000_8000_000A,
        0x0000_0000_8000_808B, 0x8000_0000_0000_008B, 0x8000_0000_0000_8089,
        0x8000_0000_0000_8003, 0x8000_0000_0000_8002, 0x8000_0000_0000_0080,
        0x0000_0000_0000_800A, 0x8000_0000_8000_000A, 0x8000_0000_8000_8081,
        0x8000_0000_0000_8080, 0x0000_0000_8000_0001, 0x8000_0000_8000_8008,
    ]
    /// How far the lane that moves to a place is rotated, along the path of `places`.
    private static let rotations: [UInt64] = [
        1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44,
    ]
    /// The path on which lanes move.
    private static let places: [Int] = [
        10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1,
    ]

    /// The digest of `bytes`.
    package static func hash(_ bytes: Span<UInt8>) -> [UInt8] {
        var state = [UInt64](repeating: 0, count: 25)
        var offset = 0
        while bytes.count - offset >= rate {
            for index in 0..<rate {
                absorb(bytes[offset + index], at: index, into: &state)
            }
            permute(&state)
            offset += rate
        }
        for index in 0..<bytes.count - offset {
            absorb(bytes[offset + index], at: index, into: &state)
        }
        absorb(0x01, at: bytes.count - offset, into: &state)
        absorb(0x80, at: rate - 1, into: &state)
        permute(&state)
        return (0..<digestSize).map { index in
            UInt8(truncatingIfNeeded: state[index / 8] >> UInt64(8 * (index % 8)))
        }
    }

    /// The digest of `bytes`.
    package static func hash(_ bytes: [UInt8]) -> [UInt8] {
        hash(bytes.span)
    }

    private static func absorb(_ byte: UInt8, at index: Int, into state: inout [UInt64]) {
        state[index / 8] ^= UInt64(byte) << UInt64(8 * (index % 8))
    }

    private static func permute(_ state: inout [UInt64]) {
        var columns = [UInt64](repeating: 0, count: 5)
        for constant in roundConstants {
            for x in 0..<5 {
                columns[x] =
                    state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]
            }
            for x in 0..<5 {
                let mixed = columns[(x + 4) % 5] ^ rotated(columns[(x + 1) % 5], by: 1)
                for y in stride(from: 0, to: 25, by: 5) { state[y + x] ^= mixed }
            }
            var moving = state[1]
            for step in 0..<24 {
                let place = places[step]
                let displaced = state[place]
                state[place] = rotated(moving, by: rotations[step])
                moving = displaced
            }
            for y in stride(from: 0, to: 25, by: 5) {
                let row = Array(state[y..<y + 5])
                for x in 0..<5 { state[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]) }
            }
            state[0] ^= constant
        }
    }

    private static func rotated(_ word: UInt64, by count: UInt64) -> UInt64 {
        word << count | word >> (64 - count)
    }
}
