// SPDX-License-Identifier: Apache-2.0
//
// A strict S3 service in this process, for what a real one cannot be made to do on demand. It
// verifies every signature from the specification, apart from the code under test.

import Cryptography
import Foundation
package import LocalServer
import Primitives
import Synchronization
import TestSupport

/// One bucket, one key, and a behaviour.
package final class S3Double: Sendable {
    /// What the service does with `If-Match` on a put.
    package enum Comparing: Sendable {
        /// Wants the tag as the standard writes it, in quotes.
        case quoted
        /// Wants it without.
        case unquoted
        /// Takes it, and does not look.
        case ignored
        /// Answers 501 to any condition.
        case refused
    }

    /// How the service behaves; may be changed while it runs.
    package struct Behaviour: Sendable {
        package var comparing = Comparing.quoted
        /// Whether `If-None-Match: *` is honoured.
        package var comparesAbsence = true
        /// The most bytes of all objects together.
        package var quota = Int.max
        /// How far this service's clock is ahead.
        package var clockOffset: Int64 = 0
        /// Session tokens that have expired.
        package var expiredTokens: Set<String> = []
        /// Whether objects' tags are those of encrypted ones, which are no MD5.
        package var hasOpaqueTags = false
        /// Of a hundred puts that were done, the answers of so many are lost, or say 500.
        package var losesAnswers = 0
        /// Asked before each request that is signed right: steps instead of the service's own.
        package var instead: (@Sendable (LocalServer.Request) -> [LocalServer.Step]?)?

        package init() {}
    }

    private struct State {
        var behaviour: Behaviour
        var objects: [String: [UInt8]] = [:]
        var history: [(key: String, bytes: [UInt8])] = []
        var dice: SeededGenerator
    }

    package static let bucket = "bucket"
    package static let accessKey = "AKIDDOUBLE"
    package static let secret = "double/secret+key"
    private static let allowedSkew: Int64 = 15 * 60

    private let state: Mutex<State>
    private let listening = Mutex<LocalServer?>(nil)

    /// Starts the service.
    ///
    /// - Parameter seed: what its choices follow from.
    package init(_ behaviour: Behaviour = Behaviour(), seed: UInt64 = 1) throws {
        state = Mutex(State(behaviour: behaviour, dice: SeededGenerator(seed: seed)))
        let server = try LocalServer { [weak self] request in
            self?.answer(request) ?? [.close]
        }
        listening.withLock { $0 = server }
    }

    private var server: LocalServer {
        guard let server = listening.withLock({ $0 }) else {
            preconditionFailure("the service was not started")
        }
        return server
    }

    /// `http://127.0.0.1:port`.
    package var endpoint: String { server.url }

    /// All requests so far.
    package var requests: [LocalServer.Request] { server.requests }

    /// What rests in the bucket.
    package var objects: [String: [UInt8]] { state.withLock { $0.objects } }

    /// Everything that a put stored under a key, in order.
    package func history(of key: String) -> [[UInt8]] {
        state.withLock { $0.history.filter { $0.key == key }.map(\.bytes) }
    }

    /// Changes the behaviour.
    package func behave(_ change: (inout Behaviour) -> Void) {
        state.withLock { change(&$0.behaviour) }
    }

    /// Changes an object behind the service's back; its tag changes as well.
    package func change(_ key: String, _ body: (inout [UInt8]) -> Void) {
        state.withLock { state in
            guard var bytes = state.objects[key] else { return }
            body(&bytes)
            state.objects[key] = bytes
        }
    }

    /// Ends the service.
    package func stop() { server.stop() }

    private func answer(_ request: LocalServer.Request) -> [LocalServer.Step] {
        let behaviour = state.withLock { $0.behaviour }
        if let refusal = refusal(request, behaviour) { return refusal }
        if let steps = behaviour.instead?(request) { return steps }
        let parts = request.target.split(separator: "?", maxSplits: 1)
        var path = parts[0].removingPercentEncoding ?? ""
        // By its own host name a bucket is not in the path.
        if request.header("host")?.hasPrefix("\(S3Double.bucket).") == true {
            path = "/\(S3Double.bucket)" + path
        }
        guard path.hasPrefix("/\(S3Double.bucket)/") else { return error(404, "NoSuchBucket") }
        let key = String(path.dropFirst(S3Double.bucket.count + 2))
        switch (request.method, key) {
        case ("GET", ""): return listing(parts.count > 1 ? String(parts[1]) : "")
        case ("GET", _), ("HEAD", _): return get(key, request, behaviour)
        case ("PUT", _): return put(key, request, behaviour)
        case ("DELETE", _):
            state.withLock { $0.objects[key] = nil }
            return [.answer(204)]
        default: return error(405, "MethodNotAllowed")
        }
    }

    private func get(
        _ key: String, _ request: LocalServer.Request, _ behaviour: Behaviour
    ) -> [LocalServer.Step] {
        let isHead = request.method == "HEAD"
        guard let bytes = objects[key] else {
            return isHead ? [.answer(404)] : error(404, "NoSuchKey")
        }
        let tag = ("ETag", tag(of: bytes, behaviour))
        if isHead {
            let size = ("Content-Length", "\(bytes.count)")
            return [.send(LocalServer.Step.head(200, [tag, size]))]
        }
        if let last = request.header("range").flatMap({ Int($0.dropFirst("bytes=0-".count)) }) {
            return [.answer(206, [tag], Array(bytes.prefix(last + 1)))]
        }
        return [.answer(200, [tag], bytes)]
    }

    private func put(
        _ key: String, _ request: LocalServer.Request, _ behaviour: Behaviour
    ) -> [LocalServer.Step] {
        let absence = request.header("if-none-match")
        let match = request.header("if-match")
        if behaviour.comparing == .refused, absence != nil || match != nil {
            return error(501, "NotImplemented")
        }
        return state.withLock { state in
            let standing = state.objects[key]
            if behaviour.comparesAbsence, absence == "*", standing != nil {
                return error(412, "PreconditionFailed")
            }
            if let match, behaviour.comparing != .ignored {
                guard let standing else { return error(404, "NoSuchKey") }
                let quoted = tag(of: standing, behaviour)
                let wanted =
                    behaviour.comparing == .quoted
                    ? quoted : quoted.replacingOccurrences(of: "\"", with: "")
                guard match == wanted else { return error(412, "PreconditionFailed") }
            }
            let others = state.objects.reduce(0) { $0 + ($1.key == key ? 0 : $1.value.count) }
            guard others + request.body.count <= behaviour.quota else {
                return error(403, "QuotaExceeded")
            }
            state.objects[key] = request.body
            state.history.append((key, request.body))
            if state.dice.chance(behaviour.losesAnswers) {
                return state.dice.chance(50) ? [.close] : error(500, "InternalError")
            }
            return [.answer(200, [("ETag", tag(of: request.body, behaviour))])]
        }
    }

    private func listing(_ query: String) -> [LocalServer.Step] {
        let pairs = query.split(separator: "&").map { $0.split(separator: "=", maxSplits: 1) }
        func value(_ name: String) -> String {
            pairs.first { $0[0] == name }.flatMap {
                $0.count > 1 ? String($0[1]).removingPercentEncoding : nil
            } ?? ""
        }
        let (prefix, start) = (value("prefix"), value("start-after"))
        let most = Int(value("max-keys")) ?? 1000
        let keys = objects.keys.filter { $0.hasPrefix(prefix) && $0 > start }.sorted()
        let contents = keys.prefix(most).map { key in
            let escaped = key.replacingOccurrences(of: "&", with: "&amp;")
            return "<Contents><Key>\(escaped)</Key><Size>1</Size></Contents>"
        }.joined()
        let text =
            "<?xml version=\"1.0\"?><ListBucketResult><Name>bucket</Name>"
            + "<IsTruncated>\(keys.count > most)</IsTruncated>\(contents)</ListBucketResult>"
        return [.answer(200, [], Array(text.utf8))]
    }

    private func tag(of bytes: [UInt8], _ behaviour: Behaviour) -> String {
        let isOpaque = behaviour.hasOpaqueTags
        let hash = MD5.hash(bytes)
        return "\"\(Hex.encode(isOpaque ? hash.reversed() : hash))\""
    }

    private func error(_ status: Int, _ code: String) -> [LocalServer.Step] {
        let text = "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>no</Message></Error>"
        return [.answer(status, [("Content-Type", "application/xml")], Array(text.utf8))]
    }

    /// What a request gets that is not signed right, or says other things than its signature.
    private func refusal(
        _ request: LocalServer.Request, _ behaviour: Behaviour
    ) -> [LocalServer.Step]? {
        guard let signature = SignatureCheck(request) else { return error(403, "AccessDenied") }
        guard signature.accessKey == S3Double.accessKey else {
            return error(403, "InvalidAccessKeyId")
        }
        guard signature.isRight(secret: S3Double.secret) else {
            return error(403, "SignatureDoesNotMatch")
        }
        let now = Int64(Date().timeIntervalSince1970) + behaviour.clockOffset
        guard let time = signature.seconds, abs(time - now) <= S3Double.allowedSkew else {
            return error(403, "RequestTimeTooSkewed")
        }
        if let token = request.header("x-amz-security-token"),
            behaviour.expiredTokens.contains(token)
        {
            return error(400, "ExpiredToken")
        }
        let hash = Hex.encode(SHA2.sha256(request.body))
        guard request.header("x-amz-content-sha256") == hash else {
            return error(400, "XAmzContentSHA256Mismatch")
        }
        return nil
    }
}
