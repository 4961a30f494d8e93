// SPDX-License-Identifier: Apache-2.0
//
// A volume of the real command, mounted, whose daemon may be killed at any moment. Whatever happens
// in a test, nothing of it stays mounted or running.

import Foundation
import TestSupport
import Testing

/// A volume on a folder store, and its mount.
final class CrashVolume {
    /// The command under test: `CAIRN_BINARY`, or what was built beside the tests.
    static let binary: String = {
        if let named = ProcessInfo.processInfo.environment["CAIRN_BINARY"] { return named }
        let here = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return here.deletingLastPathComponent().appendingPathComponent("cairn").path
    }()
    /// Longest time of one command: a hang is a failure, not a wait.
    static let commandLimit = 120

    let root: String
    let name = "test"
    let phrase: String
    var mountPoint: String { root + "/mnt" }
    let store: String
    let state: String
    /// Mounted for as long as this volume is there.
    private let stateDisk: LoopDisk?
    var folder: String { state + "/volumes/" + name }
    var environment: [String: String] {
        [
            "CAIRN_STATE": state, "MNT": mountPoint, "ROOT": root, "STORE": store,
            "HOME": root + "/home", "CAIRN": CrashVolume.binary, "LC_ALL": "C.UTF-8",
            "CONFIG": folder + "/config",
        ]
    }
    /// The process that serves the mount.
    private(set) var daemon: Int32 = 0
    /// All daemons there ever were: none outlives the test.
    private var daemons: Set<Int32> = []
    /// What was mounted for the test, last first.
    private var mounts: [String] = []

    /// - Parameters:
    ///   - stateSize: bytes of a disk in memory of its own for the state folder; nil for none.
    ///   - stateDisk: a disk for it that is there already.
    ///   - storeSize: the same for the store.
    ///   - storePath: where the store is, if not in the volume's own folder.
    init(
        stateSize: Int? = nil, stateDisk: LoopDisk? = nil, storeSize: Int? = nil,
        storePath: String? = nil
    ) throws {
        self.stateDisk = stateDisk
        root = NSTemporaryDirectory() + "cairn-crash-" + UUID().uuidString.prefix(8)
        store = storePath ?? root + "/store"
        state = (stateDisk?.path ?? root) + "/state"
        for name in ["home", "mnt", "state"] + (storePath == nil ? ["store"] : []) {
            try FileManager.default.createDirectory(
                atPath: root + "/" + name, withIntermediateDirectories: true)
        }
        var disks: [String] = []
        for (name, size) in [("state", stateSize), ("store", storeSize)] {
            guard let size else { continue }
            let path = root + "/" + name
            let options = "size=\(size),mode=700"
            let made = try run(
                "/bin/mount", ["-t", "tmpfs", "-o", options, "cairn-crash", path])
            guard made.status == 0 else { throw ShellFailure(command: "mount", result: made) }
            disks.append(path)
        }
        let variables = [
            "CAIRN_STATE": state, "HOME": root + "/home", "LC_ALL": "C.UTF-8",
        ]
        let made = try run(
            CrashVolume.binary,
            ["init", "test", "--store", "file://" + store],
            environment: variables)
        phrase = made.output
        mounts = disks
        guard made.status == 0 else { throw ShellFailure(command: "cairn init", result: made) }
    }

    /// Runs the command, within a time.
    @discardableResult
    func tried(
        _ arguments: [String], input: String = "", also variables: [String: String] = [:]
    ) throws -> ShellResult {
        let limit = ["-k", "5", "\(CrashVolume.commandLimit)", CrashVolume.binary]
        return try run(
            "/usr/bin/timeout", limit + arguments, input: input,
            environment: environment.merging(variables) { $1 })
    }

    /// Runs the command, which has to succeed.
    @discardableResult
    func done(_ arguments: String..., input: String = "") throws -> String {
        let result = try tried(arguments, input: input)
        guard result.status == 0 else {
            throw ShellFailure(command: "cairn " + arguments.joined(separator: " "), result: result)
        }
        return result.output
    }

    @discardableResult
    func shell(_ script: String) throws -> String {
        try TestSupport.shell(script, environment)
    }

    // MARK: The daemon

    /// - Parameter clock: the daemon's clocks; nil for the system's.
    func mount(_ options: String..., clock: JumpingClock? = nil) throws {
        var arguments = ["mount", name, mountPoint]
        if !options.isEmpty { arguments += ["-o", options.joined(separator: ",")] }
        let result = try tried(arguments, also: clock?.environment ?? [:])
        guard result.status == 0 else { throw ShellFailure(command: "cairn mount", result: result) }
        daemon = try processIdentifier()
        daemons.insert(daemon)
    }

    func unmount() throws { try done("unmount", mountPoint) }

    func sync() throws { try done("sync", mountPoint) }

    /// A member of the status.
    func status(_ field: String) throws -> String {
        let json = try JSONSerialization.jsonObject(
            with: Data(try done("status", name, "--json").utf8))
        let fields = try #require(json as? [String: Any])
        return "\(try #require(fields[field]))"
    }

    private func processIdentifier() throws -> Int32 {
        try #require(Int32(try status("pid")))
    }

    /// Ends the daemon as a crash does. Its process is gone when this returns.
    func kill(with signal: Int32 = SIGKILL) {
        send(signal)
        _ = eventually { !isRunning(self.daemon) }
    }

    /// Sends the daemon a signal.
    func send(_ signal: Int32) {
        precondition(daemon > 0, "nothing is mounted")
        _ = Foundation.kill(daemon, signal)
    }

    /// Takes the mount away that a killed daemon has left.
    func leaveDeadMount() throws { try shell("umount -l \"$MNT\"") }

    /// Throws the state folder away, and gets the volume back from its phrase: an empty cache.
    func recover() throws {
        try unmount()
        try FileManager.default.removeItem(atPath: folder)
        try done("recover", name, "--store", "file://" + store, input: phrase)
    }

    /// Copies the state folder, of which nobody may make use meanwhile, beside the volume.
    func keepState(as name: String) throws {
        try shell("rm -rf \"$ROOT/\(name)\"; cp -a --sparse=always \"\(folder)\" \"$ROOT/\(name)\"")
    }

    /// What `.cairn/errors` says.
    func errors() throws -> String { try shell("cat \"$MNT/.cairn/errors\"") }

    deinit {
        // Best effort on the way out of a failed test: by the mount points and the process ids.
        _ = try? run("/bin/umount", ["-l", mountPoint])
        for process in daemons where isRunning(process) && isOurs(process) {
            _ = Foundation.kill(process, SIGCONT)
            if !eventually(within: .seconds(3), { !isRunning(process) }) {
                _ = Foundation.kill(process, SIGKILL)
                _ = eventually { !isRunning(process) }
            }
        }
        for path in mounts.reversed() { _ = try? run("/bin/umount", ["-l", path]) }
        try? FileManager.default.removeItem(atPath: root)
    }

    /// Numbers of processes are given again: only a command that names this folder is ours.
    private func isOurs(_ process: Int32) -> Bool {
        let line = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(process)/cmdline"))
        return String(decoding: line ?? Data(), as: UTF8.self).contains(root)
    }
}
