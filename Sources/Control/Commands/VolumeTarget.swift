// SPDX-License-Identifier: Apache-2.0
//
// Which volume a person means: by its name, by a path under its mount, or by saying nothing.

/// A volume, and its daemon's status if one runs.
package struct VolumeTarget: Sendable {
    /// The volume's folder.
    package let folder: VolumeFolder
    /// Nil when no daemon runs.
    package let status: DaemonStatus?
    /// The absolute path that was given, if it was a path.
    package let path: String?

    /// Finds the volume.
    ///
    /// - Parameters:
    ///   - text: a volume's name, or a path at or under a mount; nil for the only volume. What has
    ///     a slash, or is `.` or `..`, is a path; else a volume of that name comes first.
    /// - Throws: `noSuchVolume`, or `notMounted` for a path under no mount of this state folder.
    package init(_ text: String?, in state: StateFolder) throws(CommandFailure) {
        guard let text else {
            self = try VolumeTarget(folder: try state.onlyVolume())
            return
        }
        if let folder = Self.named(text, in: state), folder.isComplete {
            self = try VolumeTarget(folder: folder)
            return
        }
        guard text.contains("/") || Files.exists(text) || text == "." || text == ".." else {
            // Neither: the sentence about volumes helps more.
            try state.volume(try VolumeName(text)).requireComplete()
            self = try VolumeTarget(folder: try state.onlyVolume())
            return
        }
        self = try VolumeTarget(path: try Self.absolute(text), in: state)
    }

    private init(folder: VolumeFolder) throws(CommandFailure) {
        try folder.requireComplete()
        self.folder = folder
        status = try ControlClient.status(of: folder)
        path = nil
    }

    /// Finds the volume that is mounted at or above an absolute path.
    package init(path: String, in state: StateFolder) throws(CommandFailure) {
        var best: (VolumeFolder, DaemonStatus)?
        for folder in try state.volumes() {
            guard let status = Self.statusIfReachable(of: folder),
                status.phase == .serving,
                Files.isPath(path, atOrUnder: status.mountPoint),
                status.mountPoint.utf8.count >= best?.1.mountPoint.utf8.count ?? 0
            else { continue }
            best = (folder, status)
        }
        guard let (folder, status) = best else {
            throw CommandFailure(
                .notMounted, "no volume of “\(state.path)” is mounted at “\(path)”",
                advice: "“cairn status” shows what is mounted; --state names another state folder")
        }
        self.folder = folder
        self.status = status
        self.path = path
    }

    /// The daemon's status.
    ///
    /// - Throws: `notMounted` when none runs.
    package func running() throws(CommandFailure) -> DaemonStatus {
        guard let status else {
            throw CommandFailure(
                .notMounted, "the volume “\(folder.name)” is not mounted",
                advice: "mount it with “cairn mount \(folder.name) DIR”")
        }
        return status
    }

    /// A path under the mount, counted from the volume's own root: `/files/a`.
    package func volumePath(of path: String) throws(CommandFailure) -> String {
        let status = try running()
        let rest = path.utf8.dropFirst(
            status.mountPoint == "/" ? 0 : status.mountPoint.utf8.count)
        let root = status.subdirectory.isEmpty ? "" : "/" + status.subdirectory
        let whole = root + String(decoding: rest, as: UTF8.self)
        return whole.isEmpty ? "/" : whole
    }

    /// A daemon that hangs must not hide the others' mounts.
    private static func statusIfReachable(of folder: VolumeFolder) -> DaemonStatus? {
        do {
            return try ControlClient.status(of: folder)
        } catch {
            return nil
        }
    }

    private static func named(_ text: String, in state: StateFolder) -> VolumeFolder? {
        do {
            return state.volume(try VolumeName(text))
        } catch {
            // Not a name: then it is a path.
            return nil
        }
    }

    /// The absolute path of the file that is called so, also of a symlink: only what leads to it is
    /// resolved.
    package static func place(_ path: String) throws(CommandFailure) -> String {
        let name = Files.lastComponent(of: path)
        guard !name.isEmpty, name != ".", name != ".." else { return try absolute(path) }
        let folder = try absolute(Files.parent(of: path))
        return (folder == "/" ? "" : folder) + "/" + name
    }

    /// A path a person gave, absolute and without symlinks. Its last name may be missing.
    package static func absolute(_ path: String) throws(CommandFailure) -> String {
        do {
            return try Files.absolute(path)
        } catch {
            throw CommandFailure(.unusablePath, "“\(path)” cannot be used", error)
        }
    }
}
