// SPDX-License-Identifier: Apache-2.0
//
// A volume used without a mount: its engine runs in this process, for one command.

import Blocks
package import Engine

/// A volume that this process alone uses.
package final class DirectVolume: Sendable {
    /// The running engine.
    package let engine: Engine
    /// The volume's settings.
    package let configuration: VolumeConfiguration
    private let folder: VolumeFolder
    /// Held as long as the engine runs.
    private let lock: StateLock

    /// Takes the volume's lock and starts its engine.
    ///
    /// - Parameter passphrase: where one comes from, if the key is sealed.
    package init(
        _ folder: VolumeFolder, passphrase: SecretInput.Source, isReadOnly: Bool
    ) throws(CommandFailure) {
        self.folder = folder
        configuration = try VolumeConfiguration.read(from: folder)
        let seed = try VolumeStart.seed(of: folder, passphrase: passphrase)
        var start = try VolumeStart(folder: folder, configuration: configuration)
        start.settings.isReadOnly = isReadOnly
        lock = try folder.lock()
        engine = try start.start(.existing, seed: seed)
    }

    /// The volume's files.
    package var tree: VolumeTree { VolumeTree(engine, wait: configuration.readDeadline) }

    /// Brings to the store what was written, and stops the engine.
    ///
    /// - Throws: `unpublished` when the store did not take everything, and it is safe here all the
    ///   same; `failure` when it could not even be kept here.
    package func finish(
        timeout: Duration?, progress: @escaping (EngineStatus) -> Void
    ) throws(CommandFailure) {
        let outcome = engine.synchronizeRemotely(timeout: timeout, progress: progress)
        var isLocal = false
        if case .failed(let sentence) = outcome { isLocal = engine.failedHere(sentence) }
        let last = stop()
        if let changes = last.uncommitted { throw Daemon.lost(changes) }
        switch outcome {
        case .published: return
        case .failed(let sentence): throw Daemon.unpublished(sentence, last, isLocal: isLocal)
        case .timedOut: throw Daemon.unpublished("the time is up", last)
        }
    }

    /// Stops the engine of a volume that was only read.
    package func close() {
        _ = stop()
    }

    private func stop() -> EngineStatus {
        let last = engine.stop(finishing: nil)
        if last.uncommitted == nil { folder.noteLeft(StatusText.left(by: last)) }
        return last
    }
}
