// SPDX-License-Identifier: Apache-2.0
//
// What only a real service shows: Ceph's gateway, started by Tests/Ceph/rgw.

import Cryptography
import Foundation
import HTTP
import Primitives
import Stores
import Testing

@testable import S3

/// The gateway that the script has started.
enum Gateway {
    private static let environment = ProcessInfo.processInfo.environment
    static var isThere: Bool { environment["CAIRN_RGW_ENDPOINT"] != nil }

    static var secureEndpoint: String? { environment["CAIRN_RGW_SECURE"] }
    static var authority: String? { environment["CAIRN_RGW_CA"] }

    static func address(_ bucket: String) -> S3Address {
        var address = S3Address(bucket: bucket, prefix: UUID().uuidString)
        address.endpoint = environment["CAIRN_RGW_ENDPOINT"]
        return address
    }

    static func surroundings(_ changes: [String: String] = [:], late: Int64 = 0) -> Surroundings {
        Surroundings(
            variable: { changes[$0] ?? environment[$0] }, file: { _ in nil },
            now: { Surroundings.process.now() - late })
    }

    static func make(bucket: String) throws {
        let address = address(bucket)
        let client = S3Client(
            address, try CredentialSource(address), now: Surroundings.process.now)
        _ = try client.send(S3Request(method: .put, key: nil), accepting: [409])
    }

    static func open(
        _ address: S3Address, _ surroundings: Surroundings = surroundings()
    ) throws -> S3Store {
        try S3Store(
            address, create: true, source: try CredentialSource(address, surroundings),
            now: surroundings.now)
    }

    /// radosgw-admin.
    static func admin(_ arguments: [String]) throws {
        _ = try script("admin", arguments)
    }

    /// Keys with a session token, as variables: a good one, one that expired, or a foreign one; and
    /// where they are taken.
    static func session(_ kind: String) throws -> (keys: [String: String], endpoint: String) {
        let lines = try script("session", [kind]).split(separator: "\n").map(String.init)
        try #require(lines.count == 4)
        let keys = [
            "AWS_ACCESS_KEY_ID": lines[0], "AWS_SECRET_ACCESS_KEY": lines[1],
            "AWS_SESSION_TOKEN": lines[2],
        ]
        return (keys, lines[3])
    }

    private static func script(_ verb: String, _ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: environment["CAIRN_RGW_SCRIPT"] ?? "")
        process.arguments = [verb, environment["CAIRN_RGW"] ?? ""] + arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return String(decoding: text, as: UTF8.self)
    }
}

@Suite(
    "Ceph's gateway", .timeLimit(.minutes(5)),
    .enabled(if: Gateway.isThere, "no gateway was started: Tests/Ceph/rgw run"))
