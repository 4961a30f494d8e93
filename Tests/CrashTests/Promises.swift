// SPDX-License-Identifier: Apache-2.0
//
// Programs that believe what fsync says, and whether they were right to.

import Foundation
import TestSupport
import Testing

/// The programs' work on one volume, round by round.
struct Promises {
    private static let script = resource("worker.py")
    private let volume: CrashVolume
    private let kind: String

    /// - Parameter kind: what evidence of a broken promise is called.
    init(_ volume: CrashVolume, kind: String = "kill") {
        self.volume = volume
        self.kind = kind
    }

    /// Has programs work on the mount until that is dead.
    func begin(_ round: Int, _ dice: inout SeededGenerator) throws -> Work {
        let worker = Process()
        worker.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        worker.arguments = [
            Self.script, "work", volume.mountPoint, "r\(round)", manifest(round),
            "\(UInt32.random(in: 0...(.max), using: &dice))",
        ]
        try worker.run()
        return Work(worker: worker)
    }

    /// Programs that work.
    struct Work {
        fileprivate let worker: Process

        /// The mount is dead: every call fails, so they end.
        func expectEnd() {
            let isOver = eventually(within: .seconds(30)) { !worker.isRunning }
            #expect(isOver, "the worker hangs on a dead mount")
            if !isOver { worker.terminate() }
            worker.waitUntilExit()
        }
    }

    private func manifest(_ round: Int) -> String { volume.root + "/manifest-\(round)" }

    /// How many promises were checked; each that is broken is an issue.
    ///
    /// - Parameter keep: what else explains a broken one.
    func verify(
        _ rounds: ClosedRange<Int>, _ when: String,
        keep: (Evidence) throws -> Void = { _ in }
    ) throws -> Int {
        let result = try run(
            "/usr/bin/timeout",
            ["-k", "5", "\(CrashVolume.commandLimit)", "/usr/bin/python3", Self.script, "verify"]
                + [volume.mountPoint] + rounds.map { manifest($0) },
            environment: volume.environment)
        let lines = result.output.split(separator: "\n")
        guard result.status == 0 else {
            let broken = (lines.dropLast() + result.errors.split(separator: "\n")).suffix(20)
            let evidence = try Evidence(kind, seed: Effort.seed)
            try evidence.note("round-\(rounds.upperBound).txt", result.output + result.errors)
            try keep(evidence)
            try evidence.keep(volume.store, as: "store")
            try evidence.keep(volume.folder, as: "state-now")
            for number in rounds {
                try evidence.keep(manifest(number), as: "manifest-\(number)")
            }
            throw Broken(
                description: "round \(rounds.upperBound) of seed \(Effort.seed), \(when): "
                    + broken.joined(separator: "; ") + "; kept in \(evidence.path)")
        }
        return lines.last?.split(separator: " ").last.flatMap { Int($0) } ?? 0
    }

    struct Broken: Error, CustomStringConvertible {
        let description: String
    }
}
