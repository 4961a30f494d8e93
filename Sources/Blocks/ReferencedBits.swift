// SPDX-License-Identifier: Apache-2.0
//
// The "read since the clock hand last passed" bit of each slot. Set by readers that hold no
// lock, cleared by the clock; one bit a slot, so 100 GiB of arena cost 0.8 MiB.
//
// A bit lost to a race costs one block its second chance and nothing else, so every access is
// relaxed.

internal import Glibc
internal import Synchronization

/// One atomic bit for each slot below a fixed count. Slots above it always read as unreferenced.
///
/// `@unchecked Sendable` because the pointer never changes and leads to atomic words.
@safe
final class ReferencedBits: @unchecked Sendable {
    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private let wordCount: Int

    /// Bits for the slots below `slotCount`, all clear.
    init(slotCount: Int) {
        wordCount = (slotCount + 63) / 64
        // Zeroed by the kernel when first touched: the bits of slots never used cost nothing.
        // SAFETY: calloc gives zeroed memory for so many words, which is what cleared atomics
        // are; it is freed by deinit alone.
        guard let memory = unsafe calloc(max(1, wordCount), MemoryLayout<UInt64>.size) else {
            preconditionFailure("no memory for the bits of the clock")
        }
        unsafe words = memory.bindMemory(to: Atomic<UInt64>.self, capacity: wordCount)
    }

    deinit {
        // SAFETY: the memory is this object's, and atomic words need no destruction.
        unsafe free(words)
    }

    /// Notes that `slot` was read.
    func set(_ slot: UInt32) {
        put(word: Int(slot) / 64, bits: 1 << UInt64(slot % 64))
    }

    /// Sets `bits` of the 64 slots from `word * 64` on.
    func put(word: Int, bits: UInt64) {
        guard word < wordCount else { return }
        // SAFETY: `word` is below the count of words that were allocated.
        let old = unsafe words[word].load(ordering: .relaxed)
        // Looked at before it is written: hot blocks would otherwise pass one cache line around.
        guard old & bits != bits else { return }
        // SAFETY: as above.
        unsafe words[word].bitwiseOr(bits, ordering: .relaxed)
    }

    /// The bits of the 64 slots from `word * 64` on that are also in `mask`; clears those.
    func take(word: Int, mask: UInt64) -> UInt64 {
        guard word < wordCount else { return 0 }
        // SAFETY: `word` is below the count of words that were allocated.
        let (old, _) = unsafe words[word].bitwiseAnd(~mask, ordering: .relaxed)
        return old & mask
    }
}
