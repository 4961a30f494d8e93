// SPDX-License-Identifier: Apache-2.0
//
// What a service refuses, misunderstands or cannot do, and what the store makes of it. The contract
// of stores runs in StoresTests; a real service in GatewayTests.

import Cryptography
import Foundation
import HTTP
import LocalServer
import Primitives
import S3Double
import Scratchpads
import Stores
import Synchronization
import Testing

@testable import S3

@Suite("A store on S3", .timeLimit(.minutes(5)))
struct S3StoreTests {
    private func keys(_ token: String? = nil, secret: String = S3Double.secret) -> Surroundings {
        var variables = [
            "AWS_ACCESS_KEY_ID": S3Double.accessKey, "AWS_SECRET_ACCESS_KEY": secret,
        ]
        variables["AWS_SESSION_TOKEN"] = token
        let fixed = variables
        return Surroundings(
            variable: { fixed[$0] }, file: { _ in nil }, now: Surroundings.process.now)
    }

    private func address(_ service: S3Double, bucket: String = S3Double.bucket) -> S3Address {
        var address = S3Address(bucket: bucket, prefix: "some where/x")
        address.endpoint = service.endpoint
        return address
    }

    private func open(
        _ service: S3Double, create: Bool = true, _ surroundings: Surroundings? = nil,
        bucket: String = S3Double.bucket
    ) throws -> S3Store {
        let address = address(service, bucket: bucket)
        let surroundings = surroundings ?? keys()
        return try S3Store(
            address, create: create, source: try CredentialSource(address, surroundings),
            now: surroundings.now)
    }

    private func chunk(_ text: String) -> (Digest, [UInt8]) {
        (Digests.of(Array(text.utf8)), Array(text.utf8))
    }

