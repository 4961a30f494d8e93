// SPDX-License-Identifier: Apache-2.0
//
// Which file of a folder store holds which chunk or pad. docs/format.md §13.
//
//   chunks/ab/<64 hexadecimal digits>        a chunk named by its BLAKE3 digest
//   chunks/ab/<64 hexadecimal digits>.sha3   a chunk named by its SHA3-256 digest
//   pads/ab/<scheme>-<hexadecimal address>   a pad; the scheme's tag as two digits
//
// "ab" is the first byte of the digest or address. The digits are lower-case.

internal import Primitives
internal import Scratchpads

/// The file names of chunks.
enum ChunkName {
    /// How many folders the chunks are spread over.
    static let fanOut = 256
    /// Ends the names of chunks that are named by SHA3-256.
    private static let sha3Suffix: [UInt8] = Array(".sha3".utf8)

    /// The path of a chunk's file, below `chunks`.
    static func path(of digest: Digest) -> RelativePath {
        RelativePath(capacity: 3 + 2 * Digest.byteCount + sha3Suffix.count) { output in
            let words = digest.words
            appendHex(UInt8(truncatingIfNeeded: words.0 >> 56), to: &output)
            output.append(CChar(bitPattern: UInt8(ascii: "/")))
            for word in [words.0, words.1, words.2, words.3] {
                for shift in stride(from: 56, through: 0, by: -8) {
                    appendHex(UInt8(truncatingIfNeeded: word >> UInt64(shift)), to: &output)
                }
            }
            guard digest.algorithm == .sha3 else { return }
            for byte in sha3Suffix {
                output.append(CChar(bitPattern: byte))
            }
        }
    }

    /// The name of a folder below `chunks` or `pads`.
    static func folder(_ first: UInt8) -> RelativePath {
        RelativePath(capacity: 2) { appendHex(first, to: &$0) }
    }

    /// The first byte of the digests whose chunks are in the same folder.
    static func first(of digest: Digest) -> UInt8 {
        UInt8(truncatingIfNeeded: digest.words.0 >> 56)
    }

    /// The digest that a file's name stands for; nil if it is no chunk's name.
    static func digest(fromName name: [UInt8], in first: UInt8) -> Digest? {
        let digits = 2 * Digest.byteCount
        let algorithm: DigestAlgorithm
        if name.count == digits {
            algorithm = .blake3
        } else if name.count == digits + sha3Suffix.count,
            name.suffix(sha3Suffix.count) == sha3Suffix[...]
        {
            algorithm = .sha3
        } else {
            return nil
        }
        let text = String(decoding: name.prefix(digits), as: UTF8.self)
        // Compared with its own digits: a name in capitals is a file that `get` never finds.
        guard let digest = Digest(hex: text, algorithm: algorithm), digest.hex == text,
            ChunkName.first(of: digest) == first
        else { return nil }
        return digest
    }

    fileprivate static func appendHex(_ byte: UInt8, to output: inout OutputSpan<CChar>) {
        for digit in [byte >> 4, byte & 15] {
            let letter = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
            output.append(CChar(bitPattern: letter))
        }
    }
}

/// The file names of pads.
enum PadName {
    /// The path of a pad's file, below `pads`.
    static func path(of address: PadAddress) -> RelativePath {
        RelativePath(capacity: 6 + 2 * address.bytes.count) { output in
            ChunkName.appendHex(first(of: address), to: &output)
            output.append(CChar(bitPattern: UInt8(ascii: "/")))
            ChunkName.appendHex(address.scheme.rawValue, to: &output)
            output.append(CChar(bitPattern: UInt8(ascii: "-")))
            for byte in address.bytes {
                ChunkName.appendHex(byte, to: &output)
            }
        }
    }

    /// The first byte of the addresses whose pads are in the same folder.
    static func first(of address: PadAddress) -> UInt8 { address.bytes.first ?? 0 }
}
