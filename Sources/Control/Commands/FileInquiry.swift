// SPDX-License-Identifier: Apache-2.0
//
// `cairn info`: how one file rests.

import Engine

/// Asks about files, of the daemon that has them mounted or of the volume itself.
package struct FileInquiry: Sendable {
    /// Where this machine keeps its volumes.
    package var state: StateFolder
    /// Where a passphrase comes from, if the key is sealed and no daemon runs.
    package var passphrase = SecretInput.Source.terminal

    /// - Parameter state: where this machine keeps its volumes.
    package init(state: StateFolder) {
        self.state = state
    }

    /// What is known of a file.
    ///
    /// - Parameter text: a path under a mount, or `VOLUME:PATH`.
    package func report(on text: String) throws(CommandFailure) -> FileReport {
        if VolumePath.isMeant(by: text), !Files.exists(text) {
            let path = try VolumePath(text)
            let folder = state.volume(path.volume)
            try folder.requireComplete()
            if try ControlClient.status(of: folder) != nil {
                return try ask(folder, path.path)
            }
            return try look(folder, path.path)
        }
        // The file itself is meant, also when it is a symlink.
        let path = try VolumeTarget.place(text)
        let target = try VolumeTarget(path: path, in: state)
        return try ask(target.folder, try target.volumePath(of: path))
    }

    private func ask(
        _ folder: VolumeFolder, _ path: String
    ) throws(CommandFailure) -> FileReport {
        // As long as the daemon itself may wait for the store, and some more.
        let wait = VolumeConfiguration.readDeadlines.upperBound + ControlLimits.patience
        guard path.utf8.count <= ControlLimits.textSize else {
            throw CommandFailure(
                .unusablePath, "the path is longer than \(ControlLimits.textSize) bytes")
        }
        let request = ControlRequest.describe(path: Array(path.utf8))
        guard
            case .description(let report) = try ControlClient.ask(
                request, of: folder, within: wait)
        else {
            throw CommandFailure(.notMounted, "the volume “\(folder.name)” is not mounted")
        }
        return report
    }

    private func look(
        _ folder: VolumeFolder, _ path: String
    ) throws(CommandFailure) -> FileReport {
        let volume = try DirectVolume(folder, passphrase: passphrase, isReadOnly: true)
        defer { volume.close() }
        let context = RequestContext.patient(for: volume.configuration.readDeadline)
        do throws(FileError) {
            let ino = try volume.engine.resolve(Array(path.utf8), context)
            return FileReport(try volume.engine.describe(ino, context))
        } catch {
            throw Self.failure(path, error)
        }
    }

    /// Why a file was not described.
    static func failure(_ path: String, _ error: FileError) -> CommandFailure {
        // What is made when it is opened, or lies elsewhere, is in no table of the volume.
        let words = error == .stale ? "it is not kept in the volume" : error.words
        return CommandFailure(.unusablePath, "“\(path)” cannot be described: \(words)")
    }
}
