// SPDX-License-Identifier: Apache-2.0
//
// Which record stands, and what counters may do.

import Primitives
import Scratchpads
import TestSupport
import Testing

@Suite("Settlement")
struct SettlementTests {
    private let pad = WriteCapability(testSeed: 21)

    @Test("the larger counter wins from either side")
    func largerCounter() throws {
        let old = try pad.seal([1], counter: 1)
        let new = try pad.seal([1], counter: 2)
        #expect(settle(ours: old, theirs: new) == .theirs)
        #expect(settle(ours: new, theirs: old) == .ours)
        #expect(settle(ours: new, theirs: new) == .same)
    }

    @Test("a fork has the same winner for both sides, and loses nothing", arguments: 0..<20)
    func fork(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let ours = try pad.seal(dice.bytes(20), counter: 9)
        let theirs = try pad.seal(dice.bytes(20), counter: 9)
        let expected = [ours, theirs].sorted { $0.digest < $1.digest }
        let settlement = Settlement.fork(winner: expected[0], loser: expected[1])
        #expect(settle(ours: ours, theirs: theirs) == settlement, "seed \(seed)")
        #expect(settle(ours: theirs, theirs: ours) == settlement, "seed \(seed)")
    }

    @Test("another encoding under the same counter is a fork too")
    func forkOfEncoding() throws {
        let ours = try pad.seal([1], encoding: 1, counter: 9)
        let theirs = try pad.seal([1], encoding: 2, counter: 9)
        guard case .fork = settle(ours: ours, theirs: theirs) else {
            Issue.record("not a fork")
            return
        }
    }

    @Test("settling any set of records in any order leaves the same one", arguments: 0..<10)
    func orderDoesNotMatter(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        var records: [PadRecord] = []
        for _ in 0..<8 {
            let counter = UInt64.random(in: 1...3, using: &dice)
            records.append(try pad.seal(dice.bytes(4), counter: counter))
        }
        var winners: Set<PadRecord> = []
        for _ in 0..<6 {
            records.shuffle(using: &dice)
            let winner = records.dropFirst().reduce(records[0]) { standing, offered in
                switch settle(ours: standing, theirs: offered) {
                case .same, .ours: standing
                case .theirs: offered
                case .fork(let winner, _): winner
                }
            }
            winners.insert(winner)
        }
        #expect(winners.count == 1, "seed \(seed)")
    }

    @Test("records of two pads trap rather than be settled")
    func twoPads() async {
        await #expect(processExitsWith: .failure) {
            let ours = try WriteCapability(testSeed: 1).seal([], counter: 1)
            let theirs = try WriteCapability(testSeed: 2).seal([], counter: 1)
            _ = settle(ours: ours, theirs: theirs)
        }
    }

    @Test("a store accepts the first record, then only larger counters")
    func acceptance() throws {
        let first = try pad.seal([1], counter: 1)
        let second = try pad.seal([2], counter: 2)
        #expect(CounterRule.accepts(standing: nil, offered: first))
        #expect(CounterRule.accepts(standing: first, offered: second))
        #expect(!CounterRule.accepts(standing: second, offered: first))
        #expect(!CounterRule.accepts(standing: second, offered: try pad.seal([3], counter: 2)))
        let last = try pad.seal([4], counter: .max)
        #expect(CounterRule.accepts(standing: second, offered: last))
    }

    @Test("counters go up by one, from one, until there are none left")
    func nextCounter() throws {
        #expect(try CounterRule.next(after: CounterRule.nothingSeen) == 1)
        #expect(try CounterRule.next(after: 41) == 42)
        #expect(try CounterRule.next(after: .max - 1) == .max)
        #expect(throws: ScratchpadError.counterExhausted) {
            try CounterRule.next(after: .max)
        }
    }

    @Test("an older counter than the one seen is a rollback")
    func rollback() {
        #expect(CounterRule.judge(shown: 5, highestSeen: 4) == .newer)
        #expect(CounterRule.judge(shown: 5, highestSeen: 5) == .current)
        #expect(CounterRule.judge(shown: 5, highestSeen: 6) == .rolledBack(seen: 6))
        #expect(CounterRule.judge(shown: 1, highestSeen: CounterRule.nothingSeen) == .newer)
    }
}
