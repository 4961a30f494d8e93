// SPDX-License-Identifier: Apache-2.0
//
// The plain model is the judge: random operations, crashes and recoveries, and every byte compared.

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
}
