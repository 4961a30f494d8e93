// SPDX-License-Identifier: Apache-2.0
//
// Signatures against AWS's published examples.
//
// Source: the test suite of Signature Version 4 (get-vanilla and so on), and "Signature
// Calculations for the Authorization Header" of the documentation of Amazon S3. Facts of theirs.

import Cryptography
import Primitives
import Testing

@testable import S3

@Suite("Signatures")
struct SignatureTests {
    /// What AWS signs its test suite with.
    private let suiteKey = SigningKey(
        credentials: S3Credentials(
            accessKey: "AKIDEXAMPLE",
            secret: SecretBytes(Array("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".utf8))),
        region: "us-east-1", service: "service")
    private let suiteTime = SigningTime(secondsSince1970: 1_440_938_160)

    /// What AWS signs the examples of S3's documentation with.
    private let documentKey = SigningKey(
        credentials: S3Credentials(
            accessKey: "AKIAIOSFODNN7EXAMPLE",
            secret: SecretBytes(Array("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".utf8))),
        region: "us-east-1")
    private let documentTime = SigningTime(secondsSince1970: 1_369_353_600)
    private static let emptyHash =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    struct Vector: Sendable, CustomTestStringConvertible {
        let testDescription: String
        var method = "GET"
        var path = "/"
        var query: [(String, String)] = []
        var headers: [(String, String)] = []
        let signature: String
    }

    static let suite: [Vector] = [
        Vector(
            testDescription: "get-vanilla",
            signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Vector(
            testDescription: "get-vanilla-query-order-key-case",
            query: [("Param2", "value2"), ("Param1", "value1")],
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        Vector(
            testDescription: "get-unreserved",
            path: "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
            signature: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        Vector(
            testDescription: "get-utf8", path: "/" + PercentEncoding.encode("ሴ"),
            signature: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        Vector(
            testDescription: "post-vanilla", method: "POST",
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        Vector(
            testDescription: "post-header-key-sort", method: "POST",
            headers: [("My-Header1", "value1")],
            signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
    ]

    @Test("the examples of the test suite come out", arguments: suite)
    func testSuite(vector: Vector) {
        let request = SignableRequest(
            method: vector.method, path: vector.path, query: vector.query,
            headers: [("Host", "example.amazonaws.com"), ("X-Amz-Date", suiteTime.text)]
                + vector.headers,
            bodyHash: SignatureTests.emptyHash)
        #expect(suiteTime.text == "20150830T123600Z")
        #expect(
            request.authorization(suiteKey, at: suiteTime).hasSuffix(
                "Signature=" + vector.signature))
    }

    @Test("the examples of S3's documentation come out")
    func documentation() {
        #expect(documentTime.text == "20130524T000000Z")
        func signed(
            _ method: String, _ path: String, _ query: [(String, String)],
            _ headers: [(String, String)], _ hash: String = SignatureTests.emptyHash
        ) -> String {
            SignableRequest(
                method: method, path: path, query: query,
                headers: headers + [
                    ("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", hash),
                    ("x-amz-date", documentTime.text),
                ], bodyHash: hash
            ).authorization(documentKey, at: documentTime)
        }
        #expect(
            signed("GET", "/test.txt", [], [("Range", "bytes=0-9")])
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"
                + "aws4_request, SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        let body = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
        #expect(
            signed(
                "PUT", "/" + PercentEncoding.encode("test$file.text"), [],
                [
                    ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ], body
            ).hasSuffix("98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
        #expect(
            signed("GET", "/", [("lifecycle", "")], []).hasSuffix(
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))
        #expect(
            signed("GET", "/", [("max-keys", "2"), ("prefix", "J")], []).hasSuffix(
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
    }

    @Test(
        "moments are written as signatures want them",
        arguments: [
            (0 as Int64, "19700101T000000Z"), (951_782_400, "20000229T000000Z"),
            (1_709_251_199, "20240229T235959Z"), (4_107_542_399, "21000228T235959Z"),
            (1_735_689_600, "20250101T000000Z"), (253_402_300_799, "99991231T235959Z"),
        ])
    func times(seconds: Int64, text: String) {
        #expect(SigningTime(secondsSince1970: seconds).text == text)
        #expect(SigningTime(secondsSince1970: seconds).day == String(text.prefix(8)))
    }

    @Test("keys show nothing of themselves, however they are printed")
    func secrecy() {
        let keys = S3Credentials(
            accessKey: "AKIDSHOWN", secret: SecretBytes(Array("hushhush".utf8)),
            sessionToken: "tokentoken")
        var dumped = ""
        dump(keys, to: &dumped)
        for text in ["\(keys)", String(reflecting: keys), dumped] {
            #expect(!text.contains("AKID") && !text.contains("token") && !text.contains("hush"))
        }
    }
}
