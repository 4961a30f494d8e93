// SPDX-License-Identifier: Apache-2.0
//
// The inputs that the vectors in brotli_q6.json were made from. Each kind is one endless stream;
// a row names its kind and takes a beginning of it.

import Cryptography

/// The kinds of input, as far as the longest row needs them.
enum VectorInputs {
    /// Bytes of the longest row.
    static let maximumSize = 4 << 20

    /// The first `size` bytes of a kind; nil for a kind that is not known.
    static func bytes(kind: String, size: Int) -> [UInt8]? {
        let stream: [UInt8]
        switch kind {
        case "mod": stream = mod
        case "zero": stream = [UInt8](repeating: 0, count: size)
        case "sha": stream = sha
        case "text": stream = text
        case "rle": stream = rle
        case "mix": stream = mix
        default: return nil
        }
        return Array(stream.prefix(size))
    }

    /// 7 i + 3, modulo 256.
    private static let mod: [UInt8] = {
        let cycle = (0..<256).map { UInt8(($0 * 7 + 3) & 255) }
        return fill { stream, _ in stream += cycle }
    }()

    /// The SHA-256 digests of a counter: nothing to compress.
    private static let sha = fill { stream, counter in
        stream += counterDigest(counter)
    }

    /// Lines that begin alike and hold some digits of a digest.
    private static let text = fill { stream, counter in
        let digits = counterDigest(counter).flatMap { byte in
            [hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]]
        }
        stream += "line \(counter): the quick brown fox ".utf8
        stream += digits.prefix(8 + Int(counter % 40))
        stream += " jumps over\n".utf8
    }

    /// Runs of one letter, with a few random bytes between them.
    private static let rle = fill { stream, counter in
        let dice = counterDigest(counter)
        let run = [UInt8](repeating: 65 + dice[0] % 8, count: 1 + Int(dice[1] % 40))
        stream += run
        stream += dice[3..<3 + Int(dice[2] % 4)]
    }

    /// Pieces of `sha` and `text` by turns that the dice decide.
    private static let mix = fill { stream, counter in
        let dice = counterDigest(counter)
        let start = Int(counter) * 997 % (1 << 20)
        let piece = start..<start + 200 + 256 * Int(dice[0])
        stream += dice[1] & 1 == 1 ? sha[piece] : text[piece]
    }

    private static let hexDigits = Array("0123456789abcdef".utf8)

    private static func counterDigest(_ counter: UInt64) -> [UInt8] {
        SHA2.sha256((0..<8).map { UInt8(truncatingIfNeeded: counter >> (8 * $0)) })
    }

    /// Appends one piece for every counter until there is enough.
    private static func fill(_ appendPiece: (inout [UInt8], UInt64) -> Void) -> [UInt8] {
        var stream: [UInt8] = []
        stream.reserveCapacity(maximumSize + (1 << 16))
        var counter: UInt64 = 0
        while stream.count < maximumSize {
            appendPiece(&stream, counter)
            counter += 1
        }
        return stream
    }
}
