// SPDX-License-Identifier: Apache-2.0
//
// A volume as a stranger gets one: made with the command, mounted, and everything cleaned up
// whatever happens.

import Foundation
import TestSupport
import Testing

/// A volume on a folder store in a temporary folder.
final class MountedVolume {
    /// The command under test: `CAIRN_BINARY`, or the newest build beside the tests.
    static let binary: String = {
        if let named = ProcessInfo.processInfo.environment["CAIRN_BINARY"] { return named }
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let candidates = ["release", "debug"].map {
            root.appendingPathComponent(".build/\($0)/cairn").path
        }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) }
            ?? candidates[0]
    }()

    let root: String
    let name = "test"
    /// Mount options, as after `-o`; nil for none.
    let mountOptions: String?
    /// Where the volume rests: the folder `store`, or what the test names.
    let storeURL: String
    private(set) var phrase = ""
    private let options: [String]
    var mountPoint: String { root + "/mnt" }
    var store: String { root + "/store" }
    var state: String { root + "/state" }
    var environment: [String: String] {
        [
            "CAIRN_STATE": state, "MNT": mountPoint, "ROOT": root, "STORE": store,
            "HOME": root + "/home", "CAIRN": MountedVolume.binary, "LC_ALL": "C.UTF-8",
        ]
    }

    /// - Parameters:
    ///   - mounts: whether it is mounted at once.
    ///   - mountOptions: as after `-o`; nil for none.
    ///   - storeURL: its store; nil for the folder `store`.
    ///   - options: more for `init` and `recover`.
    init(
        mounts: Bool = true, mountOptions: String? = nil, storeURL: String? = nil,
        options: [String] = []
    ) throws {
        self.mountOptions = mountOptions
        root = "/tmp/cairn-mount-" + UUID().uuidString.prefix(8)
        self.storeURL = storeURL ?? "file://\(root)/store"
        try FileManager.default.createDirectory(
            atPath: root + "/home", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            atPath: root + "/mnt", withIntermediateDirectories: true)
        self.options = options
        let made = try cairn(["init", name, "--store", self.storeURL] + options)
        guard made.status == 0 else { throw ShellFailure(command: "cairn init", result: made) }
        phrase = made.output
        if mounts { try mount() }
    }

    /// Runs the command with this volume's state folder.
    func cairn(_ arguments: [String], input: String = "") throws -> ShellResult {
        try run(MountedVolume.binary, arguments, input: input, environment: environment)
    }

    /// Runs a script with `MNT`, `STORE`, `CAIRN` and `CAIRN_STATE` set.
    @discardableResult
    func shell(_ script: String) throws -> String {
        try TestSupport.shell(script, environment)
    }

    func mount() throws { try mount(options: mountOptions) }

    /// - Parameter options: as after `-o`, in place of this volume's own; nil for none.
    func mount(options: String?) throws {
        let result = try cairn(["mount", name, mountPoint] + (options.map { ["-o", $0] } ?? []))
        guard result.status == 0 else { throw ShellFailure(command: "cairn mount", result: result) }
    }

    func unmount() throws {
        let result = try cairn(["unmount", mountPoint])
        guard result.status == 0 else {
            throw ShellFailure(command: "cairn unmount", result: result)
        }
    }

    func sync() throws {
        let result = try cairn(["sync", mountPoint])
        guard result.status == 0 else { throw ShellFailure(command: "cairn sync", result: result) }
    }

    /// Unmounts, throws the local state away, and recovers from the phrase.
    func recover() throws {
        try sync()
        try unmount()
        try FileManager.default.removeItem(atPath: state)
        let result = try cairn(
            ["recover", name, "--store", storeURL] + options, input: phrase)
        guard result.status == 0 else {
            throw ShellFailure(command: "cairn recover", result: result)
        }
        try mount()
    }

    /// The process that serves the mount, as `status` names it.
    func daemonPID() throws -> Int32 {
        let result = try cairn(["status", name, "--json"])
        let json = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
        // Thrown, not required: the way out of a test asks also when nothing is mounted.
        guard let fields = json as? [String: Any], let pid = fields["pid"] as? Int else {
            throw ShellFailure(command: "cairn status", result: result)
        }
        return Int32(pid)
    }

    /// Everything that makes two trees the same: kind, mode, owner, size, time, link count, symlink
    /// target, content, extended attributes.
    static func manifest(_ tree: String) throws -> String {
        try TestSupport.shell(
            """
            cd "$TREE"
            find . -mindepth 1 ! -type d -printf '%P|%y|%m|%U:%G|%s|%T@|%n|%l\\n' | LC_ALL=C sort
            find . -type d -printf '%P|%y|%m|%U:%G|%T@\\n' | LC_ALL=C sort
            find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum
            find . -print0 | LC_ALL=C sort -z \
            | xargs -0 -r getfattr -h -d -m '^user\\.[^c]' --absolute-names 2>/dev/null
            find . -type f -links +1 -printf '%i %P\\n' | LC_ALL=C sort -k2 \
            | awk '{ if (!($1 in s)) s[$1]=++n; print s[$1], $2 }'
            """, ["TREE": tree])
    }

    /// The first lines that stand in one manifest only, for a failure's message.
    static func difference(_ found: String, _ wanted: String) -> [String] {
        let a = Set(found.split(separator: "\n"))
        let b = Set(wanted.split(separator: "\n"))
        return a.subtracting(b).sorted().prefix(5).map { "found " + $0 }
            + b.subtracting(a).sorted().prefix(5).map { "wanted " + $0 }
    }

    /// Gets the volume back from its phrase: what is in `files/` must be what was there.
    func expectSameTreeAfterRecovery(
        _ sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let before = try MountedVolume.manifest(mountPoint + "/files")
        try recover()
        let after = try MountedVolume.manifest(mountPoint + "/files")
        let isSame = after == before
        #expect(
            isSame, "\(MountedVolume.difference(after, before))", sourceLocation: sourceLocation)
    }

    deinit {
        // Best effort on the way out of a failed test: by the mount point and the process id.
        let pid = try? daemonPID()
        _ = try? run("/bin/umount", ["-l", mountPoint])
        if let pid {
            if !eventually(within: .seconds(5), { !isRunning(pid) }) { _ = kill(pid, SIGKILL) }
        }
        try? FileManager.default.removeItem(atPath: root)
    }
}

/// What suites about users, devices and privileges begin with: each test has a volume of its own,
/// mounted for everyone.
class EveryonesMount {
    let volume: MountedVolume

    init() throws {
        volume = try MountedVolume(mountOptions: "allow_other,suid,dev")
    }
}
