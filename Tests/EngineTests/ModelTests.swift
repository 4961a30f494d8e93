// SPDX-License-Identifier: Apache-2.0
//
// The plain model is the judge: random operations, crashes and recoveries, and every byte compared.

import Engine
import Foundation
import Testing

@Suite("against the plain model", .serialized)
struct ModelTests {
    /// `CAIRN_SOAK` multiplies the number of seeds; from 2 on each run is four times as long.
    static let soak = ProcessInfo.processInfo.environment["CAIRN_SOAK"].flatMap { Int($0) } ?? 1
    /// `CAIRN_SEED` runs one seed again.
    static let seeds: [UInt64] =
        ProcessInfo.processInfo.environment["CAIRN_SEED"].flatMap { UInt64($0) }.map { [$0] }
        ?? (1...UInt64(8 * soak)).map { $0 }

    @Test("any sequence of operations leaves what the model says", arguments: seeds)
    func randomOperations(seed: UInt64) throws {
        try ModelRun(seed: seed).run(steps: Self.soak > 1 ? 2000 : 500)
    }

    /// None, the least, fewer a commit than in all, and more than the cache has blocks.
    static let journals = [
        JournalLimits(piecesPerCommit: 0, blocks: 0), JournalLimits(piecesPerCommit: 1, blocks: 1),
        JournalLimits(piecesPerCommit: 9, blocks: 7),
        JournalLimits(piecesPerCommit: 16_384, blocks: 4096),
    ]

    @Test("so it is whatever the journal may hold", arguments: journals, seeds.prefix(2))
    func journalLimits(journal: JournalLimits, seed: UInt64) throws {
        let run = try ModelRun(seed: seed + 900, journal: journal)
        try run.run(steps: Self.soak > 1 ? 2000 : 350)
    }
}
