// SPDX-License-Identifier: Apache-2.0
//
// What the tests of bad input share: how a refusal has to look, how a volume proves that it lost
// nothing, and that no mount and no process of a test outlives it.

import Foundation
import TestSupport
import Testing

/// The codes of docs/exit-codes.md that bad input leads to.
enum Refusal: Int32 {
    case failure = 1
    case invalidPhrase = 3
    case noSuchVolume = 5
    case volumeExists = 6
    case invalidConfiguration = 7
    case storeUnusable = 8
    case storeFull = 9
    case mountPointUnusable = 10
    case stateInUse = 11
    case fuseUnavailable = 12
    case unpublished = 14
    case unusablePath = 16
    case damaged = 17
}

/// Parts of a test that needs more than this process may do.
struct PreconditionFailure: Error, CustomStringConvertible {
    let description: String
}

/// Longest time of one command that is to be refused.
private let refusalLimitSeconds = 60

/// A volume for one test, and after it nothing: what is mounted below its folder is unmounted, and
/// the processes that have this folder in their arguments are ended, also when the test fails.
func withVolume(mounts: Bool = true, _ body: (MountedVolume) throws -> Void) throws {
    let volume = try MountedVolume(mounts: mounts)
    defer { cleanUp(volume.root) }
    try body(volume)
    try withExtendedLifetime(volume) { try expectNothingLeft(volume) }
}

/// No command may leave a temporary or unfinished thing in the state folder.
private func expectNothingLeft(_ volume: MountedVolume) throws {
    let strays = try volume.shell("find \"$CAIRN_STATE\" -name '*.tmp' -o -name '*.new'")
    #expect(strays.isEmpty)
}

private func cleanUp(_ root: String) {
    // Best effort, last mounted first: the temporary folder has a name nobody else uses.
    let table = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
    let mounts = table.split(separator: "\n").compactMap { line -> String? in
        let words = line.split(separator: " ")
        return words.count > 1 && words[1].hasPrefix(root + "/") ? String(words[1]) : nil
    }
    for path in mounts.reversed() { _ = try? run("/bin/umount", ["-l", path]) }
    for process in daemons(below: root) {
        if !eventually(within: .seconds(3), { !isRunning(process) }) { _ = kill(process, SIGKILL) }
    }
}

/// The processes of the command under test whose arguments name this folder.
func daemons(below root: String) -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { Int32($0) }.filter { process in
        // A process may end while it is looked at.
        let line = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(process)/cmdline"))
        let words = String(decoding: line ?? Data(), as: UTF8.self).split(separator: "\0")
        return words.first == "cairn" && words.contains { $0.hasPrefix(root + "/") }
    }
}

/// A refusal has its exit code, says one sentence and at most one advice on standard error, and
/// nothing on standard output.
func expectRefusal(
    _ result: ShellResult, _ code: Refusal, _ words: String...,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let errors = result.errors
    #expect(result.status == code.rawValue, "\(errors)", sourceLocation: sourceLocation)
    #expect(result.output.isEmpty, sourceLocation: sourceLocation)
    let lines = errors.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    let isShort = (1...2).contains(lines.count) && errors.hasSuffix("\n")
    #expect(isShort, "\(errors)", sourceLocation: sourceLocation)
    for (line, start) in zip(lines, ["cairn: ", "       "]) {
        let isEnded = line.hasSuffix(".") || line.hasSuffix("?")
        let isSentence = line.hasPrefix(start) && isEnded && line.count > 20
        #expect(isSentence, "\(errors)", sourceLocation: sourceLocation)
    }
    for word in words {
        #expect(errors.contains(word), "\(errors)", sourceLocation: sourceLocation)
    }
    expectNoTrace(errors, sourceLocation: sourceLocation)
}

/// Nothing of the program's inside is shown: no trap, no trace, no name of an error case.
func expectNoTrace(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) {
    let inside = [
        "Fatal error", "Thread 0", "Crash", "backtrace", ".swift", "Error(", "Optional(",
        "CommandFailure", "StoreError", "errno", "Digest(",
    ]
    for word in inside {
        #expect(!text.contains(word), "\(text)", sourceLocation: sourceLocation)
    }
}

extension MountedVolume {
    /// The folder of this volume's local state.
    var folder: String { state + "/volumes/" + name }

    /// Runs the command, within a time.
    func tried(
        _ arguments: String..., input: String = "", state: String? = nil
    ) throws -> ShellResult {
        var environment = environment
        if let state { environment["CAIRN_STATE"] = state }
        let limit = ["-k", "5", "\(refusalLimitSeconds)", MountedVolume.binary]
        return try run(
            "/usr/bin/timeout", limit + arguments, input: input, environment: environment)
    }

    /// Runs the command, which has to succeed.
    @discardableResult
    func done(
        _ arguments: String..., input: String = "", state: String? = nil
    ) throws -> String {
        var environment = environment
        if let state { environment["CAIRN_STATE"] = state }
        let limit = ["-k", "5", "\(refusalLimitSeconds)", MountedVolume.binary]
        let result = try run(
            "/usr/bin/timeout", limit + arguments, input: input, environment: environment)
        guard result.status == 0 else {
            throw ShellFailure(command: arguments.joined(separator: " "), result: result)
        }
        return result.output
    }

    /// What `.cairn/errors` says.
    func errorLines() throws -> String { try shell("cat \"$MNT/.cairn/errors\"") }

    /// A member of the status.
    func statusField(_ field: String) throws -> String {
        let json = try JSONSerialization.jsonObject(
            with: Data(try done("status", name, "--json").utf8))
        let fields = try #require(json as? [String: Any])
        return "\(try #require(fields[field]))"
    }

    /// The error a program gets: `EIO`, or `ok`.
    func outcome(of python: String) throws -> String {
        let script = """
            import errno, os, sys
            try:
                \(python)
                print("ok", end="")
            except OSError as error:
                print(errno.errorcode[error.errno], end="")
            """
        let result = try run(
            "/usr/bin/timeout", ["-k", "5", "60", "/usr/bin/python3", "-c", script],
            environment: environment)
        guard result.status == 0 else { throw ShellFailure(command: script, result: result) }
        return result.output
    }

    /// Mounts, and shows that it works: a refusal has harmed nothing.
    func proveThatItMounts(_ sourceLocation: SourceLocation = #_sourceLocation) throws {
        try mount()
        try proveThatItWorks(sourceLocation)
    }

    /// Shows that the mounted volume takes bytes, publishes them, and gives them back from the
    /// phrase alone.
    func proveThatItWorks(_ sourceLocation: SourceLocation = #_sourceLocation) throws {
        try shell(
            """
            mkdir -p "$MNT/files/proof"; head -c 50000 /dev/urandom > "$ROOT/proof"
            cp "$ROOT/proof" "$MNT/files/proof/file"; echo proof > "$MNT/scratchpads/proof"
            """)
        try recover()
        try shell(
            """
            cmp "$ROOT/proof" "$MNT/files/proof/file"; grep -qx proof "$MNT/scratchpads/proof"
            """)
        let errors = try errorLines()
        #expect(errors.isEmpty, sourceLocation: sourceLocation)
    }
}

/// Whether something comes true in time.
func waits(seconds: Int, _ condition: () throws -> Bool) throws -> Bool {
    for _ in 0..<seconds * 5 {
        if try condition() { return true }
        usleep(200_000)
    }
    return false
}
