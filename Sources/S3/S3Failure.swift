// SPDX-License-Identifier: Apache-2.0
//
// What a service's refusals mean for a store. The only file that knows its codes; pure.

package import HTTP
package import Stores

/// A service's refusal.
struct S3Failure {
    let status: Int
    /// The service's word for it, such as `NoSuchBucket`; empty when it gave none, as for HEAD.
    let code: String
    /// The region that the service names, where the request's was wrong.
    let region: String?
    let retryAfter: Duration?
    /// Whether the request was signed by keys that end with a session.
    let usedToken: Bool

    init(_ response: HTTPResponse, usedToken: Bool = false) {
        self.usedToken = usedToken
        let text = XMLText(response.body)
        status = response.status
        // A word of letters and digits: it may stand in a sentence that a person reads.
        let word = text.first("Code") ?? ""
        code = S3Failure.isWord(word) ? word : ""
        let region = text.first("Region") ?? response.headers["x-amz-bucket-region"]
        self.region = region.flatMap { S3Failure.isWord($0) ? $0 : nil }
        retryAfter = response.headers.retryAfter
    }

    private static func isWord(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
                    || "-._".utf8.contains(byte)
            }
    }

    /// Whether other keys might do.
    var isAboutKeys: Bool {
        isPerhapsAboutToken
            || [
                "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken",
                "InvalidAccessKeyId", "SignatureDoesNotMatch", "RequestExpired",
            ].contains(code)
    }

    /// Ceph has no code of its own for tokens: one that ran out is a denied access, and one that it
    /// did not make, or no longer reads, an invalid argument.
    private var isPerhapsAboutToken: Bool {
        usedToken && ["AccessDenied", "InvalidArgument"].contains(code)
    }

    /// The cause, in the words of stores.
    ///
    /// - Parameter bucket: the bucket that was asked, which the person named themself.
    func storeError(bucket: String) -> StoreError {
        if let error = byCode(bucket: bucket) { return error }
        if isPerhapsAboutToken {
            return .refused(
                code == "AccessDenied"
                    ? "access to the bucket “\(bucket)” is denied\(word): perhaps the session token"
                        + " has expired; get new keys"
                    : "the server does not accept a request with this session token\(word):"
                        + " perhaps another service made it, or it is no longer valid; get new keys"
            )
        }
        switch status {
        case 301, 307, 308: return wrongRegion(bucket)
        case 400 where region != nil: return wrongRegion(bucket)
        case 401, 403: return .refused("access to the bucket “\(bucket)” is denied\(word)")
        case 402: return .paymentRequired
        case 408, 409, 425: return .unreachable(retryAfter: retryAfter)
        case 413: return .tooLarge
        case 429, 503: return .busy(retryAfter: retryAfter)
        case 507: return .full
        case 500...599: return .unreachable(retryAfter: retryAfter)
        default: return .refused("the server answers \(status)\(word)")
        }
    }

    private func byCode(bucket: String) -> StoreError? {
        switch code {
        case "NoSuchBucket": .notAStore("there is no bucket “\(bucket)”")
        case "InvalidBucketName": .notAStore("the server takes no bucket named “\(bucket)”")
        case "InvalidAccessKeyId": .refused("the server does not know the access key")
        case "SignatureDoesNotMatch":
            .refused("the secret key does not belong to the access key, or the region is wrong")
        case "RequestTimeTooSkewed", "RequestInTheFuture":
            .refused("this machine's clock and the server's differ by more than it allows")
        case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired":
            .refused("the session token has expired; get new keys")
        case "InvalidToken": .refused("the session token is not valid; get new keys")
        case "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "ServiceQuotaExceeded",
            "OverQuota", "StorageQuotaExceeded":
            .quotaExceeded
        case "XMinioStorageFull", "InsufficientStorage", "InsufficientCapacity": .full
        case "AccountProblem", "NotSignedUp", "PaymentRequired": .paymentRequired
        case "SlowDown", "SlowDownRead", "SlowDownWrite", "TooManyRequests",
            "RequestLimitExceeded", "Throttling", "ThrottlingException", "ServiceUnavailable":
            .busy(retryAfter: retryAfter)
        // What arrived was not what was sent: it was damaged on the way, and is sent again.
        case "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch",
            "IncompleteBody", "RequestTimeout", "InternalError", "OperationAborted":
            .unreachable(retryAfter: retryAfter)
        case "PermanentRedirect", "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException":
            wrongRegion(bucket)
        case "EntityTooLarge": .tooLarge
        default: nil
        }
    }

    private func wrongRegion(_ bucket: String) -> StoreError {
        let place = region.map { " “\($0)”" } ?? " or at another endpoint"
        return .refused(
            "the bucket “\(bucket)” is in another region\(place); name it with region=…")
    }

    private var word: String { code.isEmpty ? "" : " (\(code))" }
}

extension HTTPError {
    /// The cause, in the words of stores.
    package var storeError: StoreError {
        switch cause {
        case .untrusted, .invalidRequest, .tooLarge: .refused(description)
        default: .unreachable(retryAfter: nil)
        }
    }
}
