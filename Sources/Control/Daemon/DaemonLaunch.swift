// SPDX-License-Identifier: Apache-2.0
//
// Starting a daemon.
//
// The command that mounts starts this program anew, in a session of its own, with two pipes: on
// descriptor 3 the daemon reports once, on descriptor 4 it is given the seed. So the passphrase is
// asked for where a terminal is, its dear key derivation leaves no trace in the daemon's memory,
// and no secret is in an argument or the environment.

package import Cryptography
import Glibc
import Primitives

/// Starts daemons.
package enum DaemonLaunch {
    /// The hidden subcommand that a daemon is started with.
    package static let subcommand = "daemon"
    /// Descriptor of the daemon's report.
    static let reportDescriptor: Int32 = 3
    /// Descriptor of the seed.
    static let seedDescriptor: Int32 = 4
    /// Most bytes of a report: a code and two texts.
    static let reportLimit = 4 * ControlLimits.textSize
    /// The report of a mount that answers: an exit code no failure has.
    static let ready: [UInt8] = [UInt8(ExitCode.success.rawValue)]

    /// Starts the daemon of a volume, and returns when its mount answers.
    ///
    /// - Parameters:
    ///   - state: the state folder.
    ///   - mountPoint: an absolute path.
    /// - Throws: what the daemon said went wrong.
    package static func mount(
        _ start: VolumeStart, state: StateFolder, at mountPoint: String, seed: SecretBytes
    ) throws(CommandFailure) {
        let arguments = [
            "cairn", subcommand, "--state", state.path, "--options", start.settings.list,
            start.folder.name.text, mountPoint,
        ]
        let report: [UInt8]
        do {
            report = try launch(arguments, seed).readAll(limit: reportLimit)
        } catch {
            throw CommandFailure(.failure, "the daemon cannot be started", error)
        }
        guard report == ready else { throw failure(in: report, start) }
        guard MountPoint.answers(mountPoint) else {
            throw CommandFailure(
                .failure, "the mount at “\(mountPoint)” ended at once",
                advice: "“\(start.folder.log)” says why")
        }
    }

    /// - Returns: where the daemon's report comes from; it ends when the daemon closes it, or dies.
    private static func launch(
        _ arguments: [String], _ seed: SecretBytes
    ) throws(SystemError) -> Descriptor {
        // Our copies of the daemon's ends close when this returns.
        let report = try Pipe()
        let secret = try Pipe()
        // A pipe takes 32 bytes without a reader.
        try seed.withBytes { (bytes) throws(SystemError) in
            try secret.writing.writeAll(bytes)
        }
        _ = try ProcessLaunch.startSelf(
            arguments: arguments,
            inherited: [report.writing.number, secret.reading.number])
        return try report.reading.duplicate()
    }

    private static func failure(in report: [UInt8], _ start: VolumeStart) -> CommandFailure {
        var reader = ByteReader(report)
        do {
            return try CommandFailure(from: &reader)
        } catch {
            return CommandFailure(
                .failure, "the daemon ended before its mount answered",
                advice: "“\(start.folder.log)” may say why")
        }
    }
}
