// SPDX-License-Identifier: Apache-2.0
//
// The plain model is the judge: random operations, crashes and recoveries, and every byte compared.
// Each run of the tests takes seeds that nobody has seen; a failure says which, and
// `CAIRN_SEED=number` runs one again.

import Engine
import Foundation
import Testing

@Suite("against the plain model")
struct ModelTests {
    private static let environment = ProcessInfo.processInfo.environment

    /// `CAIRN_SOAK` is the number of seeds of a long run.
    static let seeds: [UInt64] = {
        if let seed = environment["CAIRN_SEED"].flatMap({ UInt64($0) }) { return [seed] }
        let count = environment["CAIRN_SOAK"].flatMap { Int($0) } ?? 2
        return (0..<count).map { _ in UInt64.random(in: 1...999_999_999) }
    }()

    /// `CAIRN_STEPS` is the number of operations for each seed.
    static let steps = environment["CAIRN_STEPS"].flatMap { Int($0) } ?? 10_000

    @Test("any sequence of operations leaves what the model says", arguments: seeds)
    func randomOperations(seed: UInt64) throws {
        try Self.go(try ModelRun(seed: seed), steps: Self.steps)
    }

    /// None, the least, fewer a commit than in all, and more than the cache has blocks.
    static let journals = [
        JournalLimits(piecesPerCommit: 0, blocks: 0), JournalLimits(piecesPerCommit: 1, blocks: 1),
        JournalLimits(piecesPerCommit: 9, blocks: 7),
        JournalLimits(piecesPerCommit: 16_384, blocks: 4096),
    ]

    @Test("so it is whatever the journal may hold", arguments: journals, seeds.prefix(2))
    func journalLimits(journal: JournalLimits, seed: UInt64) throws {
        let run = try ModelRun(seed: seed, journal: journal)
        try Self.go(run, steps: min(Self.steps, 400))
    }

    /// Runs, and keeps what explains a failure: threads do not fall the same way twice.
    private static func go(_ run: ModelRun, steps: Int) throws {
        do {
            try run.run(steps: steps)
        } catch {
            print("CAIRN_SEED=\(run.seed): kept in \(try run.keepEvidence(of: error))")
            throw error
        }
    }
}
