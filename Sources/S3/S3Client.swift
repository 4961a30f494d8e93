// SPDX-License-Identifier: Apache-2.0
//
// Signed requests to one bucket.
//
// Invariants:
// - What is signed is what is sent: address, headers and body are made once, for both.
// - A refusal is judged by the keys that the request was signed with, whichever are known by then.
// - No text made here holds a key, a token or a signature.

internal import Cryptography
internal import HTTP
internal import Primitives
internal import Stores

/// One request to a bucket.
struct S3Request {
    var method: HTTPMethod
    /// The object; nil for the bucket itself.
    var key: String?
    var query: [(String, String)] = []
    var headers: [(String, String)] = []
    /// Nil for none.
    var body: [UInt8]?
    /// The most bytes of an answer that succeeds; errors have up to `S3Client.errorSize`.
    var answerSize = 0
}

/// A bucket on a service. Any number of threads may use it at once.
final class S3Client: Sendable {
    /// The most bytes of an error's document.
    static let errorSize = 64 * 1024
    /// The longest silence of a server that is asked.
    static let stallLimit = Duration.seconds(30)
    /// The longest request: a chunk at 5 KB/s. A server that sends a byte now and then ends here.
    static let requestLimit = Duration.seconds(900)
    /// Connections in use at once.
    static let connectionLimit = 64

    let address: S3Address
    private let http: HTTPClient
    private let source: CredentialSource
    private let now: @Sendable () -> Int64
    /// `https://host`, and what stands between it and the key.
    private let base: String
    private let host: String
    private let pathPrefix: String

    /// How fast a body may go.
    private let speeds: HTTPSpeeds

    init(
        _ address: S3Address, _ source: CredentialSource, speeds: HTTPSpeeds = HTTPSpeeds(),
        now: @escaping @Sendable () -> Int64
    ) {
        self.address = address
        self.speeds = speeds
        self.source = source
        self.now = now
        let endpoint = address.endpoint ?? "https://s3.\(source.region).amazonaws.com"
        let isSecure = endpoint.hasPrefix("https://")
        var host = String(endpoint.dropFirst(isSecure ? 8 : 7))
        // Left out of the header `Host`, which is signed.
        let usualPort = isSecure ? ":443" : ":80"
        if host.hasSuffix(usualPort) { host.removeLast(usualPort.count) }
        // A certificate for *.host does not cover a bucket's name with dots.
        let usual: S3Address.Style =
            address.endpoint == nil && !address.bucket.contains(".") ? .virtual : .path
        let isVirtual = (address.style ?? usual) == .virtual
        self.host = isVirtual ? "\(address.bucket).\(host)" : host
        pathPrefix = isVirtual ? "/" : "/\(address.bucket)/"
        base = (isSecure ? "https://" : "http://") + self.host
        http = HTTPClient(
            HTTPClient.Configuration(
                userAgent: "cairn", certificateFile: address.certificateFile,
                connectionLimit: S3Client.connectionLimit))
    }

    /// Ends what is under way, and every later request.
    func stop() { http.stop() }

    /// Sends a request.
    ///
    /// - Parameter accepted: statuses that the caller looks at, beside success.
    /// - Throws: what any other status means.
    func send(_ request: S3Request, accepting accepted: Set<Int> = []) throws(StoreError)
        -> HTTPResponse
    {
        let used = source.credentials
        let response = try sendOnce(request, used)
        if response.isSuccess || accepted.contains(response.status) { return response }
        let failure = failure(response, used)
        // Whoever makes keys that expire writes new ones before; those may be there by now.
        guard failure.isAboutKeys, let others = source.others(than: used) else {
            throw failure.storeError(bucket: address.bucket)
        }
        let second = try sendOnce(request, others)
        if second.isSuccess || accepted.contains(second.status) { return second }
        throw self.failure(second, others).storeError(bucket: address.bucket)
    }

    private func failure(_ response: HTTPResponse, _ used: S3Credentials) -> S3Failure {
        S3Failure(response, usedToken: used.sessionToken != nil)
    }

    private func sendOnce(
        _ request: S3Request, _ credentials: S3Credentials
    ) throws(StoreError) -> HTTPResponse {
        let message = signed(
            request, with: credentials, at: SigningTime(secondsSince1970: now()))
        do throws(HTTPError) {
            return try http.perform(message)
        } catch {
            if case .tooLarge = error.cause { throw .tooLarge }
            throw error.storeError
        }
    }

    /// A request with its signature.
    func signed(
        _ request: S3Request, with credentials: S3Credentials, at time: SigningTime
    ) -> HTTPRequest {
        let path = pathPrefix + PercentEncoding.encode(request.key ?? "", keepsSlashes: true)
        let bodyHash = Hex.encode(SHA2.sha256(request.body ?? []))
        var headers = request.headers
        headers.append(("x-amz-content-sha256", bodyHash))
        headers.append(("x-amz-date", time.text))
        if let token = credentials.sessionToken { headers.append(("x-amz-security-token", token)) }
        let signable = SignableRequest(
            method: request.method.rawValue, path: path, query: request.query,
            headers: headers + [("host", host)], bodyHash: bodyHash)
        let key = SigningKey(credentials: credentials, region: source.region)
        headers.append(("Authorization", signable.authorization(key, at: time)))
        let query = SignableRequest.encoded(request.query)
        var message = HTTPRequest(
            request.method, base + path + (query.isEmpty ? "" : "?" + query),
            headers: headers.map { HTTPHeader($0.0, $0.1) },
            body: request.body.map { .bytes($0) } ?? .none,
            sink: .collect(limit: max(request.answerSize, S3Client.errorSize)),
            timeouts: HTTPTimeouts(stall: S3Client.stallLimit, total: limit(of: request)))
        message.speeds = speeds
        return message
    }

    /// The longest that a request may take: longer where it may not go faster.
    private func limit(of request: S3Request) -> Duration {
        func time(_ count: Int, _ speed: UInt64?) -> Duration {
            guard let speed else { return .zero }
            return .seconds(2 * Double(count) / Double(max(speed, 1)))
        }
        return S3Client.requestLimit + time(request.body?.count ?? 0, speeds.sent)
            + time(request.answerSize, speeds.received)
    }
}
