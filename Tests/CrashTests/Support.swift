// SPDX-License-Identifier: Apache-2.0
//
// What all tests here share: a folder in memory, waiting, seeds, and how long a test may go on.

import Foundation

/// A temporary folder, in memory where there is one: what is judged here is which syncs were
/// asked for, not how long a disk takes.
func temporaryFolder(_ kind: String) throws -> String {
    let memory = "/dev/shm"
    let base =
        FileManager.default.isWritableFile(atPath: memory) ? memory : NSTemporaryDirectory()
    let path = "\(base)/cairn-\(kind)-\(UUID().uuidString.prefix(8))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    return path
}

/// A script of the tests.
func resource(_ name: String) -> String {
    Bundle.module.bundleURL.appendingPathComponent("Resources/" + name).path
}

/// How much is tried: the environment's word, or what a check before a change has time for.
enum Effort {
    private static func number(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
    }

    /// True for `make soak`: waits of a minute, where a check before a change has seconds.
    static let isLong = ProcessInfo.processInfo.environment["CAIRN_LONG"] != nil
    /// Rounds of the crash test; nil: as many as fit its time.
    static let crashRounds = number("CRASH_ROUNDS")
    /// Cuts of the power; nil: as many as fit their time.
    static let powerCuts = number("POWER_CUTS")
    /// The seed that everything follows from; a fresh one unless it is given.
    static let seed =
        number("CRASH_SEED").map { UInt64(bitPattern: Int64($0)) } ?? UInt64.random(in: 0..<1 << 60)
}
