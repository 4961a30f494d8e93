// SPDX-License-Identifier: Apache-2.0
//
// What is known to be on the disk, after syncs that fail at bad moments.

import Primitives
import Testing

@testable import RemoteStores

@Suite("Durability ledger")
struct DurabilityLedgerTests {
    private var ledger = DurabilityLedger()
    private let one = TestChunk(seed: 1).digest
    private let two = TestChunk(seed: 2).digest

    /// A whole put, as a store does it.
    private mutating func put(_ digest: Digest, isWritten: Bool = true) {
        let ticket = ledger.begin(digest)
        _ = ledger.finish(digest, ticket, isWritten: isWritten)
    }

    @Test("a sync that succeeds takes what was put before it, and only that")
    mutating func success() {
        put(one)
        #expect(ledger.beginSync() == [one])
        put(two)
        #expect(ledger.unsynced == [two] && ledger.doubtful.isEmpty)
        #expect(ledger.beginSync() == [two])
        #expect(ledger.beginSync() == [])
    }

    @Test("after a failure a chunk that is only found again stays in doubt, a written one does not")
    mutating func failure() {
        put(one)
        put(two)
        let batch = ledger.beginSync()
        ledger.syncFailed(batch)
        #expect(ledger.doubtful == [one, two])
        #expect(ledger.begin(one).mustWrite)
        put(one, isWritten: false)
        #expect(ledger.doubtful == [one, two])
        put(one)
        #expect(ledger.doubtful == [two])
        #expect(ledger.beginSync() == [one])
    }

    @Test("a put that a failing sync overtakes is in doubt, even if it wrote")
    mutating func overtaken() {
        put(two)
        let ticket = ledger.begin(one)
        let batch = ledger.beginSync()
        ledger.syncFailed(batch)
        _ = ledger.finish(one, ticket, isWritten: true)
        #expect(ledger.doubtful == [one, two])
    }

    @Test("a chunk put while a sync fails is in doubt too")
    mutating func duringFailure() {
        put(one)
        let batch = ledger.beginSync()
        put(two)
        ledger.syncFailed(batch)
        #expect(ledger.doubtful == [one, two])
    }

    @Test("a deleted chunk is forgotten, and the count is of different chunks")
    mutating func deletion() {
        put(one)
        put(one)
        put(two)
        #expect(ledger.unsynced.count == 2)
        ledger.syncFailed(ledger.beginSync())
        ledger.deleted(one)
        #expect(ledger.doubtful == [two])
        put(one)
        ledger.deleted(one)
        #expect(ledger.unsynced.isEmpty)
    }
}
