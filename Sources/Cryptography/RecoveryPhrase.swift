// SPDX-License-Identifier: Apache-2.0
//
// A volume's seed as 24 words that can be written on paper.

/// Why words are not a recovery phrase.
///
/// A position says where to look; no case carries a word, because a message may end in a log.
package enum PhraseError: Error, Equatable, Sendable {
    /// There are this many words, not 24.
    case wordCount(Int)
    /// The word at this position, counted from 1, is not in the list.
    case unknownWord(position: Int)
    /// All words are in the list, but one of them, or their order, is wrong.
    case checksum
}

/// 32 bytes of entropy as 24 English words.
///
/// The seed is the entropy itself: BIP-39's derivation of a wallet seed, with its passphrase, is
/// not used. A checksum of 8 bits catches 255 of 256 mistakes.
///
/// - Source: BIP-39, and its English word list.
package struct RecoveryPhrase: Sendable, Equatable {
    /// Words of a phrase.
    package static let wordCount = 24
    /// Bytes of entropy in a phrase.
    package static let entropySize = 32

    /// Bits that one word stands for: the list has 2048.
    private static let bitsPerWord = 11

    /// The bytes the words stand for.
    package let entropy: SecretBytes

    /// The phrase of some entropy.
    ///
    /// - Parameter entropy: `entropySize` bytes.
    package init(entropy: SecretBytes) {
        precondition(entropy.count == Self.entropySize, "entropy of another size")
        self.entropy = entropy
    }

    /// Reads a phrase as somebody typed it: in any case, with any white space around the words.
    /// Words must be whole; beginnings are not completed.
    package init(words text: String) throws(PhraseError) {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == Self.wordCount else { throw .wordCount(words.count) }
        // Entropy and checksum: 24 words are 33 bytes.
        var bytes: [UInt8] = []
        var pending: UInt32 = 0
        var pendingBits = 0
        for (index, word) in words.enumerated() {
            guard let number = WordList.number(of: word.lowercased()) else {
                throw .unknownWord(position: index + 1)
            }
            pending = pending << UInt32(Self.bitsPerWord) | UInt32(number)
            pendingBits += Self.bitsPerWord
            while pendingBits >= 8 {
                pendingBits -= 8
                bytes.append(UInt8(truncatingIfNeeded: pending >> UInt32(pendingBits)))
            }
        }
        let entropy = SecretBytes(bytes.span.extracting(first: Self.entropySize))
        guard bytes[Self.entropySize] == Self.checksum(of: entropy) else { throw .checksum }
        self.entropy = entropy
    }

    /// The words in lower case, with one space between them.
    ///
    /// The text lies in ordinary memory, which is not wiped: show it and let it go.
    package var words: String {
        var bytes = entropy.withBytes { entropy in entropy.indices.map { entropy[$0] } }
        bytes.append(Self.checksum(of: entropy))
        var words: [String] = []
        var pending: UInt32 = 0
        var pendingBits = 0
        for byte in bytes {
            pending = pending << 8 | UInt32(byte)
            pendingBits += 8
            if pendingBits >= Self.bitsPerWord {
                pendingBits -= Self.bitsPerWord
                let number = pending >> UInt32(pendingBits) & (1 << UInt32(Self.bitsPerWord) - 1)
                words.append(WordList.words[Int(number)])
            }
        }
        return words.joined(separator: " ")
    }

    private static func checksum(of entropy: SecretBytes) -> UInt8 {
        entropy.withBytes { SHA2.sha256($0)[0] }
    }
}
