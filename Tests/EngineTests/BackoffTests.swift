// SPDX-License-Identifier: Apache-2.0
//
// When something that failed is tried again.

import Testing

@testable import Engine

@Suite("backoff")
struct BackoffTests {
    // SEMANTICS: Flushing, sending pads and publishing are tried again after 1 second, doubling up
    // to 60.
    @Test("the wait doubles with every failure and never passes its ceiling")
    func doubles() {
        let now = ContinuousClock.now
        var backoff = Backoff()
        var waits: [Duration] = []
        for _ in 0..<40 {
            backoff.fail(at: now)
            waits.append((backoff.retryAt ?? now) - now)
        }
        #expect(Array(waits[..<6]) == [1, 2, 4, 8, 16, 32].map { Duration.seconds($0) })
        #expect(waits[6...].allSatisfy { $0 == Backoff.longest })
    }

    @Test("after a success, or when somebody hurries, nothing waits")
    func ends() {
        let now = ContinuousClock.now
        var backoff = Backoff()
        #expect(!backoff.isWaiting(at: now))
        backoff.fail(at: now)
        backoff.fail(at: now)
        #expect(backoff.isWaiting(at: now))
        #expect(!backoff.isWaiting(at: now + .seconds(2)))
        backoff.hurry()
        #expect(!backoff.isWaiting(at: now))
        backoff.fail(at: now)
        #expect(backoff.retryAt == now + .seconds(4), "hurrying forgets no failure")
        backoff.succeed()
        backoff.fail(at: now)
        #expect(backoff.retryAt == now + Backoff.first)
    }
}
