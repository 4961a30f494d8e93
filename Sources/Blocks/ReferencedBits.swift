// SPDX-License-Identifier: Apache-2.0
//
// The "read since the clock hand last passed" bit of each slot. Set by readers that hold no
// lock, cleared by the clock; one bit a slot, so 100 GiB of arena cost 0.8 MiB.
//
// A bit lost to a race costs one block its second chance and nothing else, so every access is
// relaxed.

import Synchronization

/// One atomic bit for each slot below a fixed count. Slots above it always read as unreferenced.
final class ReferencedBits: Sendable {
    private static let wordsInGroup = 64

    /// 4096 bits that are atomic one word at a time.
    private final class Group: Sendable {
        let words: InlineArray<64, Atomic<UInt64>>
        init() { words = InlineArray { _ in Atomic(0) } }
    }

    private let groups: [Group]

    /// Bits for the slots below `slotCount`, all clear.
    init(slotCount: Int) {
        let perGroup = Self.wordsInGroup * 64
        groups = (0..<(slotCount + perGroup - 1) / perGroup).map { _ in Group() }
    }

    /// Notes that `slot` was read.
    func set(_ slot: UInt32) {
        let (group, word, bit) = Self.place(slot)
        guard group < groups.count else { return }
        let mask: UInt64 = 1 << bit
        // Looked at before it is written: hot blocks would otherwise pass one cache line around.
        if groups[group].words[word].load(ordering: .relaxed) & mask == 0 {
            groups[group].words[word].bitwiseOr(mask, ordering: .relaxed)
        }
    }

    /// The bits of the 64 slots from `word * 64` on that are also in `mask`; clears those.
    func take(word: Int, mask: UInt64) -> UInt64 {
        let group = word / Self.wordsInGroup
        guard group < groups.count else { return 0 }
        let (old, _) = groups[group].words[word % Self.wordsInGroup]
            .bitwiseAnd(~mask, ordering: .relaxed)
        return old & mask
    }

    /// Sets `bits` of the 64 slots from `word * 64` on.
    func put(word: Int, bits: UInt64) {
        let group = word / Self.wordsInGroup
        guard group < groups.count, bits != 0 else { return }
        groups[group].words[word % Self.wordsInGroup].bitwiseOr(bits, ordering: .relaxed)
    }

    private static func place(_ slot: UInt32) -> (group: Int, word: Int, bit: Int) {
        let word = Int(slot) / 64
        return (word / wordsInGroup, word % wordsInGroup, Int(slot) % 64)
    }
}
