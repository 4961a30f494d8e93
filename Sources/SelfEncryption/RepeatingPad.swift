// SPDX-License-Identifier: Apache-2.0
//
// The last step of a chunk's encryption: every byte is XORed with a short pad that repeats.

/// A pad that repeats over a whole chunk.
///
/// The pads of the format are 52 and 64 bytes. They are laid out once more, up to the first
/// multiple of a vector's width, so that a chunk is worked on 64 bytes at a time.
struct RepeatingPad {
    private typealias Vector = SIMD8<UInt64>

    private static let vectorSize = 64

    /// The pad, repeated until it fills whole vectors: 1 of them for 64 bytes, 13 for 52.
    private let vectors: [Vector]

    /// A pad that repeats `bytes`, of which there is at least one.
    init(_ bytes: [UInt8]) {
        precondition(!bytes.isEmpty, "a pad of nothing")
        var period = Self.vectorSize
        while period % bytes.count != 0 { period += Self.vectorSize }
        var vectors = [Vector](repeating: .zero, count: period / Self.vectorSize)
        for position in 0..<period {
            // The first byte of the pad comes first in memory, whatever the machine's order.
            let shifted = UInt64(bytes[position % bytes.count]) << UInt64(8 * (position % 8))
            vectors[position / Self.vectorSize][position / 8 % 8] |= shifted.littleEndian
        }
        self.vectors = vectors
    }

    /// XORs the pad over `bytes`, in place.
    func apply(to bytes: inout [UInt8]) {
        // SAFETY: the buffer belongs to `bytes`, whose exclusive access lasts for the closure;
        // source and destination are the same memory, and each vector is read before it is
        // written.
        unsafe bytes.withUnsafeMutableBytes { buffer in
            unsafe run(from: UnsafeRawBufferPointer(buffer), to: buffer)
        }
    }

    /// A copy of `bytes`, XORed with the pad.
    func applied(to bytes: Span<UInt8>) -> [UInt8] {
        // SAFETY: the source is borrowed for the closure; the destination is new memory of the
        // same size, and `run` writes every byte of it before the count says so.
        unsafe bytes.withUnsafeBytes { source in
            unsafe [UInt8](unsafeUninitializedCapacity: source.count) { buffer, count in
                let whole = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(buffer)[..<source.count])
                unsafe run(from: source, to: whole)
                count = source.count
            }
        }
    }

    /// XORs `source` into `target`, which is the same memory or does not overlap it.
    @unsafe
    private func run(from source: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer)
    {
        precondition(source.count == target.count, "both sides of a XOR are equally long")
        let count = source.count
        var offset = 0
        var turn = 0
        while offset + Self.vectorSize <= count {
            // SAFETY: offset + vectorSize was checked against the count of both buffers.
            let plain = unsafe source.loadUnaligned(fromByteOffset: offset, as: Vector.self)
            unsafe target.storeBytes(
                of: plain ^ vectors[turn], toByteOffset: offset, as: Vector.self)
            offset += Self.vectorSize
            turn += 1
            if turn == vectors.count { turn = 0 }
        }
        for lane in 0..<(count - offset) {
            let word = vectors[turn][lane / 8].littleEndian
            let byte = UInt8(truncatingIfNeeded: word >> UInt64(8 * (lane % 8)))
            // SAFETY: offset + lane is below the count of both buffers.
            unsafe target[offset + lane] = source[offset + lane] ^ byte
        }
    }
}
