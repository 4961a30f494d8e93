// SPDX-License-Identifier: Apache-2.0
//
// The decisions of the layers, as values: when to call again, how often, how many at once.

import StoreWrappers
import Stores
import TestSupport
import Testing

@Suite("Decisions of the layers")
struct PlanTests {
    private let away = StoreError.unreachable(retryAfter: nil)

    @Test("waits double up to a ceiling, and are drawn from zero on", arguments: 1...12)
    func waits(failures: Int) throws {
        let plan = RetryPlan(
            firstWait: .milliseconds(200), longestWait: .seconds(8), attemptLimit: 20,
            deadline: .seconds(1000))
        func wait(_ dice: Double) -> Duration? {
            plan.wait(afterFailures: failures, away, elapsed: .zero, dice: dice)
        }
        let limit = min(.milliseconds(200) * (1 << (failures - 1)), Duration.seconds(8))
        #expect(wait(0) == .zero)
        #expect(wait(1) == limit)
        #expect(wait(0.5) == limit / 2)
    }

    @Test("nothing is tried again that will not pass, nor for ever, nor too late")
    func givingUp() {
        let plan = RetryPlan(attemptLimit: 3, deadline: .seconds(10))
        func wait(_ error: StoreError, _ failures: Int, _ elapsed: Duration) -> Duration? {
            plan.wait(afterFailures: failures, error, elapsed: elapsed, dice: 1)
        }
        let permanent: [StoreError] = [
            .refused("x"), .full, .quotaExceeded, .readOnly, .paymentRequired, .tooLarge,
            .missingPad, .notAStore("x"), .newerFormat(found: 2, supported: 1),
        ]
        for error in permanent { #expect(wait(error, 1, .zero) == nil) }
        #expect(wait(away, 2, .zero) != nil)
        #expect(wait(away, 3, .zero) == nil)
        #expect(wait(away, 1, .seconds(10)) == nil)
        // The store's own wish counts, and one that comes after the deadline is an end.
        #expect(wait(.busy(retryAfter: .seconds(7)), 1, .zero) == .seconds(7))
        #expect(wait(.busy(retryAfter: .seconds(7)), 1, .seconds(4)) == nil)
        #expect(wait(.unreachable(retryAfter: .seconds(11)), 1, .zero) == nil)
    }

    @Test("a busy store slows everybody down, once a round, and speeds up again")
    func pace() {
        let start = ContinuousClock.now
        var pace = Pace(now: start)
        for _ in 0..<100 { #expect(pace.admit(now: start) == start) }
        pace.slowDown(callBegan: start, retryAfter: .seconds(3), now: start)
        #expect(pace.gap == Pace.firstGap)
        let rest = pace.admit(now: start)
        #expect(rest == start + .seconds(3))
        #expect(pace.admit(now: start) == rest + Pace.firstGap)
        // The others of the same round say the same, and nothing more comes of it.
        for _ in 0..<20 { pace.slowDown(callBegan: start, retryAfter: nil, now: start) }
        #expect(pace.gap == Pace.firstGap)
        var now = rest
        for _ in 0..<30 {
            pace.slowDown(
                callBegan: now + .milliseconds(1), retryAfter: nil, now: now + .milliseconds(2))
            now += .seconds(1)
        }
        #expect(pace.gap == Pace.largestGap)
        var count = 0
        while pace.gap > .zero, count < 1000 {
            pace.succeed()
            count += 1
        }
        #expect(pace.gap == .zero && (100...1000).contains(count))
    }

    @Test("a store cannot ask for a rest of days")
    func longRest() {
        let start = ContinuousClock.now
        var pace = Pace(now: start)
        pace.slowDown(callBegan: start, retryAfter: .seconds(86_400), now: start)
        #expect(pace.admit(now: start) == start + Pace.longestRest)
    }

    @Test("bytes go at their rate on average", arguments: 1...20 as ClosedRange<UInt64>)
    func rate(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let start = ContinuousClock.now
        let perSecond = 1024 + UInt64(dice.below(1_000_000))
        var rate = ByteRate(bytesPerSecond: perSecond, now: start)
        var now = start
        var sent = 0
        for _ in 0..<200 {
            let count = dice.below(100_000)
            now += rate.take(count, now: now)
            let allowed = Double(perSecond) * ((now - start) / .seconds(1))
            #expect(Double(sent) <= allowed + 1, "seed \(seed)")
            sent += count
            if dice.chance(20) { now += .milliseconds(dice.below(500)) }
        }
    }

    @Test("an idle line has saved nothing up")
    func idleRate() {
        let start = ContinuousClock.now
        var rate = ByteRate(bytesPerSecond: 1024, now: start)
        #expect(rate.take(1024, now: start + .seconds(100)) == .zero)
        #expect(rate.take(1, now: start + .seconds(100)) == .seconds(1))
    }

    @Test("what was guessed of an answer is made good when it has come")
    func settledRate() {
        let start = ContinuousClock.now
        var rate = ByteRate(bytesPerSecond: 1000 * 1024, now: start)
        #expect(rate.take(100 * 1024, now: start) == .zero)
        rate.settle(paid: 100 * 1024, moved: 400 * 1024)
        #expect(rate.take(0, now: start) == .milliseconds(400))
        rate.settle(paid: 400 * 1024, moved: 0)
        #expect(rate.take(0, now: start) == .zero)
    }

    @Test("the guess follows what answers have")
    func estimate() {
        var estimate = AnswerEstimate()
        #expect(estimate.bytes == AnswerEstimate.first)
        for _ in 0..<40 { estimate.note(4 << 20) }
        #expect((3 << 20...4 << 20).contains(estimate.bytes))
        for _ in 0..<60 { estimate.note(0) }
        #expect((0...16).contains(estimate.bytes))
    }

    @Test(
        "the number of calls stays in its limits, whatever happens",
        arguments: 1...20 as ClosedRange<UInt64>)
    func concurrency(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        var limit = ConcurrencyLimit()
        for _ in 0..<5000 {
            if dice.chance(55) {
                let before = limit.inUse
                #expect(limit.begin() == (before < limit.limit))
            } else if limit.inUse > 0 {
                limit.end(isOverloaded: dice.chance(5))
            }
            #expect((ConcurrencyLimit.least...ConcurrencyLimit.most).contains(limit.limit))
            #expect(limit.inUse >= 0)
        }
    }

    @Test("a store that bears it gets more at once, one that does not gets less, once a round")
    func adapts() {
        var limit = ConcurrencyLimit()
        for _ in 0..<10_000 {
            while limit.begin() {}
            limit.end(isOverloaded: false)
        }
        #expect(limit.limit == ConcurrencyLimit.most)
        while limit.begin() {}
        for _ in 0..<ConcurrencyLimit.most { limit.end(isOverloaded: true) }
        #expect(limit.limit == ConcurrencyLimit.most * 2 / 3)
        for _ in 0..<100 where limit.begin() { limit.end(isOverloaded: true) }
        #expect(limit.limit == ConcurrencyLimit.least)
    }
}
