// SPDX-License-Identifier: Apache-2.0
//
// BLAKE3 against its official vectors, in every implementation this processor has, and however
// the input is cut.

import Cryptography
import Foundation
import Primitives
import TestSupport
import Testing

/// The official vectors, as published beside the specification.
private struct OfficialVectors: Decodable {
    struct Case: Decodable {
        let input_len: Int
        let hash: String
        let keyed_hash: String
        let derive_key: String
    }

    let key: String
    let context_string: String
    let cases: [Case]

    static func load() throws -> OfficialVectors {
        let url = try #require(
            Bundle.module.url(forResource: "blake3", withExtension: "json", subdirectory: "Vectors")
        )
        return try JSONDecoder().decode(Self.self, from: Data(contentsOf: url))
    }
}

/// The official input: the numbers 0 to 250, again and again.
private func officialInput(_ count: Int) -> [UInt8] {
    let cycle = [UInt8](0...250)
    var input: [UInt8] = []
    input.reserveCapacity(count + cycle.count)
    while input.count < count {
        input += cycle
    }
    input.removeLast(input.count - count)
    return input
}

private let available = Blake3Implementation.allCases.filter(\.isAvailable)

@Suite("BLAKE3")
struct Blake3Tests {
    @Test("the official vectors hold in all modes, with extended output", arguments: available)
    func officialVectors(implementation: Blake3Implementation) throws {
        let vectors = try OfficialVectors.load()
        let key = Array(vectors.key.utf8)
        #expect(vectors.cases.count == 35)
        for vector in vectors.cases {
            let input = officialInput(vector.input_len)
            for (fresh, expected) in [
                (Blake3Hasher(), vector.hash),
                (Blake3Hasher(key: key.span), vector.keyed_hash),
                (Blake3Hasher(derivingFor: vectors.context_string), vector.derive_key),
            ] {
                var hasher = fresh
                let isSelected = hasher.select(implementation)
                hasher.update(input.span)
                let output = hasher.finalize(count: expected.utf8.count / 2)
                #expect(isSelected)
                #expect(Hex.encode(output) == expected, "length \(vector.input_len)")
            }
        }
    }

    @Test("the calls for whole inputs give the official vectors too")
    func wholeInputs() throws {
        let vectors = try OfficialVectors.load()
        let key = Array(vectors.key.utf8)
        for vector in vectors.cases {
            let input = officialInput(vector.input_len)
            let keyed = Blake3.keyed(key, input.span)
            let secretlyKeyed = Blake3.keyed(SecretBytes(key), input.span)
            let derived = Blake3.deriveKey(
                context: vectors.context_string, material: input.span, count: 131)
            let secret = Blake3.deriveSecret(
                context: vectors.context_string, material: SecretBytes(input), count: 131)
            #expect(Blake3.hash(input).hex == vector.hash.prefix(64))
            #expect(Hex.encode(keyed) == vector.keyed_hash.prefix(64))
            #expect(secretlyKeyed == keyed)
            #expect(Hex.encode(derived) == vector.derive_key)
            #expect(secret.copy == derived)
        }
    }

    // Frozen from an independent implementation: lengths around the 256 KiB that are hashed in
    // one go, which the official vectors do not reach.
    @Test(
        "long inputs hash to what another implementation gave",
        arguments: [
            (262_143, "4fbb10c248894f1b56ec8298555b96e597147150a061b1cf1af19f16dbc0557b"),
            (262_144, "d57dc906e20d3fd326ffaa85535500486f46a0979f5a323f028dcabfd381fd4a"),
            (262_145, "531c319935cf78f34869faebd865e5748266b1799039103bfb851a680d9ed30c"),
            (263_168, "016a8ebdc93c38f6e5afbfb937fdc9130808969f33fc82a10a36c92acd21eed7"),
            (524_288, "b467afa334cd7dedd76e3a9a4b0e8a5ed278713f2f4e220a682aa30c7fcd140b"),
            (786_433, "5599c118148036c9342db6d8be1d586d21948df6ace7479efb33c6ff37c47ef5"),
            (1_048_576, "74cb441fd087764ca9c3694da742ebe30cbeb3060a17009ca81825c7a8d10343"),
            (1_048_577, "2f053cd7472cf0cd2f9adaf45c1180255b91b9a865404a63671a0ee5f792ed33"),
            (4_190_208, "1bd32c94e54bfeab1eac48349a8cf9093ae2a57fda9ebd06ef531d04241a08e2"),
        ])
    func longInputs(count: Int, expected: String) {
        let input = officialInput(count)
        #expect(Blake3.hash(input).hex == expected)
        for implementation in available {
            var hasher = Blake3Hasher()
            let isSelected = hasher.select(implementation)
            hasher.update(input.span)
            #expect(isSelected && hasher.finalize().hex == expected, "\(implementation)")
        }
    }

    @Test("how the input is cut changes nothing, in any implementation", arguments: UInt64(0)..<60)
    func anyCut(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let input = officialInput(Int(dice.number() % 600_000))
        let expected = Blake3.hash(input)
        for implementation in available {
            var hasher = Blake3Hasher()
            let isSelected = hasher.select(implementation)
            var offset = 0
            while offset < input.count {
                let wanted = Int(dice.number() % 300_000)
                let end = min(input.count, offset + wanted)
                hasher.update(input.span.extracting(offset..<end))
                offset = end
            }
            let digest = hasher.finalize()
            #expect(isSelected && digest == expected, "seed \(seed), \(implementation)")
        }
    }

    @Test("a hasher gives the digest of every beginning, and goes on", arguments: available)
    func everyBeginning(implementation: Blake3Implementation) {
        let input = officialInput(20_000)
        var hasher = Blake3Hasher()
        let isSelected = hasher.select(implementation)
        #expect(isSelected)
        for end in stride(from: 0, to: input.count, by: 250) {
            let digest = hasher.finalize()
            let expected = Blake3.hash(input.span.extracting(0..<end))
            #expect(digest == expected, "\(end) bytes")
            hasher.update(input.span.extracting(end..<end + 250))
        }
    }

    @Test("a copy of a hasher goes its own way")
    func copies() {
        let input = officialInput(5000)
        var first = Blake3Hasher()
        first.update(input.span)
        var second = first
        second.update(input.span)
        #expect(first.finalize() == Blake3.hash(input))
        #expect(second.finalize() == Blake3.hash(input + input))
    }

    @Test("a shorter output is the beginning of a longer one")
    func extendedOutput() {
        var hasher = Blake3Hasher()
        let input = officialInput(100)
        hasher.update(input.span)
        let long = hasher.finalize(count: 1000)
        for count in [0, 1, 31, 32, 63, 64, 65, 128, 999] {
            #expect(hasher.finalize(count: count) == Array(long.prefix(count)))
        }
    }

    @Test("the portable implementation is always there, others only where they are available")
    func availability() {
        #expect(Blake3Implementation.portable.isAvailable)
        var hasher = Blake3Hasher()
        for implementation in Blake3Implementation.allCases {
            let isSelected = hasher.select(implementation)
            #expect(isSelected == implementation.isAvailable)
        }
    }

    @Test("many threads hash at once")
    func threads() async {
        let input = officialInput(300_000)
        let expected = Blake3.hash(input)
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 {
                group.addTask { (0..<10).allSatisfy { _ in Blake3.hash(input) == expected } }
            }
            for await isRight in group {
                #expect(isRight)
            }
        }
    }

    @Test("a key of another size is a mistake, and traps")
    func keySizeTraps() async {
        await #expect(processExitsWith: .failure) {
            _ = Blake3.keyed([1, 2, 3], Span())
        }
    }
}
