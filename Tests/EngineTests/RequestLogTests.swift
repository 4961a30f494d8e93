// SPDX-License-Identifier: Apache-2.0
//
// The order of requests is what a volume on a store rests on. A machine dies, or its line does,
// after any one of them; or the store loses what it had not made durable. Whatever is left must be
// a volume: an older one or the newest, whole, in a state that there was.
//
// `CAIRN_SEED=number` runs a log again; `CAIRN_SOAK` is the number of logs of a long run, and
// `CAIRN_PREFIXES` of how many beginnings of each a volume is recovered.

import Engine
import Foundation
import Namespace
import Primitives
import Synchronization
import TestSupport
import Testing

@Suite("any beginning of the requests", .serialized)
struct RequestLogTests {
    private static let environment = ProcessInfo.processInfo.environment

    static let seeds: [UInt64] = {
        if let seed = environment["CAIRN_SEED"].flatMap({ UInt64($0) }) { return [seed] }
        let count = environment["CAIRN_SOAK"].flatMap { Int($0) } ?? 1
        return (0..<count).map { _ in UInt64.random(in: 1...999_999_999) }
    }()

    /// Beginnings of one log of which a volume is recovered; all roots' are looked at besides.
    static let prefixes = environment["CAIRN_PREFIXES"].flatMap { Int($0) } ?? 200
    /// Operations of one log.
    private static let steps = 500
    /// Beginnings judged at once.
    private static let threads = 4
    /// Each so-many-th recovered volume has to go on.
    private static let goingOn = 10

    /// A run whose requests are kept. The store does not lie in it: what is made of a lie is
    /// judged below, chunk by chunk.
    private func recorded(_ seed: UInt64) throws -> ModelRun {
        let store = TestStore()
        store.change { $0.isRecording = true }
        let weathers = StoreWeather.allCases.filter { $0 != .lying }
        let run = try ModelRun(
            seed: seed, on: store, weathers: weathers, publishesHastily: true)
        // Few bytes, so that each beginning is read whole in a moment.
        run.byteLimit = 0
        run.publishes = 6
        run.history = ModelHistory()
        run.history?.notePublished(run.tree, run.volume)
        try run.run(steps: RequestLogTests.steps)
        return run
    }

    private func judged(
        _ log: RequestLog, _ counts: [Int], seed: UInt64, _ loss: RequestLog.Loss? = nil
    ) -> [RequestLog.Verdict] {
        let verdicts = Lock([RequestLog.Verdict?](repeating: nil, count: counts.count))
        let next = Atomic(0)
        DispatchQueue.concurrentPerform(iterations: RequestLogTests.threads) { _ in
            while true {
                let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
                guard index < counts.count else { return }
                // By turns the store kept everything, or had not made it durable.
                let kind = loss ?? (index % 2 == 0 ? .nothing : .unsynced)
                let verdict = log.judge(
                    counts[index], kind, goesOn: index % RequestLogTests.goingOn == 0,
                    dice: seed &+ UInt64(index))
                verdicts.withLock { $0[index] = verdict }
            }
        }
        return verdicts.withLock { $0.compactMap { $0 } }
    }

    @Test(
        "after any beginning of the requests, the secret brings back a state that there was",
        arguments: seeds)
    func anyBeginning(seed: UInt64) throws {
        let start = ContinuousClock.now
        let log = RequestLog(try recorded(seed))
        let recorded = ContinuousClock.now
        var dice = SeededGenerator(seed: seed)
        let counts = log.samples(RequestLogTests.prefixes, &dice)
        let verdicts = judged(log, counts, seed: seed)
        try #require(verdicts.count == counts.count)
        for (count, verdict) in zip(counts, verdicts) {
            if let problem = verdict.problem {
                Issue.record("CAIRN_SEED=\(seed), \(count) of \(log.requests.count): \(problem)")
            }
        }
        let regressions = log.regressions(verdicts)
        #expect(regressions == [], "CAIRN_SEED=\(seed)")
        #expect(!log.roots.isEmpty && Set(verdicts.map(\.revision)).count > log.roots.count / 2)
        print(
            "CAIRN_SEED=\(seed): \(log.requests.count) requests, \(log.roots.count) roots;",
            "\(counts.count) beginnings: \(verdicts.filter(\.isWhole).count) compared whole,",
            "\(verdicts.reduce(0) { $0 + $1.olderCount }) files older than their names;",
            "recorded in \(recorded - start), judged in \(ContinuousClock.now - recorded)")
    }

    @Test(
        "a store that lost what it had acknowledged gives errors, and never other bytes or names",
        arguments: seeds)
    func lostChunks(seed: UInt64) throws {
        let start = ContinuousClock.now
        let log = RequestLog(try recorded(seed))
        let recorded = ContinuousClock.now
        var dice = SeededGenerator(seed: seed)
        let counts = log.samples(RequestLogTests.prefixes / 4, &dice)
        let verdicts = judged(log, counts, seed: seed, .acknowledged)
        for (count, verdict) in zip(counts, verdicts) {
            if let problem = verdict.problem {
                Issue.record("CAIRN_SEED=\(seed), \(count) of \(log.requests.count): \(problem)")
            }
        }
        #expect(verdicts.contains { $0.unreadableCount > 0 }, "nothing that was lost was needed")
        print(
            "CAIRN_SEED=\(seed): \(counts.count) beginnings with chunks lost,",
            "\(verdicts.reduce(0) { $0 + $1.unreadableCount }) names unreadable;",
            "recorded in \(recorded - start), judged in \(ContinuousClock.now - recorded)")
    }
}
