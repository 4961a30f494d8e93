// SPDX-License-Identifier: Apache-2.0
//
// Brotli, with the parameters that decide which bytes come out: chunks are named by the digest of
// their compressed form, so these parameters are part of the format.

internal import CBrotli

/// How hard the compressor tries. The decompressor does not care.
///
/// Raw values are brotli's own numbers.
package enum BrotliQuality: UInt32, Sendable, CaseIterable {
    /// Three to six times the speed of `autonomi`, nearly its ratio.
    case fast = 2
    /// What Autonomi's clients use, so that equal files get equal addresses.
    case autonomi = 6
}

/// Brotli streams.
///
/// - Source: RFC 7932. docs/format.md says why the parameters are what they are.
package enum Brotli {
    /// Bytes given to the compressor at a time. The size decides where it looks for matches, and
    /// with that what it writes: it is that of the reference's buffer.
    private static let stepSize = 4096

    /// Log2 of the window; the reference's default.
    private static let windowBits: UInt32 = 22

    /// Bytes of input for each of which the output has at most one more.
    ///
    /// - Source: RFC 7932 §9.2: a stored block's header has 3 or 4 bytes, and a block here at
    ///   least 16 KiB; `BrotliEncoderMaxCompressedSize` counts 4 bytes for each 16 KiB.
    private static let growthDivisor = 4096
    /// Bytes of a stream's own header and end, and some to spare.
    static let streamOverhead = 64

    /// The compressed form of `plain`.
    ///
    /// With `fast`, large input that does not compress is told from a sample, and comes out as it
    /// is. What `autonomi` writes is the reference's, always.
    package static func compress(_ plain: Span<UInt8>, quality: BrotliQuality) -> [UInt8] {
        if quality == .fast, isIncompressible(plain) { return stored(plain) }
        return compressAll(plain, quality: quality)
    }

    /// What the compressor makes of `plain`.
    static func compressAll(_ plain: Span<UInt8>, quality: BrotliQuality) -> [UInt8] {
        // SAFETY: ours until it is destroyed below; nil only without memory.
        guard let encoder = unsafe BrotliEncoderCreateInstance(nil, nil, nil) else {
            preconditionFailure("out of memory for a compressor")
        }
        // SAFETY: as above.
        defer { unsafe BrotliEncoderDestroyInstance(encoder) }
        // SAFETY: as above, and no input was given yet.
        let isReady =
            unsafe BrotliEncoderSetParameter(encoder, BROTLI_PARAM_QUALITY, quality.rawValue) != 0
            && BrotliEncoderSetParameter(encoder, BROTLI_PARAM_LGWIN, windowBits) != 0
        precondition(isReady, "brotli refused a parameter")

        var output: [UInt8] = []
        // What does not compress grows by a few bytes a block. Memory that is not written costs
        // nothing; growing by doubling would copy each chunk several times.
        output.reserveCapacity(plain.count + plain.count / growthDivisor + streamOverhead)
        // SAFETY: the input is lent until the closure ends, and the encoder keeps no pointer to it.
        let isCompressed = unsafe plain.withUnsafeBufferPointer { input in
            var offset = 0
            while offset < input.count {
                let size = min(stepSize, input.count - offset)
                let step = unsafe UnsafeBufferPointer(rebasing: input[offset..<offset + size])
                guard unsafe run(encoder, BROTLI_OPERATION_PROCESS, step, &output) else {
                    return false
                }
                offset += size
            }
            let nothing = unsafe UnsafeBufferPointer<UInt8>(start: nil, count: 0)
            return unsafe run(encoder, BROTLI_OPERATION_FINISH, nothing, &output)
        }
        precondition(isCompressed, "brotli could not compress")
        return output
    }

    /// What one compressed stream stands for.
    ///
    /// - Parameters:
    ///   - bytes: the whole stream, and nothing after it.
    ///   - limit: the most bytes that are made, and about the most memory that is taken.
    /// - Throws: `tooLarge` as soon as there would be more than `limit` bytes.
    package static func decompress(
        _ bytes: Span<UInt8>, limit: Int
    ) throws(CompressionError) -> [UInt8] {
        precondition(limit >= 0, "a negative limit")
        // SAFETY: ours until it is destroyed below; nil only without memory.
        guard let decoder = unsafe BrotliDecoderCreateInstance(nil, nil, nil) else {
            preconditionFailure("out of memory for a decompressor")
        }
        // SAFETY: as above.
        defer { unsafe BrotliDecoderDestroyInstance(decoder) }
        var output: [UInt8] = []
        // Four to one is common; a stream that claims more must show it before it gets memory.
        output.reserveCapacity(min(limit, 4 * bytes.count))
        // SAFETY: the input is lent until the closure ends, and the decoder dies soon after.
        let failure = unsafe bytes.withUnsafeBufferPointer { input in
            unsafe drain(decoder, input, limit: limit, into: &output)
        }
        if let failure { throw failure }
        return output
    }

    /// Gives one step to the encoder and collects what it has ready.
    private static func run(
        _ encoder: OpaquePointer, _ operation: BrotliEncoderOperation,
        _ input: UnsafeBufferPointer<UInt8>, _ output: inout [UInt8]
    ) -> Bool {
        var left = input.count
        // SAFETY: `next` walks over the input, which is lent by the caller; without room for
        // output, the encoder keeps it in its own memory.
        var next = input.baseAddress
        repeat {
            var room = 0
            // SAFETY: as above.
            guard
                unsafe BrotliEncoderCompressStream(
                    encoder, operation, &left, &next, &room, nil, nil) != 0
            else { return false }
            var size = 0
            // SAFETY: the memory is the encoder's until its next call; it is copied here.
            if let ready = unsafe BrotliEncoderTakeOutput(encoder, &size) {
                unsafe output.append(contentsOf: UnsafeBufferPointer(start: ready, count: size))
            }
            // SAFETY: only asks.
        } while unsafe left > 0 || BrotliEncoderHasMoreOutput(encoder) != 0
        return true
    }

    /// Runs the decoder to the end of its stream.
    private static func drain(
        _ decoder: OpaquePointer, _ input: UnsafeBufferPointer<UInt8>, limit: Int,
        into output: inout [UInt8]
    ) -> CompressionError? {
        var left = input.count
        // SAFETY: as in `run`.
        var next = input.baseAddress
        while true {
            var room = 0
            // SAFETY: as in `run`.
            let result = unsafe BrotliDecoderDecompressStream(
                decoder, &left, &next, &room, nil, nil)
            var size = 0
            // SAFETY: the memory is the decoder's until its next call; it is copied here.
            let ready = unsafe BrotliDecoderTakeOutput(decoder, &size)
            guard size <= limit - output.count else { return .tooLarge(limit: limit) }
            if let ready = unsafe ready {
                unsafe output.append(contentsOf: UnsafeBufferPointer(start: ready, count: size))
            }
            switch result {
            case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
                continue
            case BROTLI_DECODER_RESULT_SUCCESS:
                // SAFETY: only asks.
                if unsafe BrotliDecoderHasMoreOutput(decoder) != 0 { continue }
                return left == 0 ? nil : .malformed
            default:
                return .malformed
            }
        }
    }
}