    private func refusal(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return (error as? StoreError)?.description
        }
    }

    @Test("objects have the keys that the format says, and the bytes and no more")
    func keysOfObjects() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        let (digest, bytes) = chunk("chunk")
        let sha3 = Digests.of(bytes, algorithm: .sha3)
        try store.put(digest, bytes)
        try store.put(sha3, bytes)
        let pad = WriteCapability(seed: SecretBytes([UInt8](repeating: 7, count: 32)))
        let record = try pad.seal(Array("x".utf8).span, encoding: 1, counter: 1)
        #expect(try store.put(record) == .accepted)
        let root = "some where/x/"
        #expect(
            service.objects == [
                root + "cairn-store": Array("cairn s3 store\nformat 1\n".utf8),
                root + "chunks/\(digest.hex)": bytes, root + "chunks/\(sha3.hex).sha3": bytes,
                root + "pads/01-\(pad.address.hex)": record.encoded(),
            ])
    }

    @Test("a bucket is asked by its own host name where the address says so")
    func virtualHost() throws {
        let service = try S3Double()
        defer { service.stop() }
        var address = address(service)
        // Names below localhost are this machine's, by RFC 6761 and for curl.
        address.endpoint = service.endpoint.replacingOccurrences(of: "127.0.0.1", with: "localhost")
        address.style = .virtual
        let surroundings = keys()
        let store = try S3Store(
            address, create: true, source: try CredentialSource(address, surroundings),
            now: surroundings.now)
        let (digest, bytes) = chunk("chunk")
        try store.put(digest, bytes)
        #expect(try store.get(digest) == bytes)
        try store.list { $0 == digest }
        let port = service.endpoint.split(separator: ":").last ?? ""
        for request in service.requests {
            #expect(request.header("host") == "\(S3Double.bucket).localhost:\(port)")
            #expect(!request.target.hasPrefix("/\(S3Double.bucket)"))
        }
        #expect(service.objects.keys.contains("some where/x/chunks/\(digest.hex)"))
    }

    @Test("a put asks for nothing first, and one that is there already is not sent again")
    func putRequests() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        let (digest, bytes) = chunk("chunk")
        let before = service.requests.count
        try store.put(digest, bytes)
        #expect(service.requests.dropFirst(before).map(\.method) == ["PUT"])
        #expect(service.requests.last?.header("if-none-match") == "*")
        try store.put(digest, bytes)
        #expect(service.requests.dropFirst(before).map(\.method) == ["PUT", "PUT", "HEAD"])
        // A service whose tags say nothing is sent the bytes again, and is right again.
        service.behave { $0.hasOpaqueTags = true }
        try store.put(digest, bytes)
        #expect(service.requests.suffix(3).map(\.method) == ["PUT", "HEAD", "PUT"])
        #expect(try store.get(digest) == bytes)
    }

    @Test(
        "each refusal is a sentence of its own, and no retry for what will not pass",
        arguments: [
            (403, "AccessDenied", "denied", false),
            (403, "InvalidAccessKeyId", "access key", false),
            (403, "SignatureDoesNotMatch", "secret key", false),
            (403, "RequestTimeTooSkewed", "clock", false),
            (400, "ExpiredToken", "expired", false), (403, "QuotaExceeded", "quota", false),
            (507, "XMinioStorageFull", "no room", false), (402, "", "paid", false),
            (301, "PermanentRedirect", "another region", false), (418, "", "418", false),
            (503, "SlowDown", "less often", true), (429, "", "less often", true),
            (500, "InternalError", "does not answer", true), (502, "", "does not answer", true),
            (400, "XAmzContentSHA256Mismatch", "does not answer", true),
            (400, "RequestTimeout", "does not answer", true),
        ])
    func refusals(status: Int, code: String, part: String, isTransient: Bool) throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        service.behave {
            $0.instead = { _ in
                let text = code.isEmpty ? "" : "<Error><Code>\(code)</Code></Error>"
                return [.answer(status, [("Retry-After", "7")], Array(text.utf8))]
            }
        }
        let (digest, bytes) = chunk("chunk")
        let calls: [() throws -> Void] = [
            { try store.put(digest, bytes) }, { _ = try store.get(digest) },
            { _ = try store.has([digest, digest] + (0..<9).map { self.chunk("\($0)").0 }) },
            { try store.delete(digest) }, { try store.list { _ in true } },
        ]
        for call in calls {
            do {
                try call()
                Issue.record("went through")
            } catch let error as StoreError {
                #expect(error.description.contains(part), "\(error)")
                #expect(error.isTransient == isTransient)
                if case .busy(let wait) = error { #expect(wait == .seconds(7)) }
            }
        }
    }

    @Test("a wrong secret, an unknown key, a missing bucket are said when the store is opened")
    func opening() throws {
        let service = try S3Double()
        defer { service.stop() }
        #expect(
            refusal { _ = try open(service, keys(secret: "wrong")) }?.contains("secret key") == true
        )
        #expect(
            refusal { _ = try open(service, bucket: "nowhere") }?
                .contains("there is no bucket “nowhere”") == true)
        #expect(
            refusal { _ = try open(service, create: false) }?.contains("has no object") == true)
        _ = try open(service)
        _ = try open(service, create: false)
        _ = try open(service)
        service.behave { $0.clockOffset = 3600 }
        #expect(refusal { _ = try open(service, create: false) }?.contains("clock") == true)
    }

    @Test("a place with other things in it is left alone, and so is a newer format")
    func foreignPlaces() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        service.change("some where/x/cairn-store") { $0 = Array("cairn s3 store\nformat 2\n".utf8) }
        #expect(throws: StoreError.newerFormat(found: 2, supported: 1)) { _ = try open(service) }
        for text in ["", "cairn s3 store\nformat 0\n", "hello", "cairn s3 store\nformat x\n"] {
            service.change("some where/x/cairn-store") { $0 = Array(text.utf8) }
            #expect(refusal { _ = try open(service) }?.contains("damaged") == true)
        }
        service.change("some where/x/cairn-store") { $0 = [UInt8](repeating: 65, count: 200_000) }
        #expect(refusal { _ = try open(service) }?.contains("damaged") == true)
        try store.remove("some where/x/cairn-store")
        _ = try store.client.send(
            S3Request(method: .put, key: "some where/x/photo.jpg", body: [1]))
        #expect(refusal { _ = try open(service) }?.contains("other things") == true)
    }

    @Test("a service that is away when the store is opened is asked for the marker later")
    func openedOffline() throws {
        let service = try S3Double()
        defer { service.stop() }
        service.behave { $0.instead = { _ in [.answer(503)] } }
        let (digest, bytes) = chunk("chunk")
        let store = try open(service, create: false)
        #expect(throws: StoreError.busy(retryAfter: nil)) { try store.get(digest) }
        service.behave { $0.instead = nil }
        #expect(refusal { try store.put(digest, bytes) }?.contains("has no object") == true)
        #expect(service.objects.isEmpty)
        _ = try open(service)
        try store.put(digest, bytes)
        #expect(try store.get(digest) == bytes)
    }

    @Test("keys that expired are read anew, once, and only if they changed")
    func expiredToken() throws {
        let service = try S3Double()
        defer { service.stop() }
        final class Box: Sendable {
            let token = Mutex("old")
        }
        let box = Box()
        let changing = Surroundings(
            variable: { name in
                switch name {
                case "AWS_ACCESS_KEY_ID": S3Double.accessKey
                case "AWS_SECRET_ACCESS_KEY": S3Double.secret
                case "AWS_SESSION_TOKEN": box.token.withLock { $0 }
                default: nil
                }
            }, file: { _ in nil }, now: Surroundings.process.now)
        let store = try open(service, changing)
        let (digest, bytes) = chunk("chunk")
        try store.put(digest, bytes)
        service.behave { $0.expiredTokens = ["old"] }
        let before = service.requests.count
        #expect(refusal { _ = try store.get(digest) }?.contains("expired") == true)
        #expect(service.requests.count == before + 1)
        box.token.withLock { $0 = "new" }
        #expect(try store.get(digest) == bytes)
        #expect(service.requests.last?.header("x-amz-security-token") == "new")
    }

    @Test("keys that rotate while many requests are under way serve all of them")
    func rotationUnderLoad() throws {
        let service = try S3Double()
        defer { service.stop() }
        struct State {
            var token = "old"
            var whileLooking: (@Sendable () -> Void)?
        }
        final class Box: Sendable {
            let state = Mutex(State())
        }
        final class Fetched: Sendable {
            let bytes = Mutex<[UInt8]?>(nil)
        }
        let box = Box()
        let changing = Surroundings(
            variable: { name in
                switch name {
                case "AWS_ACCESS_KEY_ID": return S3Double.accessKey
                case "AWS_SECRET_ACCESS_KEY": return S3Double.secret
                case "AWS_SESSION_TOKEN":
                    let body = box.state.withLock { state in
                        defer { state.whileLooking = nil }
                        return state.whileLooking
                    }
                    body?()
                    return box.state.withLock { $0.token }
                default: return nil
                }
            }, file: { _ in nil }, now: Surroundings.process.now)
        let store = try open(service, changing)
        let (digest, bytes) = chunk("chunk")
        try store.put(digest, bytes)
        service.behave { $0.expiredTokens = ["old"] }
        // The second request is refused, finds the new keys and succeeds while the first, refused
        // as well, still looks for them.
        let fetched = Fetched()
        box.state.withLock {
            $0.token = "new"
            $0.whileLooking = {
                // What it throws shows in what was fetched.
                fetched.bytes.withLock { $0 = try? store.get(digest) }
            }
        }
        let before = service.requests.count
        #expect(try store.get(digest) == bytes)
        #expect(fetched.bytes.withLock { $0 } == bytes)
        let tokens = service.requests.dropFirst(before).map { $0.header("x-amz-security-token") }
        #expect(tokens == ["old", "old", "new", "new"])
        // And at once from here on.
        #expect(try store.get(digest) == bytes)
        #expect(service.requests.count == before + 5)
    }

    @Test("has needs no more requests than there are pages, and none for nothing")
    func hasInPages() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        let chunks = (0..<60).map { chunk("\($0)") }
        for (digest, bytes) in chunks where bytes.count == 2 { try store.put(digest, bytes) }
        let before = service.requests.count
        let there = Set(chunks.filter { $0.1.count == 2 }.map { $0.0 })
        #expect(try store.has(chunks.map { $0.0 }) == there)
        #expect(service.requests.count == before + 1)
        #expect(try store.has([]) == [])
        #expect(service.requests.count == before + 1)
    }

    @Test("listings of many pages are gone through, and one that never ends ends")
    func longListings() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        let all = Set((0..<2500).map { chunk("\($0)").0 })
        for digest in all {
            _ = try store.client.send(
                S3Request(method: .put, key: store.keys.chunk(digest), body: [1]))
        }
        var seen: [Digest] = []
        try store.list {
            seen.append($0)
            return true
        }
        #expect(seen.count == 2500 && Set(seen) == all)
        #expect(try store.has(Array(all)) == all)
        // The same page for ever.
        service.behave {
            $0.instead = { _ in
                let key = "some where/x/chunks/a"
                let text =
                    "<R><IsTruncated>true</IsTruncated><Key>\(key)</Key></R>"
                return [.answer(200, [], Array(text.utf8))]
            }
        }
        try store.list { _ in true }
        _ = try store.has(Array(all.prefix(20)))
    }

    @Test("an object larger than any chunk is damage, not memory")
    func oversize() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        let (digest, bytes) = chunk("chunk")
        try store.put(digest, bytes)
        let huge = [UInt8](repeating: 1, count: StoreLimits.maximumChunkSize + 5000)
        service.change(store.keys.chunk(digest)) { $0 = huge }
        let seen = Digests.of(Array(huge.prefix(StoreLimits.maximumChunkSize + 1)))
        #expect(throws: StoreError.corrupt(wanted: digest, got: seen)) { try store.get(digest) }
    }

    @Test("what answers and is no S3 is told apart")
    func noService() throws {
        let server = try LocalServer { _ in [.answer(404, [], Array("<html>nope</html>".utf8))] }
        defer { server.stop() }
        var address = S3Address(bucket: "bucket")
        address.endpoint = server.url
        let source = try CredentialSource(address, keys())
        #expect(
            refusal {
                _ = try S3Store(address, create: true, source: source, now: { 0 })
            }?.contains("no S3 service") == true)
    }

    @Test("stop ends a call that waits for the service")
    func stop() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        service.behave { $0.instead = { _ in [.silence] } }
        after(.milliseconds(100)) { store.stop() }
        let time = ContinuousClock().measure {
            #expect(throws: StoreError.unreachable(retryAfter: nil)) {
                try store.get(chunk("chunk").0)
            }
        }
        #expect(time < .seconds(20))
    }
}
