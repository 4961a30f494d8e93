// SPDX-License-Identifier: Apache-2.0
//
// One volume's folder: which file in it is what, and when the folder may be used.
//
// States of the folder: missing; unfinished (no `config`; left by an `init` or `recover` that was
// killed); complete. `config` is written last, so a complete folder has everything.
//
// Invariants:
// - it belongs to the user, mode 0700: nobody else reads names, keys or blocks, or meets the
//   socket;
// - who changes anything in it holds its lock (`lock()`).

import Blocks
import Glibc
import Namespace

/// The local folder of one volume.
package struct VolumeFolder: Sendable, Equatable {
    /// Absolute path.
    package let path: String
    /// The volume's name, which is the folder's.
    package let name: VolumeName

    /// The settings; the file that makes the folder complete.
    package var configuration: String { path + "/config" }
    /// The seed, see docs/format.md §21.
    package var keyFile: String { path + "/key" }
    /// The seed of a volume that is to be made as soon as its account has money; only in an
    /// unfinished folder.
    package var waitingKeyFile: String { path + "/key.waiting" }
    /// The running daemon's control socket.
    package var socket: String { path + "/control" }
    /// The daemon's log; the older half is beside it as `log.1`.
    package var log: String { path + "/log" }

    /// Bits a folder of ours never has: anything for group or others.
    private static let foreignBits: UInt32 = 0o077
    /// Levels a folder of ours never reaches; a deeper one is not ours to remove.
    private static let maximumDepth = 8

    /// True when `init` or `recover` finished it.
    package var isComplete: Bool { Files.exists(configuration) }

    /// Makes the folder, and what is above it, for this user alone. It may exist.
    package func make() throws(CommandFailure) {
        do {
            try Files.makeDirectories(path, mode: 0o700)
        } catch {
            throw CommandFailure(
                .failure, "the state folder “\(path)” cannot be made", error,
                advice: "give another one with --state")
        }
        try checkPermissions()
    }

    /// Refuses a volume that is not here.
    package func requireComplete() throws(CommandFailure) {
        do {
            _ = try FileFacts.of(configuration, follows: false)
        } catch {
            guard error.code == ENOENT || error.code == ENOTDIR else {
                throw CommandFailure(.failure, "the state folder “\(path)” cannot be read", error)
            }
            throw CommandFailure(
                .noSuchVolume, "there is no volume “\(name)” in “\(Files.parent(of: path))”",
                advice: "“cairn list” shows the volumes; “cairn init” makes one; “cairn recover”"
                    + " gets one back from its phrase")
        }
        try checkPermissions()
    }

    /// Refuses a folder that somebody else owns or can look into.
    package func checkPermissions() throws(CommandFailure) {
        let facts: FileFacts
        do {
            facts = try FileFacts.of(path, follows: false)
        } catch {
            throw CommandFailure(.failure, "the state folder “\(path)” cannot be read", error)
        }
        guard facts.kind == .directory else {
            throw CommandFailure(.invalidConfiguration, "“\(path)” is not a folder")
        }
        guard facts.user == geteuid() else {
            throw CommandFailure(
                .invalidConfiguration, "the state folder “\(path)” belongs to another user",
                advice: "run the command as that user")
        }
        guard facts.mode & Self.foreignBits == 0 else {
            throw CommandFailure(
                .invalidConfiguration, "the state folder “\(path)” is open to other users",
                advice: "close it with: chmod 700 '\(path)'")
        }
    }

    /// Whether it holds the seed of a volume that waits for money.
    package var isWaiting: Bool { !isComplete && Files.exists(waitingKeyFile) }

    /// Empties an unfinished folder, but for a seed that waits. To be called holding its lock.
    package func clear() throws(CommandFailure) {
        try removal { () throws(SystemError) in
            try Self.empty(
                path, keeping: [StateLock.fileName, Files.lastComponent(of: waitingKeyFile)],
                depth: 0)
        }
    }

    /// Removes the seed that waited: the volume has it now. To be called holding its lock.
    package func removeWaitingKey() throws(CommandFailure) {
        guard Files.exists(waitingKeyFile) else { return }
        try removal { () throws(SystemError) in try Files.remove(waitingKeyFile) }
    }

    /// Removes the folder with everything in it. To be called holding its lock.
    package func remove() throws(CommandFailure) {
        try removal { () throws(SystemError) in
            try Self.empty(path, keeping: [], depth: 0)
            try Files.removeDirectory(path)
        }
    }

    private func removal(_ body: () throws(SystemError) -> Void) throws(CommandFailure) {
        do {
            try body()
        } catch {
            throw CommandFailure(
                .failure, "the unfinished folder “\(path)” cannot be removed", error,
                advice: "remove it by hand, then try again")
        }
    }

    private static func empty(
        _ path: String, keeping kept: Set<String>, depth: Int
    ) throws(SystemError) {
        guard depth < maximumDepth else { throw SystemError("rmdir", code: ELOOP) }
        let entries = try Files.names(in: try Descriptor.open(path, O_RDONLY | O_DIRECTORY))
        for entry in entries {
            let name = String(decoding: entry.name, as: UTF8.self)
            if kept.contains(name) { continue }
            let child = path + "/" + name
            if try FileFacts.of(child, follows: false).kind == .directory {
                try empty(child, keeping: [], depth: depth + 1)
                try Files.removeDirectory(child)
            } else {
                try Files.remove(child)
            }
        }
    }
}
