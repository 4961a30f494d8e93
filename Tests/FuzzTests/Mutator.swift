// SPDX-License-Identifier: Apache-2.0
//
// Changes bytes as a fuzzer does, from a seed: bits, bytes, runs, numbers that decide sizes, and
// pieces of other inputs.

import TestSupport

/// Dice that make one input from others.
struct Mutator {
    /// Longest input made.
    static let sizeLimit = 4096
    /// Values that sit on the edges of sizes and of variable-length numbers.
    private static let edges: [[UInt8]] = [
        [0], [1], [0x7F], [0x80], [0xFF], [0x80, 0x01], [0xFF, 0x7F],
        [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01],
        [0, 0, 0, 0, 0, 0, 0, 0x80], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
    ]

    var dice: SeededGenerator

    /// One of the inputs, changed once to six times.
    mutating func mutated(of inputs: [[UInt8]]) -> [UInt8] {
        var bytes = inputs[dice.below(inputs.count)]
        for _ in 0...dice.below(6) { change(&bytes, inputs) }
        return Array(bytes.prefix(Mutator.sizeLimit))
    }

    private mutating func change(_ bytes: inout [UInt8], _ inputs: [[UInt8]]) {
        let at = dice.below(bytes.count + 1)
        let end = min(bytes.count, at + 1 + dice.below(16))
        switch dice.below(8) {
        case 0 where at < bytes.count: bytes[at] ^= 1 << UInt8(dice.below(8))
        case 1 where at < bytes.count: bytes[at] = UInt8(dice.below(256))
        case 2: bytes.removeSubrange(at..<end)
        case 3: bytes.insert(contentsOf: dice.bytes(1 + dice.below(16)), at: at)
        case 4:
            let edge = Mutator.edges[dice.below(Mutator.edges.count)]
            bytes.replaceSubrange(at..<min(bytes.count, at + edge.count), with: edge)
        case 5: bytes.insert(contentsOf: bytes[at..<end], at: at)
        case 6:
            let other = inputs[dice.below(inputs.count)]
            let from = dice.below(other.count + 1)
            bytes.replaceSubrange(at..<end, with: other[from...].prefix(1 + dice.below(64)))
        default: bytes.removeLast(bytes.count - at)
        }
    }
}
