// SPDX-License-Identifier: Apache-2.0
//
// The inputs of the frozen vectors, made from rules. Every shorter input of a kind is the
// beginning of a longer one, so each kind is made once.

import Cryptography
import Primitives

/// The content of vector inputs, by kind.
enum VectorInputs {
    /// The largest input of any vector file.
    private static let maximumSize = 20_971_527

    private static let mod = [UInt8](unfolding: maximumSize) { output in
        output += (0..<256).map { UInt8(truncatingIfNeeded: $0 * 7 + 3) }
    }

    private static let zero = [UInt8](repeating: 0, count: maximumSize)

    private static let sha = counted { output, digest, _ in output += digest }

    private static let text = counted { output, digest, counter in
        let tail = Hex.encode(digest).utf8.prefix(8 + counter % 40)
        output += "line \(counter): the quick brown fox ".utf8
        output += tail
        output += " jumps over\n".utf8
    }

    private static let rle = counted { output, digest, _ in
        output += repeatElement(65 + digest[0] % 8, count: 1 + Int(digest[1] % 40))
        output += digest[3..<3 + Int(digest[2] % 4)]
    }

    /// The first `size` bytes of the inputs of `kind`; nil for a kind nobody described.
    static func bytes(kind: String, size: Int) -> [UInt8]? {
        guard size <= maximumSize else { return nil }
        switch kind {
        case "mod": return Array(mod[..<size])
        case "zero": return Array(zero[..<size])
        case "sha": return Array(sha[..<size])
        case "text": return Array(text[..<size])
        case "rle": return Array(rle[..<size])
        default: return nil
        }
    }

    /// An input made of pieces, the piece `k` from SHA-256 of `k` in eight little-endian bytes.
    private static func counted(
        _ append: (inout [UInt8], [UInt8], Int) -> Void
    ) -> [UInt8] {
        var counter = 0
        return [UInt8](unfolding: maximumSize) { output in
            var seed = ByteWriter(capacity: 8)
            seed.u64le(UInt64(counter))
            append(&output, SHA2.sha256(seed.bytes.span), counter)
            counter += 1
        }
    }
}

extension [UInt8] {
    /// Exactly `size` bytes, from as many calls of `append` as it takes.
    fileprivate init(unfolding size: Int, _ append: (inout [UInt8]) -> Void) {
        self = []
        reserveCapacity(size + 256)
        while count < size { append(&self) }
        removeLast(count - size)
    }
}
