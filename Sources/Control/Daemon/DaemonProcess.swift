// SPDX-License-Identifier: Apache-2.0
//
// Being a daemon: what `DaemonLaunch` starts, and the same in the foreground.

package import Cryptography
import Glibc
import Primitives
import Synchronization

/// This process as the daemon of a volume.
package enum DaemonProcess {
    /// Runs this process as the daemon that `DaemonLaunch.mount` started, to its end.
    ///
    /// - Parameters:
    ///   - folder: the volume's.
    ///   - mountPoint: an absolute path.
    /// - Throws: what went wrong, after the one who started it was told.
    package static func serve(
        _ folder: VolumeFolder, _ settings: MountSettings, at mountPoint: String
    ) throws(CommandFailure) {
        let secret = try inherited(DaemonLaunch.seedDescriptor)
        let report = Report(try inherited(DaemonLaunch.reportDescriptor))
        do throws(CommandFailure) {
            try prepare()
            let seed = try seed(from: secret)
            let log = try EventLog(path: folder.log, takesStandardError: true)
            var start = try VolumeStart(
                folder: folder, configuration: try VolumeConfiguration.read(from: folder))
            start.settings = settings
            let daemon = try Daemon(start, at: mountPoint, seed: seed, log: log)
            try daemon.run { report.send(DaemonLaunch.ready) }
        } catch {
            var writer = ByteWriter()
            error.write(to: &writer)
            _ = report.send(writer.bytes)
            throw error
        }
    }

    /// Runs this process as a daemon that its starter watches; its log goes to standard error.
    package static func serveInForeground(
        _ start: VolumeStart, at mountPoint: String, seed: SecretBytes
    ) throws(CommandFailure) {
        ProcessSettings.prepareForLongLife()
        Signals.takeOver()
        let daemon = try Daemon(start, at: mountPoint, seed: seed, log: EventLog())
        try daemon.run {
            Output.note("cairn: “\(start.folder.name)” is mounted at \(mountPoint)\n")
            return true
        }
    }

    private static func inherited(_ number: Int32) throws(CommandFailure) -> Descriptor {
        guard fcntl(number, F_SETFD, FD_CLOEXEC) == 0 else {
            throw CommandFailure(
                .usage, "this is how a mount starts itself, not a command for people",
                advice: "use “cairn mount”")
        }
        return Descriptor(owning: number)
    }

    private static func prepare() throws(CommandFailure) {
        do {
            try ProcessSettings.detach(keeping: DaemonLaunch.seedDescriptor)
        } catch {
            throw CommandFailure(.failure, "the daemon cannot be set up", error)
        }
        try ProcessSettings.protectMemory()
        ProcessSettings.prepareForLongLife()
        Signals.takeOver()
    }

    private static func seed(
        from pipe: borrowing Descriptor
    ) throws(CommandFailure) -> SecretBytes {
        var bytes = [UInt8](repeating: 0, count: KeyFile.seedSize)
        defer { Wiping.wipe(&bytes) }
        do throws(SystemError) {
            var span = bytes.mutableSpan
            // What fits a pipe's atomic write comes in one piece.
            guard try pipe.read(into: &span) == KeyFile.seedSize else {
                throw SystemError("read", code: EPIPE)
            }
        } catch {
            throw CommandFailure(.failure, "the daemon was not given its key", error)
        }
        return SecretBytes(bytes)
    }

    /// The one report to the starter; closed after it.
    private final class Report: Sendable {
        private let pipe: Mutex<Descriptor?>

        init(_ pipe: consuming Descriptor) {
            self.pipe = Mutex(pipe)
        }

        /// - Returns: false when the starter is gone, or was told already.
        func send(_ bytes: [UInt8]) -> Bool {
            guard let pipe = pipe.withLock({ $0.take() }) else { return false }
            do {
                try pipe.writeAll(bytes.span)
                return true
            } catch {
                return false
            }
        }
    }
}