struct GatewayTests {
    private func sentence(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return (error as? StoreError)?.description ?? "\(error)"
        }
    }

    private func chunk(_ text: String) -> (Digest, [UInt8]) {
        (Digests.of(Array(text.utf8)), Array(text.utf8))
    }

    @Test("it compares, in words of its own, which are found out")
    func compares() throws {
        try Gateway.make(bucket: "compares")
        let store = try Gateway.open(Gateway.address("compares"))
        #expect(try store.comparesPads())
        guard case .exact = try store.padCondition() else {
            Issue.record("pads are not compared")
            return
        }
    }

    @Test("wrong keys, a missing bucket and a wrong clock are told apart")
    func refusals() throws {
        try Gateway.make(bucket: "refusals")
        let address = Gateway.address("refusals")
        func refusal(_ changes: [String: String], late: Int64 = 0) -> String? {
            sentence { _ = try Gateway.open(address, Gateway.surroundings(changes, late: late)) }
        }
        #expect(refusal(["AWS_SECRET_ACCESS_KEY": "wrong"])?.contains("secret key") == true)
        #expect(refusal(["AWS_ACCESS_KEY_ID": "NOBODY"])?.contains("access key") == true)
        // The service allows a quarter of an hour.
        for late in [1200, -1200, 3600, -3600] as [Int64] {
            #expect(refusal([:], late: late)?.contains("clock") == true, "late by \(late) s")
        }
        #expect(refusal([:], late: 600) == nil)
        let none = sentence { _ = try Gateway.open(Gateway.address("not-there")) }
        #expect(none?.contains("there is no bucket “not-there”") == true)
        #expect(refusal([:]) == nil)
    }

    @Test("a session's keys open it; a token that ran out, or of another service, does not")
    func sessions() throws {
        try Gateway.make(bucket: "sessions")
        let good = try Gateway.session("good")
        var address = Gateway.address("sessions")
        address.endpoint = good.endpoint
        let place = address
        let store = try Gateway.open(place, Gateway.surroundings(good.keys))
        let (digest, bytes) = chunk("by a role")
        try store.put(digest, bytes)
        #expect(try store.get(digest) == bytes)
        func refusal(_ changes: [String: String]) -> StoreError? {
            do {
                _ = try Gateway.open(place, Gateway.surroundings(changes))
                return nil
            } catch {
                return error as? StoreError
            }
        }
        let expired = try #require(refusal(Gateway.session("expired").keys))
        #expect(expired.description.contains("the session token has expired; get new keys"))
        #expect(!expired.isTransient)
        let foreign = try #require(refusal(Gateway.session("foreign").keys))
        #expect(foreign.description.contains("session token"))
        #expect(foreign.description.contains("get new keys") && !foreign.isTransient)
        var cut = good.keys
        cut["AWS_SESSION_TOKEN"]?.removeLast(8)
        #expect(refusal(cut)?.description.contains("session token") == true)
    }

    @Test(
        "over TLS it is trusted by its own authority's file, and by nothing else; in both styles",
        arguments: [.path, .virtual] as [S3Address.Style])
    func secure(style: S3Address.Style) throws {
        try Gateway.make(bucket: "secure")
        var address = Gateway.address("secure")
        address.endpoint = Gateway.secureEndpoint
        address.style = style
        let untrusted = address
        #expect(sentence { _ = try Gateway.open(untrusted) }?.contains("certificate") == true)
        address.certificateFile = Gateway.authority
        let store = try Gateway.open(address)
        let (digest, bytes) = chunk("over TLS, \(style)")
        try store.put(digest, bytes)
        try store.put(digest, bytes)
        #expect(try store.get(digest) == bytes && store.has([digest]) == [digest])
        #expect(try store.comparesPads())
        // The same place, by the other way.
        var plain = address
        (plain.endpoint, plain.style, plain.certificateFile) = (
            Gateway.address("secure").endpoint, nil, nil
        )
        let other = try S3Store(
            plain, create: false, source: try CredentialSource(plain, Gateway.surroundings()),
            now: Surroundings.process.now)
        #expect(try other.get(digest) == bytes)
    }

    @Test("an upload that is refused does not hold up the next request")
    func refusedUpload() throws {
        try Gateway.make(bucket: "uploads")
        let good = try Gateway.open(Gateway.address("uploads"))
        let address = Gateway.address("no-such-bucket")
        let client = S3Client(
            address, try CredentialSource(address), now: Surroundings.process.now)
        let big = [UInt8](repeating: 7, count: 4 << 20)
        let time = ContinuousClock().measure {
            for _ in 0..<3 {
                let failure = sentence {
                    _ = try client.send(S3Request(method: .put, key: "x", body: big))
                }
                #expect(failure?.contains("no bucket") == true)
            }
        }
        #expect(time < .seconds(15))
        let (digest, bytes) = chunk("after")
        try good.put(digest, bytes)
        #expect(try good.get(digest) == bytes)
    }

    @Test("bytes that were changed on the way are refused by the service")
    func checksum() throws {
        try Gateway.make(bucket: "checksums")
        let address = Gateway.address("checksums")
        let source = try CredentialSource(address)
        let client = S3Client(address, source, now: Surroundings.process.now)
        // Signed for other bytes: what a broken machine between would make of it.
        var message = client.signed(
            S3Request(method: .put, key: "x", body: [1, 2, 3]), with: source.credentials,
            at: SigningTime(secondsSince1970: Surroundings.process.now()))
        message.body = .bytes([1, 2, 4])
        let http = HTTPClient(HTTPClient.Configuration(userAgent: "test"))
        #expect(try http.perform(message).status == 400)
    }

    @Test("a bucket's quota is told from a full disk")
    func quota() throws {
        try Gateway.make(bucket: "quota")
        let store = try Gateway.open(Gateway.address("quota"))
        try Gateway.admin([
            "quota", "set", "--bucket=quota", "--quota-scope=bucket", "--max-objects=20",
            "--uid=test",
        ])
        try Gateway.admin([
            "quota", "enable", "--bucket=quota", "--quota-scope=bucket", "--uid=test",
        ])
        var failure: StoreError?
        for index in 0..<200 where failure == nil {
            let (digest, bytes) = chunk("chunk \(index)")
            do throws(StoreError) { try store.put(digest, bytes) } catch { failure = error }
        }
        #expect(failure == .quotaExceeded)
    }

    @Test("a thousand objects and more are listed, and asked for, in pages")
    func pages() throws {
        try Gateway.make(bucket: "pages")
        let store = try Gateway.open(Gateway.address("pages"))
        let chunks = (0..<1200).map { chunk("chunk \($0)") }
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for index in stride(from: thread, to: chunks.count, by: 8) {
                // What is missing shows below.
                try? store.put(chunks[index].0, chunks[index].1)
            }
        }
        var seen: Set<Digest> = []
        try store.list {
            seen.insert($0)
            return true
        }
        let all = Set(chunks.map { $0.0 })
        #expect(seen == all)
        #expect(try store.has(Array(all) + [chunk("other").0]) == all)
    }
}
