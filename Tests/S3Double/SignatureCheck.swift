// SPDX-License-Identifier: Apache-2.0
//
// Signature Version 4 from the server's side: written from AWS's description, and not from the
// signer under test.

import Cryptography
import Foundation
import LocalServer
import Primitives

/// What a request's `Authorization` says, and whether it is true.
struct SignatureCheck {
    let accessKey: String
    private let request: LocalServer.Request
    private let scope: [String]
    private let signedNames: [String]
    private let signature: String
    private let date: String

    /// Nil for a request that is not signed in the usual form.
    init?(_ request: LocalServer.Request) {
        self.request = request
        guard let header = request.header("authorization"),
            header.hasPrefix("AWS4-HMAC-SHA256 "), let date = request.header("x-amz-date")
        else { return nil }
        var fields: [String: String] = [:]
        for part in header.dropFirst(17).components(separatedBy: ", ") {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair.count == 2 else { return nil }
            fields[pair[0]] = pair[1]
        }
        guard let credential = fields["Credential"]?.components(separatedBy: "/"),
            credential.count == 5, let names = fields["SignedHeaders"],
            let signature = fields["Signature"]
        else { return nil }
        accessKey = credential[0]
        scope = Array(credential.dropFirst())
        signedNames = names.components(separatedBy: ";")
        self.signature = signature
        self.date = date
        // What decides about the object must be signed.
        let unsigned = request.headers.map(\.name).filter {
            ($0.hasPrefix("x-amz-") || $0.hasPrefix("if-") || $0 == "host" || $0 == "range")
                && !signedNames.contains($0)
        }
        guard unsigned.isEmpty, signedNames == signedNames.sorted() else { return nil }
    }

    /// When it was signed, in seconds since 1970.
    var seconds: Int64? {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(identifier: "UTC")
        format.dateFormat = "yyyyMMdd'T'HHmmss'Z'"
        return format.date(from: date).map { Int64($0.timeIntervalSince1970) }
    }

    func isRight(secret: String) -> Bool {
        let parts = request.target.split(
            separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let query = parts.count > 1 ? parts[1].split(separator: "&").sorted() : []
        var lines = [request.method, String(parts[0]), query.joined(separator: "&")]
        lines += signedNames.map { "\($0):\(request.header($0) ?? "")" }
        lines += [
            "", signedNames.joined(separator: ";"), request.header("x-amz-content-sha256") ?? "",
        ]
        let canonical = lines.joined(separator: "\n")
        let text = [
            "AWS4-HMAC-SHA256", date, scope.joined(separator: "/"),
            Hex.encode(SHA2.sha256(Array(canonical.utf8))),
        ].joined(separator: "\n")
        var key = Array("AWS4\(secret)".utf8)
        for word in scope { key = SHA2.hmacSHA256(key: key, Array(word.utf8)) }
        return Hex.encode(SHA2.hmacSHA256(key: key, Array(text.utf8))) == signature
    }
}
