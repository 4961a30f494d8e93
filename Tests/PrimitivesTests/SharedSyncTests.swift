// SPDX-License-Identifier: Apache-2.0
//
// Who waits for a file's bytes has them synced, once for all who come together, and is never told
// so after a sync that failed.

import Foundation
import Synchronization
import Testing

@testable import Primitives

@Suite("shared syncs")
struct SharedSyncTests {
    private struct Refused: Error, Equatable { var number: Int }

    private final class Calls: Sendable {
        let count = Atomic<Int>(0)
        var all: Int { count.load(ordering: .relaxed) }
        func note() { count.add(1, ordering: .relaxed) }
    }

    private let calls = Calls()

    @Test("a sync is made where something was written since the last, or it is forced")
    func whenNeeded() throws {
        let writes = SharedSync<Refused>(isSettled: true)
        #expect(writes.isSettled)
        try writes.sync { calls.note() }
        #expect(calls.all == 0)
        writes.note()
        #expect(!writes.isSettled)
        try writes.sync { calls.note() }
        try writes.sync { calls.note() }
        #expect(calls.all == 1 && writes.isSettled)
        try writes.sync(isForced: true) { calls.note() }
        #expect(calls.all == 2)
    }

    @Test("a file of which nobody knows what is on the disk is synced first")
    func unknown() throws {
        let writes = SharedSync<Refused>(isSettled: false)
        #expect(!writes.isSettled)
        try writes.sync { calls.note() }
        #expect(calls.all == 1 && writes.isSettled)
    }

    @Test("a forced sync settles what was noted before it")
    func forced() throws {
        let writes = SharedSync<Refused>(isSettled: false)
        try writes.sync(isForced: true) { calls.note() }
        #expect(writes.isSettled)
        try writes.sync { calls.note() }
        #expect(calls.all == 1)
    }

    @Test("all who come while a sync runs share the next one")
    func shared() throws {
        let writes = SharedSync<Refused>(isSettled: true)
        let calls = calls
        let (isRunning, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let everybody = DispatchGroup()
        func begin(_ body: @escaping @Sendable () -> Void) {
            everybody.enter()
            Thread.detachNewThread {
                body()
                everybody.leave()
            }
        }
        writes.note()
        begin {
            // Nothing is thrown here, nor below.
            try? writes.sync {
                calls.note()
                isRunning.signal()
                mayEnd.wait()
            }
        }
        isRunning.wait()
        let waiting = 8
        let noted = DispatchGroup()
        for _ in 0..<waiting {
            noted.enter()
            begin {
                writes.note()
                noted.leave()
                try? writes.sync { calls.note() }
            }
        }
        noted.wait()
        mayEnd.signal()
        everybody.wait()
        #expect(calls.all == 2)
        #expect(writes.isSettled)
    }

    @Test("what is written while a sync runs is not covered by it")
    func meanwhile() throws {
        let writes = SharedSync<Refused>(isSettled: true)
        writes.note()
        try writes.sync {
            calls.note()
            writes.note()
        }
        #expect(!writes.isSettled)
        try writes.sync { calls.note() }
        #expect(calls.all == 2 && writes.isSettled)
    }

    @Test("after one failure every sync fails the same way, and the file is not sound")
    func failure() throws {
        let writes = SharedSync<Refused>(isSettled: true)
        writes.note()
        try writes.checkSound()
        #expect(throws: Refused(number: 1)) {
            try writes.sync { () throws(Refused) in throw Refused(number: 1) }
        }
        #expect(!writes.isSettled)
        for isForced in [false, true] {
            #expect(throws: Refused(number: 1)) {
                try writes.sync(isForced: isForced) { calls.note() }
            }
        }
        #expect(throws: Refused(number: 1)) { try writes.checkSound() }
        #expect(calls.all == 0)
    }

    @Test("of many who write and sync, each finds its own on the disk")
    func together() {
        let writes = SharedSync<Refused>(isSettled: true)
        // What is in the file, and what of it is on the disk.
        let file = Atomic<Int>(0)
        let disk = Atomic<Int>(0)
        let (calls, early) = (calls, Calls())
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<500 {
                let mine = file.add(1, ordering: .sequentiallyConsistent).newValue
                writes.note()
                // Nothing is thrown here.
                try? writes.sync {
                    calls.note()
                    disk.store(
                        file.load(ordering: .sequentiallyConsistent),
                        ordering: .sequentiallyConsistent)
                }
                if disk.load(ordering: .sequentiallyConsistent) < mine { early.note() }
            }
        }
        #expect(early.all == 0)
        #expect(writes.isSettled)
    }
}
