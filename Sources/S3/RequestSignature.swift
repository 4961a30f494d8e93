// SPDX-License-Identifier: Apache-2.0
//
// AWS Signature Version 4. Pure: the caller brings the time.
//
// Source: "Signature Version 4 signing process" of AWS's documentation; its test suite is in the
// tests.

internal import Cryptography
internal import Primitives

/// What a request is signed with.
struct SigningKey: Sendable {
    /// The name of the key, which every request shows.
    let accessKey: String
    /// `region/service`, such as `us-east-1/s3`.
    let region: String
    let service: String
    private let secret: SecretBytes

    init(credentials: S3Credentials, region: String, service: String = "s3") {
        accessKey = credentials.accessKey
        secret = credentials.secret
        self.region = region
        self.service = service
    }

    /// The key of one day: the secret, hashed with day, region and service.
    fileprivate func derived(day: String) -> [UInt8] {
        let first = secret.withBytes { bytes in
            var key = Array("AWS4".utf8)
            for index in bytes.indices { key.append(bytes[index]) }
            return SHA2.hmacSHA256(key: key, Array(day.utf8))
        }
        return [region, service, "aws4_request"].reduce(first) { key, word in
            SHA2.hmacSHA256(key: key, Array(word.utf8))
        }
    }
}

/// A request, as far as it is signed.
struct SignableRequest {
    let method: String
    /// Percent-encoded, beginning with a slash.
    let path: String
    /// Names and values, not encoded.
    let query: [(String, String)]
    /// All headers that are to be signed, `host` and `x-amz-date` among them.
    let headers: [(String, String)]
    /// The SHA-256 of the body in hexadecimal digits.
    let bodyHash: String

    /// The value of the header `Authorization`.
    func authorization(_ key: SigningKey, at time: SigningTime) -> String {
        let scope = "\(time.day)/\(key.region)/\(key.service)/aws4_request"
        let hash = Hex.encode(SHA2.sha256(Array(canonical.utf8)))
        let text = "AWS4-HMAC-SHA256\n\(time.text)\n\(scope)\n\(hash)"
        let signature = Hex.encode(
            SHA2.hmacSHA256(key: key.derived(day: time.day), Array(text.utf8)))
        return "AWS4-HMAC-SHA256 Credential=\(key.accessKey)/\(scope), "
            + "SignedHeaders=\(signedNames), Signature=\(signature)"
    }

    /// The query as it stands in the address: encoded, in the order that is signed.
    static func encoded(_ query: [(String, String)]) -> String {
        query.map { (PercentEncoding.encode($0.0), PercentEncoding.encode($0.1)) }
            .sorted { $0.0 == $1.0 ? bytewise($0.1, $1.1) : bytewise($0.0, $1.0) }
            .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    private var sortedHeaders: [(String, String)] {
        headers.map { ($0.0.lowercased(), SignableRequest.collapsed($0.1)) }
            .sorted { SignableRequest.bytewise($0.0, $1.0) }
    }

    private var signedNames: String { sortedHeaders.map(\.0).joined(separator: ";") }

    private var canonical: String {
        let lines = sortedHeaders.map { "\($0.0):\($0.1)\n" }.joined()
        let query = SignableRequest.encoded(query)
        return "\(method)\n\(path)\n\(query)\n\(lines)\n\(signedNames)\n\(bodyHash)"
    }

    /// Without blanks around, and with one blank for several.
    private static func collapsed(_ value: String) -> String {
        value.split(separator: " ").joined(separator: " ")
    }

    private static func bytewise(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}
