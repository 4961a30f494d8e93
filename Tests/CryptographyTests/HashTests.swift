// SPDX-License-Identifier: Apache-2.0
//
// SHA-2, SHA-3 and what is built on them, against published vectors.

import Cryptography
import Primitives
import Testing

/// The messages of the vectors below.
private let messages: [[UInt8]] = [
    [],
    Array("abc".utf8),
    Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
    [UInt8](repeating: 0xA3, count: 200),
    [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000),
]

private let sha3Values: [String] = [
    "a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a",
    "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532",
    "41c0dba2a9d6240849100376a8235e2c82e1b9998a999e21db32dd97496d3376",
    "79f38adec5c20307a98ef76e8324afbfd46cfd81b22e3973c65fa1bd9de31787",
    "5c8875ae474a3634ba4fd55ec85bffd661f32aca75c6d699d0cdcb6c115891c1",
]

private let sha256Values: [String] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    "8edfea24cad8f0e6da7fb5ebde442300fdf913be8a3bdfce06557e34d8f4efa3",
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
]

private let sha512Values: [String] = [
    """
    cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
    47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e
    """,
    """
    ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
    2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f
    """,
    """
    204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335\
    96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445
    """,
    """
    520b59722e8c69059942d075f63f0bf43cd470984a3765acda44afccf490ba6b\
    728497e5031b26cd1e4ad395afefd14d2e847cf9e7712ab0b2e19b2d9f0427e1
    """,
    """
    e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb\
    de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b
    """,
]

@Suite("SHA-2, SHA-3, HMAC, PBKDF2")
struct HashTests {
    @Test("SHA3-256 gives the values NIST publishes", arguments: zip(messages, sha3Values))
    func sha3(message: [UInt8], expected: String) {
        let digest = SHA3.hash256(message)
        #expect(digest.hex == expected)
        #expect(digest.algorithm == .sha3)
    }

    @Test("SHA-256 gives the values NIST publishes", arguments: zip(messages, sha256Values))
    func sha256(message: [UInt8], expected: String) {
        #expect(Hex.encode(SHA2.sha256(message)) == expected)
    }

    @Test("SHA-512 gives the values NIST publishes", arguments: zip(messages, sha512Values))
    func sha512(message: [UInt8], expected: String) {
        #expect(Hex.encode(SHA2.sha512(message)) == expected)
    }

    @Test(
        "HMAC-SHA-256 gives the values of RFC 4231",
        arguments: [
            (
                [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
            ),
            (
                Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
            ),
            (
                [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
            ),
            (
                [UInt8](1...25), [UInt8](repeating: 0xCD, count: 50),
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
            ),
            (
                [UInt8](repeating: 0xAA, count: 131),
                Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
            ),
        ])
    func hmac(key: [UInt8], message: [UInt8], expected: String) {
        #expect(Hex.encode(SHA2.hmacSHA256(key: key, message)) == expected)
    }

    @Test(
        "PBKDF2 with HMAC-SHA-512 gives known values",
        arguments: [
            (
                "password", "salt", 1,
                """
                867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252\
                c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce
                """
            ),
            (
                "password", "salt", 2,
                """
                e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c\
                f76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e
                """
            ),
            (
                "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
                """
                8c0511f4c6e597c6ac6315d8f0362e225f3c501495ba23b868c005174dc4ee71\
                115b59f9e60cd9532fa33e0f75aefe30225c583a186cd82bd4daea9724a3d3b8
                """
            ),
            ("password", "salt", 1, "867f70cf1ade02cff3752599a3a53dc4af34c7a6"),
            ("", "salt", 1, "00ef42cdbfc98d29db20976608e45556"),
        ])
    func pbkdf2(password: String, salt: String, rounds: Int, expected: String) {
        let key = SHA2.pbkdf2SHA512(
            password: Array(password.utf8), salt: Array(salt.utf8), rounds: rounds,
            count: expected.utf8.count / 2)
        #expect(Hex.encode(key) == expected)
    }

    @Test("a digest names its bytes under its own algorithm only")
    func digestsByAlgorithm() {
        for algorithm in DigestAlgorithm.allCases {
            let digest = Digests.of(sunscreen, algorithm: algorithm)
            #expect(digest.algorithm == algorithm)
            #expect(Digests.matches(sunscreen, digest))
            #expect(!Digests.matches(sunscreen + [0], digest))
        }
        #expect(Digests.of(sunscreen) == Blake3.hash(sunscreen))
        #expect(Digests.of(sunscreen, algorithm: .sha3) == SHA3.hash256(sunscreen))
    }

    @Test("contexts that are shared by many threads never mix their inputs")
    func threads() async {
        await withTaskGroup(of: Bool.self) { group in
            for task in UInt8(0)..<16 {
                group.addTask {
                    let message = [UInt8](repeating: task, count: 100 * Int(task))
                    let sha3 = SHA3.hash256(message)
                    let sha256 = SHA2.sha256(message)
                    return (0..<200).allSatisfy { _ in
                        SHA3.hash256(message) == sha3 && SHA2.sha256(message) == sha256
                    }
                }
            }
            for await isRight in group {
                #expect(isRight)
            }
        }
    }
}
