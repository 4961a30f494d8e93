// SPDX-License-Identifier: Apache-2.0
//
// Pads on services that compare, that compare in their own words, and that do not compare.

import Cryptography
import Foundation
import LocalServer
import S3Double
import Scratchpads
import Stores
import Synchronization
import TestSupport
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

    /// One machine's saves of a pad, each as often tried as a mount would.
    private final class Machine: Sendable {
        let store: S3Store
        private let name: String
        private let saves = Mutex<[(record: PadRecord, outcome: PadPutOutcome)]>([])

        init(_ store: S3Store, _ name: String) {
            (self.store, self.name) = (store, name)
        }

        var outcomes: [(record: PadRecord, outcome: PadPutOutcome)] { saves.withLock { $0 } }

        private func tried<R>(_ body: () throws(StoreError) -> R) throws(StoreError) -> R {
            while true {
                do throws(StoreError) { return try body() } catch {
                    guard error.isTransient else { throw error }
                }
            }
        }

        /// Saves what it likes over what stands, or, now and then, over what stood before.
        func save(_ pad: WriteCapability, times: Int, seed: UInt64) throws {
            var dice = SeededGenerator(seed: seed)
            var known: UInt64 = 0
            for number in 0..<times {
                if dice.chance(70) {
                    known = try tried { () throws(StoreError) in
                        try store.get(pad.address)?.counter ?? 0
                    }
                }
                let text = Array("\(name) \(number)".utf8)
                let record = try pad.seal(text.span, encoding: 1, counter: known + 1)
                let outcome = try tried { () throws(StoreError) in try store.put(record) }
                saves.withLock { $0.append((record, outcome)) }
                if case .accepted = outcome { known = record.counter }
            }
        }
    }

    @Test(
        "two machines save a pad, and answers are lost: what was accepted stood, nothing is lost",
        arguments: [1, 2, 3, .random(in: 4 ... .max)] as [UInt64],
        [.quoted, .unquoted] as [S3Double.Comparing])
    func twoMachines(seed: UInt64, comparing: S3Double.Comparing) throws {
        var behaviour = S3Double.Behaviour()
        behaviour.comparing = comparing
        let service = try S3Double(behaviour, seed: seed)
        defer { service.stop() }
        let machines = [Machine(try open(service), "a"), Machine(try open(service), "b")]
        for machine in machines { _ = try machine.store.padCondition() }
        service.behave { $0.losesAnswers = 40 }
        let failures = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: machines.count) { index in
            do {
                try machines[index].save(pad, times: 40, seed: seed &+ UInt64(index))
            } catch {
                failures.withLock { $0.append("\(error)") }
            }
        }
        #expect(failures.withLock { $0 } == [], "seed \(seed)")
        let stood = try service.history(of: machines[0].store.keys.pad(pad.address)).map {
            try PadRecord(decoding: $0)
        }
        // Nothing is lost between: each record stands on the one that was read.
        #expect(stood.map(\.counter) == Array(1...UInt64(stood.count)), "seed \(seed)")
        for (record, outcome) in machines.flatMap(\.outcomes) {
            switch outcome {
            case .accepted: #expect(stood.contains(record), "seed \(seed)")
            case .standing(let other):
                #expect(stood.contains(other) && other != record, "seed \(seed)")
                // One that stood, and is reported as overtaken, has a newer one over it.
                let isOver = other.counter > record.counter || !stood.contains(record)
                #expect(isOver, "seed \(seed)")
            }
        }
    }

    @Test("a machine alone, all of whose answers are lost at first, meets no other record")
    func lostAnswersAlone() throws {
        let service = try S3Double()
        defer { service.stop() }
        let store = try open(service)
        _ = try store.padCondition()
        for counter in 1...20 as ClosedRange<UInt64> {
            let next = try record("\(counter)", counter)
            service.behave { $0.losesAnswers = 100 }
            // A connection that was kept and died is tried anew at once: then it knows already.
            do throws(StoreError) {
                #expect(try store.put(next) == .accepted)
            } catch {
                #expect(error == .unreachable(retryAfter: nil))
            }
            service.behave { $0.losesAnswers = 0 }
            #expect(try store.put(next) == .accepted)
        }
        #expect(service.history(of: store.keys.pad(pad.address)).count == 20)
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
