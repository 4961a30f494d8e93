// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a block map's row, as docs/format.md §18 has them.

import Blocks
import Testing

@testable import Engine

@Suite("block maps")
struct BlockMapTests {
    private let reference = BlockReference(
        slot: 0x0a0b, length: 16_384, nonce: InlineArray(repeating: 0x11),
        tag: InlineArray(repeating: 0x22))

    private var patched: BlockReference {
        let sealed = BlockReference(
            slot: 0x0c, length: 4096, nonce: InlineArray(repeating: 0x33),
            tag: InlineArray(repeating: 0x44))
        return reference.patched(by: BlockPatch(sealed, at: 3, pieces: 0b1000))
    }

    /// `count` times `byte`.
    private func bytes(_ byte: UInt8, _ count: Int) -> [UInt8] {
        [UInt8](repeating: byte, count: count)
    }

    @Test("a row has the frozen bytes, and is read from them")
    func frozen() throws {
        let block = [0x0b, 0x0a, 0, 0, 0, 0x40, 0, 0] + bytes(0x11, 12) + bytes(0x22, 16)
        let patch = [3, 8, 0x0c, 0, 0, 0, 0, 0x10, 0, 0] + bytes(0x33, 12) + bytes(0x44, 16)
        var row = bytes(0, 20) + [1, 2] + block + [3] + block
        row += [4] + block + patch + [5] + block + patch + [0]
        let group = try #require(BlockGroup(decoding: row))
        #expect(group.entries[..<20].allSatisfy { $0 == .absent })
        #expect(
            Array(group.entries[20...])
                == [
                    .zero, .clean(reference), .dirty(reference), .clean(patched), .dirty(patched),
                    .absent,
                ])
        #expect(group.encoded() == row)
        #expect(group.entries.map(\.differsFromBase).filter { $0 }.count == 3)
        // Neither an unknown kind nor a row that ends early or late.
        #expect(BlockGroup(decoding: bytes(0, 25) + [6] + block + patch) == nil)
        #expect(BlockGroup(decoding: bytes(0, 25) + [5] + block) == nil)
        #expect(BlockGroup(decoding: bytes(0, 25) + [3] + block + patch) == nil)
    }
}
