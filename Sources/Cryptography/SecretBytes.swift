// SPDX-License-Identifier: Apache-2.0
//
// Key material in memory that is locked, guarded and wiped.
//
// Invariants:
// - The memory is written only inside an initializer, and is read-only from then on.
// - It is wiped before it is given back, whichever way it was had.

internal import CSodium
internal import Glibc

/// Bytes that must not leak: keys, seeds, passwords.
///
/// They lie in memory of their own between inaccessible pages, out of swap and core dumps, and
/// are wiped when the last reference goes. One secret costs at least three pages and three
/// mappings, so hold few of them for long. Where the system grants no such memory any more (its
/// limit on mappings), ordinary memory is taken, locked if possible, and wiped all the same.
///
/// `==` takes the same time wherever the bytes differ.
@safe
package final class SecretBytes: Sendable, Equatable {
    // `nonisolated(unsafe)` because the memory is never written after `init`.
    private nonisolated(unsafe) let memory: UnsafeMutableRawPointer
    private let isGuarded: Bool

    /// How many bytes there are.
    package let count: Int

    /// Whether the system keeps the bytes out of swap. False when the process may lock no more
    /// memory (RLIMIT_MEMLOCK); the secret works nevertheless.
    package let isLocked: Bool

    /// A secret that `fill` writes, straight into the locked memory.
    ///
    /// - Parameters:
    ///   - count: its size; the memory is zero before `fill` runs.
    ///   - isGuarded: whether the memory has guard pages. Without them it costs a quarter of the
    ///     time, which may be right for a secret that lives for one call.
    ///   - fill: writes the bytes. If it throws, the memory is wiped and given back.
    package init<E: Error>(
        count: Int, isGuarded: Bool = true, fill: (inout MutableSpan<UInt8>) throws(E) -> Void
    ) throws(E) {
        precondition(count >= 0, "a negative number of bytes")
        SodiumLibrary.start()
        self.count = count
        var isGuarded = isGuarded
        // SAFETY: owned by this object until `deinit`; nil when the system refuses.
        var memory = isGuarded ? unsafe sodium_malloc(count) : nil
        if unsafe memory == nil {
            isGuarded = false
            // SAFETY: as above.
            unsafe memory = Self.ownPages(count)
        }
        // SAFETY: only compared with nil.
        guard let memory = unsafe memory else {
            preconditionFailure("out of memory for a secret")
        }
        unsafe self.memory = unsafe memory
        self.isGuarded = isGuarded
        // The allocator locks too, but does not tell whether it could. Locking twice is harmless.
        // SAFETY: the memory holds `count` bytes.
        isLocked = unsafe sodium_mlock(memory, count) == 0
        // SAFETY: as above.
        unsafe sodium_memzero(memory, count)
        // SAFETY: as above; the span ends before the memory does, and nothing else refers to it.
        var span = unsafe MutableSpan<UInt8>(
            _unsafeStart: memory.assumingMemoryBound(to: UInt8.self), count: count)
        try fill(&span)
        if isGuarded {
            // A failure leaves the page writable, which harms nobody.
            // SAFETY: the pointer came from sodium_malloc.
            _ = unsafe sodium_mprotect_readonly(memory)
        }
    }

    /// A copy of `bytes`. The caller's own copy is not wiped.
    package convenience init(_ bytes: Span<UInt8>) {
        self.init(count: bytes.count) { memory in
            for index in bytes.indices {
                memory[index] = bytes[index]
            }
        }
    }

    /// A copy of `bytes`. The caller's own copy is not wiped.
    package convenience init(_ bytes: [UInt8]) {
        self.init(bytes.span)
    }

    /// Fresh random bytes from the system.
    package convenience init(randomCount count: Int) {
        self.init(count: count) { memory in
            SystemRandom.fill(&memory)
        }
    }

    deinit {
        if isGuarded {
            // SAFETY: from sodium_malloc, and this was the last reference. It wipes and unlocks.
            unsafe sodium_free(memory)
        } else {
            // SAFETY: `count` bytes of the heap, and this was the last reference. It also wipes.
            _ = unsafe sodium_munlock(memory, count)
            // SAFETY: as above.
            unsafe free(memory)
        }
    }

    /// Lends the bytes to `body`. Whatever `body` copies is not wiped.
    package func withBytes<R, E: Error>(_ body: (Span<UInt8>) throws(E) -> R) throws(E) -> R {
        // SAFETY: the memory lives as long as `self`, which the caller holds during the call.
        let bytes = unsafe Span<UInt8>(
            _unsafeStart: UnsafePointer(memory.assumingMemoryBound(to: UInt8.self)), count: count)
        return try body(bytes)
    }

    /// Heap memory that shares no page with anything: locks count by page, so that unlocking a
    /// neighbour would unlock this too.
    @unsafe
    private static func ownPages(_ count: Int) -> UnsafeMutableRawPointer? {
        let page = sysconf(CInt(_SC_PAGESIZE))
        // SAFETY: the alignment is a power of two, and the size a multiple of it.
        return unsafe aligned_alloc(page, (max(count, 1) + page - 1) / page * page)
    }

    /// Whether both hold the same bytes, compared in constant time. Sizes are no secret.
    package static func == (left: SecretBytes, right: SecretBytes) -> Bool {
        guard left.count == right.count else { return false }
        // SAFETY: both hold `count` bytes, and are held during the call.
        return unsafe sodium_memcmp(left.memory, right.memory, left.count) == 0
    }
}
