// SPDX-License-Identifier: Apache-2.0
//
// What every store promises, of pads.

import Primitives
import RemoteStores
import Scratchpads
import Stores
import TestSupport
import Testing

@Suite("Contract of pad stores")
struct PadStoreContract {
    private let pad = WriteCapability(testSeed: 41)

    @Test("a pad that was never put is absent", arguments: StoreUnderTest.all)
    func absent(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().pads
        #expect(try store.get(pad.address) == nil)
        _ = try store.put(try pad.seal("here", counter: 1))
        #expect(try store.get(WriteCapability(testSeed: 42).address) == nil)
    }

    @Test("the first record stands, whatever its counter", arguments: StoreUnderTest.all)
    func first(kind: StoreUnderTest) throws {
        for counter in [0, 1, 77, UInt64.max] {
            let bench = try kind.make()
            defer { bench.remove() }
            let store = try bench.open().pads
            let record = try pad.seal("first", counter: counter)
            #expect(try store.put(record) == .accepted)
            #expect(try store.get(pad.address) == record)
        }
    }

    @Test(
        "a larger counter takes the place of a smaller, and not the reverse",
        arguments: StoreUnderTest.all)
    func counters(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().pads
        let low = try pad.seal("low", counter: 5)
        let high = try pad.seal("high", counter: 9)
        #expect(try store.put(low) == .accepted)
        #expect(try store.put(high) == .accepted)
        #expect(try store.get(pad.address) == high)
        #expect(try store.put(low) == .standing(high))
        #expect(try store.get(pad.address) == high)
    }

    @Test(
        "the same record again is accepted, another with its counter is not",
        arguments: StoreUnderTest.all)
    func equalCounters(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().pads
        let ours = try pad.seal("ours", counter: 5)
        let theirs = try pad.seal("theirs", counter: 5)
        #expect(try store.put(ours) == .accepted)
        #expect(try store.put(ours) == .accepted)
        #expect(try store.put(theirs) == .standing(ours))
        #expect(try store.get(pad.address) == ours)
    }

    @Test("a forged record is refused, and what stood stands", arguments: StoreUnderTest.all)
    func forgery(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().pads
        let record = try pad.seal("genuine", counter: 5)
        let forged = try record.forged(counter: 6)
        for _ in 0..<2 {
            #expect {
                try store.put(forged)
            } throws: { error in
                if case .refused = error as? StoreError { true } else { false }
            }
            _ = try store.put(record)
        }
        #expect(try store.get(pad.address) == record)
    }

    @Test(
        "a damaged record is never handed over, and any genuine one replaces it",
        arguments: StoreUnderTest.all)
    func damage(kind: StoreUnderTest) throws {
        guard kind.repairsDamage else { return }
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().pads
        _ = try store.put(try pad.seal("before", counter: 50))
        try bench.damagePad(pad.address)
        #expect(throws: StoreError.corruptPad(pad.address)) { try store.get(pad.address) }
        let record = try pad.seal("after", counter: 49)
        #expect(try store.put(record) == .accepted)
        #expect(try store.get(pad.address) == record)
    }

    @Test("of records offered at once, the highest counter stands", arguments: StoreUnderTest.all)
    func concurrently(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let records = try (1...24).map { try pad.seal("text \($0)", counter: $0) }
        // Each thread opens the store for itself, as processes would.
        let errors = onThreads(8) { thread in
            let store = try bench.open().pads
            var dice = SeededGenerator(seed: UInt64(thread))
            for record in records.shuffled(using: &dice) {
                switch try store.put(record) {
                case .accepted: break
                case .standing(let standing): #expect(standing.counter > record.counter)
                }
            }
        }
        #expect(errors.isEmpty, "\(errors)")
        #expect(try bench.open().pads.get(pad.address) == records.last)
    }

    @Test("different pads at once do not disturb each other", arguments: StoreUnderTest.all)
    func differentPadsConcurrently(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let store = try bench.open().pads
        let errors = onThreads(8) { thread in
            let pad = WriteCapability(testSeed: UInt8(thread))
            for counter in 1...5 as ClosedRange<UInt64> {
                let record = try pad.seal("\(counter)", counter: counter)
                #expect(try store.put(record) == .accepted)
            }
        }
        #expect(errors.isEmpty, "\(errors)")
        let again = try bench.open().pads
        for thread in 0..<8 {
            let address = WriteCapability(testSeed: UInt8(thread)).address
            #expect(try again.get(address)?.counter == 5)
        }
    }

    @Test(
        "the largest record is kept, and a store opened again has it", arguments: StoreUnderTest.all
    )
    func largest(kind: StoreUnderTest) throws {
        let bench = try kind.make()
        defer { bench.remove() }
        let content = [UInt8](repeating: 7, count: WriteCapability.maximumPlaintextSize)
        let record = try pad.seal(content.span, encoding: 0, counter: 1)
        #expect(try bench.open().pads.put(record) == .accepted)
        #expect(try bench.open().pads.get(pad.address) == record)
    }
}
