// SPDX-License-Identifier: Apache-2.0
//
// One process at a time uses a volume's local state; the next one is told which.

package import Blocks
import Glibc

extension VolumeFolder {
    /// Takes the exclusive right to use this folder, and makes it if there is none.
    ///
    /// - Returns: holds the right for as long as it lives.
    /// - Throws: `stateInUse` with the holder's process id.
    package func lock() throws(CommandFailure) -> StateLock {
        do {
            return try StateLock(folder: path)
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ error: StateLockError) -> CommandFailure {
        switch error {
        case .locked(let process):
            CommandFailure(
                .stateInUse,
                "the volume “\(name)” is in use by "
                    + (process.map { "process \($0)" } ?? "another process"),
                advice:
                    "“cairn status \(name)” shows where it is mounted, and “cairn unmount \(name)”"
                    + " ends that")
        case .notOwned(let user):
            CommandFailure(
                .invalidConfiguration, "the state folder “\(path)” belongs to user \(user)",
                advice: "run the command as that user")
        case .notAFolder:
            CommandFailure(.invalidConfiguration, "“\(path)” is not a folder")
        case .io(let code):
            CommandFailure(
                .failure, "the state folder “\(path)” cannot be used",
                SystemError("open", code: code),
                advice: "give another one with --state")
        }
    }

    /// True when some process uses the folder at this moment.
    package var isLocked: Bool {
        do {
            let file = try Descriptor.open(path + "/" + StateLock.fileName, O_RDONLY)
            // Had for an instant, this lock makes nobody fail: it is let go before a reader's
            // retry.
            guard flock(file.number, LOCK_SH | LOCK_NB) != 0 else { return false }
            return errno == EWOULDBLOCK
        } catch {
            // No lock file: nobody ever used it.
            return false
        }
    }
}
