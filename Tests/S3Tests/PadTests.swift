// SPDX-License-Identifier: Apache-2.0
//
// Pads on services that compare, that compare in their own words, and that do not compare.

import Cryptography
import Foundation
import LocalServer
import S3Double
import Scratchpads
import Stores
import Testing

@testable import S3

/// Runs `body` on another thread after a while.
func after(_ wait: Duration, _ body: @escaping @Sendable () -> Void) {
    Thread.detachNewThread {
        Thread.sleep(forTimeInterval: wait / .seconds(1))
        body()
    }
}

@Suite("Pads on S3", .timeLimit(.minutes(5)))
struct S3PadTests {
    private let pad = WriteCapability(seed: SecretBytes([UInt8](repeating: 9, count: 32)))

    private func record(_ text: String, _ counter: UInt64) throws -> PadRecord {
        try pad.seal(Array(text.utf8).span, encoding: 1, counter: counter)
    }

    private func open(_ service: S3Double) throws -> S3Store {
        var address = S3Address(bucket: S3Double.bucket)
        address.endpoint = service.endpoint
        let variables = [
            "AWS_ACCESS_KEY_ID": S3Double.accessKey, "AWS_SECRET_ACCESS_KEY": S3Double.secret,
        ]
        let surroundings = Surroundings(
            variable: { variables[$0] }, file: { _ in nil }, now: Surroundings.process.now)
        return try S3Store(
            address, create: true, source: try CredentialSource(address, surroundings),
            now: surroundings.now)
    }

    @Test(
        "what a service compares is found out, once, and the trial leaves nothing",
        arguments: [
            (.quoted, true, .exact(isQuoted: true)), (.unquoted, true, .exact(isQuoted: false)),
            (.ignored, true, .absence), (.ignored, false, .none), (.refused, true, .none),
        ] as [(S3Double.Comparing, Bool, PadCondition)])
    func probing(comparing: S3Double.Comparing, absence: Bool, found: PadCondition) throws {
        var behaviour = S3Double.Behaviour()
        behaviour.comparing = comparing
        behaviour.comparesAbsence = absence
        let service = try S3Double(behaviour)
        defer { service.stop() }
        let store = try open(service)
        #expect(try store.padCondition() == found)
        let count = service.requests.count
        #expect(try store.padCondition() == found)
        #expect(service.requests.count == count)
        #expect(Array(service.objects.keys) == ["cairn-store"])
        let isExact = if case .exact = found { true } else { false }
        #expect(try store.comparesPads() == isExact)
        // Whatever it compares, one machine alone is served right.
        for counter in 1...3 as ClosedRange<UInt64> {
            #expect(try store.put(record("\(counter)", counter)) == .accepted)
        }
        #expect(try store.put(record("old", 2)) == .standing(record("3", 3)))
        #expect(try store.get(pad.address) == record("3", 3))
        let (digest, bytes) = (Digests.of([1, 2]), [1, 2] as [UInt8])
        try store.put(digest, bytes)
        try store.put(digest, bytes)
        #expect(try store.get(digest) == bytes)
    }

    @Test("a put whose answer was lost is accepted when it is made again")
    func lostAnswer() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        let first = try record("first", 1)
        #expect(try store.put(first) == .accepted)
        let next = try record("next", 2)
        // The service has it; the connection breaks before it says so.
        let key = store.keys.pad(pad.address)
        let bytes = next.encoded()
        service.behave { $0.instead = { $0.method == "PUT" ? [.close] : nil } }
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try store.put(next) }
        service.behave { $0.instead = nil }
        service.change(key) { $0 = bytes }
        #expect(try store.put(next) == .accepted)
    }

    @Test("somebody who gets ahead between reading and replacing is not overwritten")
    func overtaken() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        #expect(try store.put(record("first", 1)) == .accepted)
        let theirs = try record("theirs", 5)
        let key = store.keys.pad(pad.address)
        let bytes = theirs.encoded()
        service.behave {
            $0.instead = { [weak service] request in
                // Just before our put arrives, theirs is there.
                if request.method == "PUT" { service?.change(key) { $0 = bytes } }
                return nil
            }
        }
        #expect(try store.put(record("ours", 3)) == .standing(theirs))
        #expect(try store.get(pad.address) == theirs)
    }

    // SEMANTICS: On an S3 service that compares nothing when it replaces an object, two machines
    // that publish in the same second can lose one of the two revisions without noticing
    // ([0015](decisions/0015-s3.md)); Ceph, MinIO, AWS and R2 compare.
    @Test("a service that compares nothing loses what comes between reading and replacing")
    func lostBetween() throws {
        var behaviour = S3Double.Behaviour()
        behaviour.comparing = .ignored
        behaviour.comparesAbsence = false
        let service = try S3Double(behaviour)
        defer { service.stop() }
        let store = try open(service)
        #expect(try store.put(record("first", 1)) == .accepted)
        #expect(try !store.comparesPads())
        let key = store.keys.pad(pad.address)
        let bytes = try record("theirs", 5).encoded()
        service.behave {
            $0.instead = { [weak service] request in
                if request.method == "PUT" { service?.change(key) { $0 = bytes } }
                return nil
            }
        }
        #expect(try store.put(record("ours", 3)) == .accepted)
        #expect(try store.get(pad.address) == record("ours", 3))
    }

    @Test("a pad that is replaced all the time is given up as busy")
    func restless() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        #expect(try store.put(record("first", 1)) == .accepted)
        let isPad = "/pads/"
        service.behave {
            $0.instead = { request in
                request.method == "PUT" && request.target.contains(isPad)
                    ? [.answer(412)] : nil
            }
        }
        #expect(throws: StoreError.busy(retryAfter: nil)) { try store.put(record("next", 2)) }
    }
}
