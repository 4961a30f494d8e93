// SPDX-License-Identifier: Apache-2.0
//
// Recovery phrases: the canonical word list, BIP-39's vectors, and every mistake a writer makes.

import Cryptography
import Primitives
import TestSupport
import Testing

/// BIP-39's published vectors of 24 words.
private let vectors: [(entropy: String, words: String)] = [
    (String(repeating: "00", count: 32), String(repeating: "abandon ", count: 23) + "art"),
    (
        String(repeating: "7f", count: 32),
        """
        legal winner thank year wave sausage worth useful legal winner thank year wave sausage \
        worth useful legal winner thank year wave sausage worth title
        """
    ),
    (
        String(repeating: "80", count: 32),
        """
        letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount \
        doctor acoustic avoid letter advice cage absurd amount doctor acoustic bless
        """
    ),
    (String(repeating: "ff", count: 32), String(repeating: "zoo ", count: 23) + "vote"),
    (
        "68a79eaca2324873eacc50cb9c6eca8cc68ea5d936f98787c60c7ebc74e6ce7c",
        """
        hamster diagram private dutch cause delay private meat slide toddler razor book happy \
        fancy gospel tennis maple dilemma loan word shrug inflict delay length
        """
    ),
    (
        "9f6a2878b2520799a44ef18bc7df394e7061a224d2c33cd015b157d746869863",
        """
        panda eyebrow bullet gorilla call smoke muffin taste mesh discover soft ostrich alcohol \
        speed nation flash devote level hobby quick inner drive ghost inside
        """
    ),
    (
        "066dca1a2bb7e8a1db2832148ce9933eea0f3ac9548d793112d9a95c9407efad",
        """
        all hour make first leader extend hole alien behind guard gospel lava path output census \
        museum junior mass reopen famous sing advance salt reform
        """
    ),
    (
        "f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f",
        """
        void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing \
        screen patrol group space point ten exist slush involve unfold
        """
    ),
]

@Suite("Recovery phrase")
struct RecoveryPhraseTests {
    @Test("the word list is the canonical one, to the byte")
    func canonicalList() {
        let file = WordList.words.map { $0 + "\n" }.joined()
        #expect(
            Hex.encode(SHA2.sha256(Array(file.utf8)))
                == "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda")
        #expect(WordList.words.count == 2048)
    }

    @Test("every word is found under its number")
    func everyWord() {
        for (number, word) in WordList.words.enumerated() {
            #expect(WordList.number(of: word) == number)
        }
        for stranger in ["", "aaa", "zzz", "aband", "abandons", "Abandon", "zo", "zoom"] {
            #expect(WordList.number(of: stranger) == nil)
        }
    }

    @Test("the published vectors hold, both ways", arguments: vectors)
    func publishedVectors(entropy: String, words: String) throws {
        let secret = SecretBytes(try hex(entropy))
        #expect(RecoveryPhrase(entropy: secret).words == words)
        #expect(try RecoveryPhrase(words: words).entropy == secret)
    }

    @Test("every entropy comes back from its words", arguments: UInt64(0)..<50)
    func roundTrip(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let phrase = RecoveryPhrase(entropy: SecretBytes(dice.bytes(32)))
        #expect(phrase.words.split(separator: " ").count == RecoveryPhrase.wordCount)
        #expect(try RecoveryPhrase(words: phrase.words) == phrase, "seed \(seed)")
    }

    @Test("case and white space do not matter")
    func forgivesTyping() throws {
        let words = vectors[5].words.split(separator: " ")
        let typed =
            "\n\t " + words.prefix(9).joined(separator: "  \n") + "\r\n\u{A0}"
            + words.dropFirst(9).map { $0.uppercased() }.joined(separator: "\t") + " \n"
        #expect(Hex.encode(try RecoveryPhrase(words: typed).entropy.copy) == vectors[5].entropy)
    }

    @Test("any other number of words is refused, and told", arguments: [0, 1, 12, 23, 25, 1000])
    func wordCounts(count: Int) {
        let text = String(repeating: "abandon ", count: count)
        #expect(throws: PhraseError.wordCount(count)) { try RecoveryPhrase(words: text) }
    }

    @Test("a word that is not in the list is refused, and its place told", arguments: 1...24)
    func unknownWords(position: Int) {
        for stranger in ["aband", "zzz", "abandon,", "äbandon", "1"] {
            var words = vectors[0].words.split(separator: " ").map(String.init)
            words[position - 1] = stranger
            #expect(throws: PhraseError.unknownWord(position: position)) {
                try RecoveryPhrase(words: words.joined(separator: " "))
            }
        }
    }

    @Test("words in a wrong order, or a wrong word, fail the checksum")
    func checksum() {
        var words = vectors[4].words.split(separator: " ").map(String.init)
        words.swapAt(0, 1)
        #expect(throws: PhraseError.checksum) {
            try RecoveryPhrase(words: words.joined(separator: " "))
        }
        #expect(throws: PhraseError.checksum) {
            try RecoveryPhrase(words: String(repeating: "abandon ", count: 24))
        }
    }

    @Test("the checksum catches about 255 of 256 wrong words")
    func checksumStrength() {
        var words = vectors[6].words.split(separator: " ").map(String.init)
        var accepted = 0
        for word in WordList.words {
            words[3] = word
            do {
                _ = try RecoveryPhrase(words: words.joined(separator: " "))
                accepted += 1
            } catch {
                continue
            }
        }
        // 8 are expected of 2048, the right one among them.
        #expect((1...25).contains(accepted))
    }

    @Test("entropy of another size is a mistake, and traps")
    func entropySizeTraps() async {
        await #expect(processExitsWith: .failure) {
            _ = RecoveryPhrase(entropy: SecretBytes([1, 2, 3]))
        }
    }
}
