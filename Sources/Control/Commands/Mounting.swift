// SPDX-License-Identifier: Apache-2.0
//
// `cairn mount`: from a name and a directory to a mount that answers.

import Engine
import FuseHost
import Namespace

/// Mounts a volume.
package struct Mounting: Sendable {
    /// Where this machine keeps its volumes.
    package var state: StateFolder
    /// The volume.
    package var name: VolumeName
    /// The directory, as the person gave it.
    package var directory: String
    /// `-o`.
    package var settings: MountSettings
    /// Stay, and log to standard error.
    package var isInForeground = false

    /// - Parameters: as the properties.
    package init(
        state: StateFolder, name: VolumeName, directory: String, settings: MountSettings
    ) {
        self.state = state
        self.name = name
        self.directory = directory
        self.settings = settings
    }

    /// Mounts. Returns when the mount answers; in the foreground, when it has ended.
    ///
    /// - Returns: the absolute path of the mount point.
    @discardableResult
    package func run() throws(CommandFailure) -> String {
        let folder = state.volume(name)
        let configuration = try VolumeConfiguration.read(from: folder)
        var start = try VolumeStart(folder: folder, configuration: configuration)
        start.settings = settings
        // The daemon has an environment of its own.
        if settings.alephNodes.isEmpty {
            for node in AlephSession.namedNodes { try start.settings.add("aleph-node=\(node)") }
        }
        let mountPoint = try mountPoint()
        try refuseSecond(folder)
        let source = settings.passphraseFile.map(SecretInput.Source.file) ?? .terminal
        let seed = try VolumeStart.seed(of: folder, passphrase: source)
        if isInForeground {
            try DaemonProcess.serveInForeground(start, at: mountPoint, seed: seed)
        } else {
            try DaemonLaunch.mount(start, state: state, at: mountPoint, seed: seed)
        }
        return mountPoint
    }

    /// What a person should know after mounting a volume whose store is away, or that another
    /// machine has published since; nil if there is nothing.
    package func note() throws(CommandFailure) -> String? {
        guard let status = try ControlClient.status(of: state.volume(name)) else { return nil }
        if let superseded = StatusText.superseded(status.engine) {
            return "cairn: \(superseded).\n"
        }
        guard status.engine.offlineSince > 0 else { return nil }
        return "cairn: the store is away: \(status.engine.storeFailure).\n"
            + "       What is cached can be read, and changes are kept here until it is back.\n"
    }

    /// What is plainly wrong with the directory is said before a passphrase is asked for; the rest
    /// is found when it is mounted.
    private func mountPoint() throws(CommandFailure) -> String {
        let path: String
        do {
            path = try Files.absolute(directory)
        } catch {
            throw CommandFailure(FuseHostError.mountPointMissing(directory))
        }
        if MountPoint.isOurs(path) {
            // Neither is it in the way if it went meanwhile.
            guard try MountPoint.cleanDead(path) || !MountPoint.isOurs(path) else {
                throw CommandFailure(FuseHostError.alreadyMounted(path))
            }
        }
        let kind: FileKind
        do {
            kind = try FileFacts.of(path).kind
        } catch {
            throw CommandFailure(FuseHostError.mountPointMissing(path))
        }
        guard kind == .directory else {
            throw CommandFailure(FuseHostError.mountPointNotDirectory(path))
        }
        return path
    }

    private func refuseSecond(_ folder: VolumeFolder) throws(CommandFailure) {
        guard let status = try ControlClient.status(of: folder) else { return }
        let what =
            status.phase == .serving
            ? "mounted at “\(status.mountPoint)”" : "still being brought to its store"
        throw CommandFailure(
            .stateInUse, "the volume “\(name)” is \(what) by process \(status.process)",
            advice: "“cairn unmount \(name)” ends that")
    }
}
