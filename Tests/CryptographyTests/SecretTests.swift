// SPDX-License-Identifier: Apache-2.0
//
// Locked memory, randomness, and keys from passphrases.

import Cryptography
import Primitives
import TestSupport
import Testing

@Suite("Secret bytes")
struct SecretBytesTests {
    private struct Refusal: Error, Equatable {}

    @Test("a secret gives back the bytes it was made of", arguments: [0, 1, 31, 32, 4096, 100_000])
    func keepsBytes(count: Int) {
        var dice = SeededGenerator(seed: UInt64(count))
        let bytes = dice.bytes(count)
        let secret = SecretBytes(bytes)
        #expect(secret.count == count)
        #expect(secret.copy == bytes)
    }

    @Test("secrets are equal if their bytes are", arguments: UInt64(0)..<20)
    func equality(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let bytes = dice.bytes(1 + Int(dice.number() % 100))
        #expect(SecretBytes(bytes) == SecretBytes(bytes))
        #expect(SecretBytes(bytes) != SecretBytes(flippingBit(of: bytes, using: &dice)))
        #expect(SecretBytes(bytes) != SecretBytes(bytes + [0]))
    }

    @Test("memory without guards serves as well", arguments: [0, 1, 32, 5000])
    func unguarded(count: Int) {
        var dice = SeededGenerator(seed: UInt64(count))
        let bytes = dice.bytes(count)
        let secret = SecretBytes(count: count, isGuarded: false) { memory in
            for index in bytes.indices {
                memory[index] = bytes[index]
            }
        }
        #expect(secret == SecretBytes(bytes))
    }

    @Test("the memory is zero before it is filled", arguments: [true, false])
    func startsZero(isGuarded: Bool) {
        let secret = SecretBytes(count: 1000, isGuarded: isGuarded) { _ in }
        #expect(secret.copy == [UInt8](repeating: 0, count: 1000))
    }

    @Test("an error while filling is passed on", arguments: [true, false])
    func passesErrors(isGuarded: Bool) {
        #expect(throws: Refusal()) {
            try SecretBytes(count: 10, isGuarded: isGuarded) { _ throws(Refusal) in
                throw Refusal()
            }
        }
        #expect(throws: Refusal()) {
            try SecretBytes([1]).withBytes { _ throws(Refusal) in throw Refusal() }
        }
    }

    @Test("thousands of secrets at once are no trouble, locked or not")
    func manySecrets() {
        let secrets = (0..<3000).map { SecretBytes([UInt8($0 % 251), UInt8($0 / 251)]) }
        #expect(
            secrets.enumerated().allSatisfy { index, secret in
                secret.copy == [UInt8(index % 251), UInt8(index / 251)]
            })
    }

    @Test("random bytes differ from call to call")
    func randomness() {
        #expect(SystemRandom.bytes(32) != SystemRandom.bytes(32))
        #expect(SecretBytes(randomCount: 32) != SecretBytes(randomCount: 32))
        #expect(SystemRandom.bytes(0).isEmpty)
        // 8 000 bits of which about half are set; ten deviations are never seen.
        let ones = SystemRandom.bytes(1000).reduce(0) { $0 + $1.nonzeroBitCount }
        #expect((3550...4450).contains(ones))
    }
}

@Suite("Argon2id")
struct Argon2idTests {
    private static let salt = Array("somesaltsomesalt".utf8)

    // Frozen from the reference implementation, one lane.
    @Test(
        "keys are those of the reference implementation",
        arguments: [
            ("password", 1, 8, "05b6ca8f8038b683887ad4916533858b49cb52040126c134f4c6e9d8711b8c09"),
            ("password", 2, 64, "1a98fba8e6394425c9bdc333a9c750aaf811df070f5fb4a5788e1cf4db5793a1"),
            (
                "differentpassword", 3, 1024,
                "b2b184e34dad898d1d63efa5bfec49f4da4c5b793e5f2eedc9651d63eff0867d"
                    + "7af75821256906c0372ae2649c4120512cf3e1aaf0b0dcc330704830781dcbac"
            ),
            ("", 1, 64, "60dfac3d1f21f1e162a26a577d7740a9"),
        ])
    func vectors(password: String, passes: Int, kibibytes: Int, expected: String) throws {
        let key = try Argon2id.derive(
            password: SecretBytes(Array(password.utf8)), salt: Self.salt,
            count: expected.utf8.count / 2, opsLimit: passes, memLimit: kibibytes << 10)
        #expect(Hex.encode(key.copy) == expected)
    }

    @Test(
        "limits that a hostile file could hold are refused",
        arguments: [(0, 8192), (65, 8192), (1, 8191), (1, (4 << 30) + 1), (-1, 8192), (1, .max)])
    func refusesLimits(passes: Int, bytes: Int) {
        #expect(throws: CryptographyError.libraryFailure("argon2id: limits out of range")) {
            try Argon2id.derive(
                password: SecretBytes([1]), salt: Self.salt, count: 32, opsLimit: passes,
                memLimit: bytes)
        }
    }

    @Test("a salt of another size is refused", arguments: [0, 8, 15, 17])
    func refusesSalts(count: Int) {
        let salt = [UInt8](repeating: 1, count: count)
        #expect(throws: CryptographyError.libraryFailure("argon2id: salt size")) {
            try Argon2id.derive(
                password: SecretBytes([1]), salt: salt, count: 32, opsLimit: 1, memLimit: 8192)
        }
    }
}
