// SPDX-License-Identifier: Apache-2.0
//
// The name of a message in 32 bytes. Pure.

import AlephProtocol

/// A message of the network's own storage, by its SHA-256 digest.
///
/// Without heap memory: lists have a hundred thousand of these, and a hash as text, in a name, a
/// path and a list of sources, takes ten times as much.
struct AlephMessageName: Hashable, Sendable {
    // Big-endian words of the digest.
    private let word0: UInt64
    private let word1: UInt64
    private let word2: UInt64
    private let word3: UInt64

    /// How file names of messages end.
    static let suffix = ".json"
    /// Digits of a digest.
    private static let digitCount = 64

    /// The name of a message; nil for one that IPFS names.
    init?(_ hash: ItemHash) {
        guard hash.type == .storage else { return nil }
        self.init(digits: hash.text.utf8.prefix(AlephMessageName.digitCount))
    }

    /// The message of a file name `HASH.json`; nil for any other name.
    init?(fileName name: String) {
        let bytes = name.utf8
        guard bytes.count == AlephMessageName.digitCount + AlephMessageName.suffix.utf8.count,
            name.hasSuffix(AlephMessageName.suffix)
        else { return nil }
        self.init(digits: bytes.prefix(AlephMessageName.digitCount))
    }

    /// A digest from 64 hexadecimal digits in lower case: a name has one spelling.
    private init?(digits: Substring.UTF8View) {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var count = 0
        for digit in digits {
            let value: UInt8
            switch digit {
            case 0x30...0x39: value = digit - 0x30
            case 0x61...0x66: value = digit - 0x61 + 10
            default: return nil
            }
            switch count / 16 {
            case 0: words.0 = words.0 << 4 | UInt64(value)
            case 1: words.1 = words.1 << 4 | UInt64(value)
            case 2: words.2 = words.2 << 4 | UInt64(value)
            default: words.3 = words.3 << 4 | UInt64(value)
            }
            count += 1
        }
        guard count == AlephMessageName.digitCount else { return nil }
        (word0, word1, word2, word3) = words
    }

    /// The hash that names the message.
    var hash: ItemHash {
        ItemHash(
            sha256: [UInt8](capacity: 32) { output in
                for word in [word0, word1, word2, word3] {
                    for shift in stride(from: 56, through: 0, by: -8) {
                        output.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
                    }
                }
            })
    }

    /// The name of its file.
    var fileName: String { hash.text + AlephMessageName.suffix }
}
