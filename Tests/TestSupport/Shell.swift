// SPDX-License-Identifier: Apache-2.0
//
// Runs real programs, as a person at a terminal would. Everything that is started is waited for.

import Foundation

/// What a finished command printed, and how it ended.
package struct ShellResult: Sendable {
    /// The exit code, or the number of the signal that ended it.
    package let status: Int32
    /// All of its standard output.
    package let output: String
    /// All of its standard error.
    package let errors: String
}

/// A command that was expected to succeed and did not.
package struct ShellFailure: Error, CustomStringConvertible {
    /// What was run.
    package let command: String
    /// How it ended.
    package let result: ShellResult
    /// The end of all that it printed.
    package var description: String {
        "exit \(result.status) of: \(command)\n"
            + "\(result.output.suffix(2000))\(result.errors.suffix(2000))"
    }

    /// - Parameters:
    ///   - command: what was run, as a person knows it.
    ///   - result: how it ended.
    package init(command: String, result: ShellResult) {
        self.command = command
        self.result = result
    }
}

/// Runs one program to its end.
///
/// - Parameters:
///   - input: what it reads from standard input.
///   - environment: added to this process's own.
/// - Throws: what keeps the program from being started, not how it ends.
package func run(
    _ program: String, _ arguments: [String], input: String = "",
    environment: [String: String] = [:]
) throws -> ShellResult {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer {
        // Only scratch files of this call: nothing depends on their removal.
        try? FileManager.default.removeItem(at: folder)
    }
    // Files, not pipes: a daemon that outlives its parent must not keep a reader waiting.
    let paths = ["in", "out", "err"].map { folder.appendingPathComponent($0) }
    try input.write(to: paths[0], atomically: false, encoding: .utf8)
    for path in paths[1...] { try Data().write(to: path) }
    process.standardInput = try FileHandle(forReadingFrom: paths[0])
    process.standardOutput = try FileHandle(forWritingTo: paths[1])
    process.standardError = try FileHandle(forWritingTo: paths[2])
    // A run loop would look for the end every 50 ms only.
    let isOver = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in isOver.signal() }
    try process.run()
    isOver.wait()
    // Returns at once, and lets go of the process: its files would stay open, and of a thousand
    // open files `Process.run` itself breaks off.
    process.waitUntilExit()
    return ShellResult(
        status: process.terminationStatus,
        output: String(decoding: try Data(contentsOf: paths[1]), as: UTF8.self),
        errors: String(decoding: try Data(contentsOf: paths[2]), as: UTF8.self))
}

/// Longest time of one script: a hang is a failure, not a wait. `make soak` asks for more.
private let shellLimitSeconds =
    ProcessInfo.processInfo.environment["CAIRN_LONG"] == nil ? 300 : 3600

/// Runs a shell script and gives what it printed; any failing command fails it. One that must fail
/// is written `! command || exit 1`: `-e` passes over what is inverted.
///
/// - Parameters:
///   - script: for bash, with `-e`, `-u` and `pipefail`.
///   - environment: added to this process's own.
/// - Throws: `ShellFailure` when it fails, or goes on for more than 5 minutes, in `make soak` an
///   hour.
@discardableResult
package func shell(_ script: String, _ environment: [String: String] = [:]) throws -> String {
    let result = try run(
        "/usr/bin/timeout",
        ["-k", "5", "\(shellLimitSeconds)", "/bin/bash", "-euo", "pipefail", "-c", script],
        environment: environment)
    guard result.status == 0 else { throw ShellFailure(command: script, result: result) }
    return result.output
}
