// SPDX-License-Identifier: Apache-2.0
//
// `cairn open`, `share`, `datamap` and `pad`: of the daemon that has the volume mounted, or of the
// volume itself.

import Engine
import Glibc

/// Asks for tasks with what is not the volume's alone: public data, and pads from elsewhere.
package struct PublicData: Sendable {
    /// Where this machine keeps its volumes.
    package var state: StateFolder
    /// Where a passphrase comes from, if the key is sealed and no daemon runs.
    package var passphrase = SecretInput.Source.terminal

    /// - Parameter state: where this machine keeps its volumes.
    package init(state: StateFolder) {
        self.state = state
    }

    /// Puts a foreign file into a volume.
    ///
    /// - Parameters:
    ///   - source: an address, a data map in hexadecimal, or the path of a file with one.
    ///   - target: where to: a path under a mount, or `VOLUME:PATH`.
    package func open(
        _ source: String, at target: String
    ) throws(CommandFailure) -> PublicDataReport {
        let bytes = try Self.source(source)
        // What makes no sense is said before anything is started.
        _ = try PublicDataTask.source(bytes)
        let (folder, path) = try place(of: target)
        return try perform(.open(source: bytes, path: Array(path.utf8)), folder)
    }

    /// Makes a file or a folder public.
    package func share(_ target: String) throws(CommandFailure) -> PublicDataReport {
        let (folder, path) = try place(of: target)
        return try perform(.share(path: Array(path.utf8)), folder)
    }

    /// The data map of a file.
    package func dataMap(of target: String) throws(CommandFailure) -> PublicDataReport {
        let (folder, path) = try place(of: target)
        return try perform(.dataMap(path: Array(path.utf8)), folder)
    }

    private static func source(_ text: String) throws(CommandFailure) -> [UInt8] {
        guard Files.exists(text) else { return Array(text.utf8) }
        do {
            return try Descriptor.open(text, O_RDONLY).readAll(
                limit: PublicDataRequest.sourceSize)
        } catch {
            throw CommandFailure(.unusablePath, "“\(text)” cannot be read", error)
        }
    }

    func place(
        of text: String
    ) throws(CommandFailure) -> (folder: VolumeFolder, path: String) {
        if VolumePath.isMeant(by: text), !Files.exists(text) {
            let path = try VolumePath(text)
            let folder = state.volume(path.volume)
            try folder.requireComplete()
            return (folder, path.path)
        }
        // The last name may be of a file that is only to come.
        let folder = try VolumeTarget.absolute(Files.parent(of: text))
        let path = (folder == "/" ? "" : folder) + "/" + Files.lastComponent(of: text)
        let target = try VolumeTarget(path: path, in: state)
        return (target.folder, try target.volumePath(of: path))
    }

    private func perform(
        _ request: PublicDataRequest, _ folder: VolumeFolder
    ) throws(CommandFailure) -> PublicDataReport {
        try perform(.publicData(request), folder) { (reply) -> PublicDataReport? in
            guard case .publicData(let report) = reply else { return nil }
            return report
        } directly: { (engine) throws(CommandFailure) in
            try PublicDataTask(engine: engine).perform(request)
        }
    }

    /// Asks the daemon, if there is one; else does it with the volume itself.
    ///
    /// - Parameters:
    ///   - read: the report of a reply; nil for a reply of another kind.
    ///   - body: the same task on an engine of this process.
    func perform<Report>(
        _ request: ControlRequest, _ folder: VolumeFolder,
        reading read: (ControlReply) -> Report?,
        directly body: (Engine) throws(CommandFailure) -> Report
    ) throws(CommandFailure) -> Report {
        if try ControlClient.status(of: folder) != nil {
            let reply = try ControlClient.ask(
                request, of: folder,
                within: PublicDataTask.patience + ControlLimits.patience)
            guard let reply, let report = read(reply) else {
                throw CommandFailure(.notMounted, "the volume “\(folder.name)” is not mounted")
            }
            return report
        }
        let volume = try DirectVolume(folder, passphrase: passphrase, isReadOnly: false)
        let report: Report
        do throws(CommandFailure) {
            report = try body(volume.engine)
        } catch {
            volume.close()
            throw error
        }
        try volume.finish(timeout: nil) { _ in }
        return report
    }
}
