// SPDX-License-Identifier: Apache-2.0
//
// What is kept of cuts that broke a promise, and whether they break it again: the disk that a cut
// leaves follows from the log, the position and the cut's own seed, and the judges' threads do not.

import Cryptography
import Foundation
import TestSupport

/// One cut, as far as it can be made again.
struct PowerLossCut: Sendable {
    /// The end of the log's part that had happened.
    let position: Int
    /// What the dice of the policy and of the disk begin with.
    let seed: UInt64

    /// Writes what the cut leaves.
    ///
    /// - Parameters:
    ///   - disk: of the same log, not past the position.
    ///   - folder: where; there must be nothing.
    func write(_ disk: PowerLossDisk, to folder: String) throws -> PowerLossPolicy {
        try disk.advance(to: position)
        var dice = SeededGenerator(seed: seed)
        let policy = PowerLossPolicy.any(using: &dice)
        try disk.write(to: folder, policy, using: &dice)
        return policy
    }
}

/// Keeps broken cuts.
struct PowerLossEvidence {
    /// Broken cuts that are kept; a fault that shows at once shows in all of them.
    static let limit = 4

    let evidence: Evidence

    init(_ volume: PowerLossVolume) throws {
        evidence = try Evidence("power-loss", seed: Effort.seed)
        let seed = volume.seed.withBytes { bytes in
            bytes.indices.map { String(format: "%02x", bytes[$0]) }.joined()
        }
        try evidence.note("seed", seed + "\n")
        // From it and the two numbers of a cut its disk can be made as often as it is wanted.
        try evidence.keep(volume.logPath, as: "log")
    }

    /// Makes a cut once more, keeps it as it is before anybody has looked at it, and judges it
    /// alone.
    ///
    /// - Returns: what to tell of it beside what was found first.
    func keep(_ cut: PowerLossCut, _ judge: PowerLossJudge, number: Int) throws -> String {
        let folder = evidence.path + "/judged-\(number)"
        _ = try cut.write(PowerLossDisk(PowerLossLog(path: judge.volume.logPath)), to: folder)
        try evidence.keep(folder, as: "cut-\(number)")
        var again = judge
        again.folder = folder
        let broken = again.broken()
        let text =
            "position \(cut.position), seed \(cut.seed): judged again, alone, it "
            + (broken.isEmpty ? "breaks nothing" : "breaks the same or more: \(broken)")
        try evidence.note("cut-\(number).txt", text + "\n")
        return "\(text); kept in \(evidence.path)"
    }
}
