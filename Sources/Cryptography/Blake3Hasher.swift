// SPDX-License-Identifier: Apache-2.0
//
// BLAKE3 of bytes that come in pieces.
//
// Invariant: the state is written only while this value alone refers to it.

internal import CBlake3
internal import CSodium
package import Primitives

/// The code BLAKE3 runs in. Results never differ; speeds do.
package enum Blake3Implementation: UInt8, Sendable, CaseIterable {
    /// One chunk at a time, without vectors.
    case portable = 0
    /// Four chunks side by side: SSE4.1 or NEON.
    case wide4 = 1
    /// Eight chunks side by side: AVX2.
    case wide8 = 2
    /// Sixteen chunks side by side: AVX-512.
    case wide16 = 3

    /// Whether this processor can run it.
    package var isAvailable: Bool {
        cblake3_is_available(cblake3_implementation(UInt32(rawValue)))
    }
}

/// A BLAKE3 hash being computed.
///
/// A value: a copy goes its own way. The result depends on the bytes alone, not on how they were
/// cut; but pieces of 16 KiB and more, in powers of two, are hashed several times faster.
package struct Blake3Hasher: Sendable {
    private var state: State

    /// Begins a plain hash.
    package init() {
        state = State()
        // SAFETY: `state` was just made, with memory for one hasher.
        unsafe cblake3_init(state.pointer)
    }

    /// Begins a keyed hash.
    ///
    /// - Parameter key: `Blake3.keySize` bytes.
    package init(key: Span<UInt8>) {
        precondition(key.count == Blake3.keySize, "a BLAKE3 key of another size")
        let state = State()
        // SAFETY: as above; the key is lent for the call and has the size it reads.
        unsafe key.withUnsafeBufferPointer { key in
            unsafe cblake3_init_keyed(state.pointer, key.baseAddress)
        }
        self.state = state
    }

    /// Begins the derivation of key material for one purpose; what comes next is the material.
    package init(derivingFor context: String) {
        let state = State()
        var context = context
        context.withUTF8 { text in
            // SAFETY: as above; the text is lent for the call.
            unsafe cblake3_init_derive(state.pointer, text.baseAddress, text.count)
        }
        self.state = state
    }

    /// Takes in more bytes.
    package mutating func update(_ bytes: Span<UInt8>) {
        if !isKnownUniquelyReferenced(&state) {
            state = state.copy()
        }
        // SAFETY: only this value refers to the state; the bytes are lent for the call.
        unsafe bytes.withUnsafeBufferPointer { input in
            unsafe cblake3_update(state.pointer, input.baseAddress, input.count)
        }
    }

    /// The digest of everything taken in so far; more may follow.
    package func finalize() -> Digest {
        var output = InlineArray<32, UInt8>(repeating: 0)
        var span = output.mutableSpan
        finalize(into: &span)
        guard let digest = Digest(output.span, algorithm: .blake3) else {
            preconditionFailure("a digest of another size")
        }
        return digest
    }

    /// The first `count` bytes of output; a shorter result is the beginning of a longer one.
    package func finalize(count: Int) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: count)
        var span = output.mutableSpan
        finalize(into: &span)
        return output
    }

    /// Fills `output` with the first bytes of output.
    package func finalize(into output: inout MutableSpan<UInt8>) {
        // SAFETY: the state is only read; the output is lent for the call.
        unsafe output.withUnsafeMutableBufferPointer { buffer in
            unsafe cblake3_finish(state.pointer, buffer.baseAddress, buffer.count)
        }
    }

    /// Makes this value use `implementation`, so that tests can compare them all.
    ///
    /// - Returns: false, and nothing is changed, if the processor cannot run it.
    package mutating func select(_ implementation: Blake3Implementation) -> Bool {
        if !isKnownUniquelyReferenced(&state) {
            state = state.copy()
        }
        // SAFETY: only this value refers to the state.
        return unsafe cblake3_select(
            state.pointer, cblake3_implementation(UInt32(implementation.rawValue)))
    }
}

extension Blake3Hasher {
    /// The memory of one C hasher.
    ///
    /// `@unchecked Sendable` because it is written only while one `Blake3Hasher` refers to it.
    @safe
    private final class State: @unchecked Sendable {
        let pointer: UnsafeMutablePointer<cblake3_hasher>

        init() {
            // SAFETY: owned by this object until `deinit`; its initializers write all of it.
            unsafe pointer = .allocate(capacity: 1)
        }

        deinit {
            // It may have held a key.
            // SAFETY: memory for one hasher, and this was the last reference.
            unsafe sodium_memzero(pointer, MemoryLayout<cblake3_hasher>.size)
            // SAFETY: as above.
            unsafe pointer.deallocate()
        }

        func copy() -> State {
            let copy = State()
            // SAFETY: both have memory for one hasher, which is plain bytes.
            unsafe copy.pointer.update(from: pointer, count: 1)
            return copy
        }
    }
}
