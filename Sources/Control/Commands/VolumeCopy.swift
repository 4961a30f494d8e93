// SPDX-License-Identifier: Apache-2.0
//
// `cairn put` and `cairn get`: files into a volume and out of it. Without a mount the engine runs
// here; when the volume is mounted, its mount is used, so there is never a second engine.

package import Engine
import Namespace

/// Copies between this machine's files and a volume.
package struct VolumeCopy: Sendable {
    /// Where this machine keeps its volumes.
    package var state: StateFolder
    /// Folders are copied with what is in them.
    package var isRecursive = false
    /// Where a passphrase comes from, if the key is sealed.
    package var passphrase = SecretInput.Source.terminal
    /// How long `put` waits for the store; nil for as long as it takes.
    package var timeout: Duration?
    /// Tells a person how the store takes it.
    package var progress: @Sendable (EngineStatus) -> Void = { _ in }
    /// Tells a person how the copy goes: bytes done, bytes in all if that is known, and the file.
    package var copying: @Sendable (_ done: UInt64, _ total: UInt64?, _ path: String) -> Void = {
        _, _, _ in
    }
    /// Whether somebody watches `copying`: then what there is to copy is added up first.
    package var isWatched = false
    /// Called for each file that could not be copied.
    package var report: @Sendable (_ path: String, _ words: String) -> Void = { path, words in
        Output.note("cairn: \(path): \(words)\n")
    }

    /// - Parameter state: where this machine keeps its volumes.
    package init(state: StateFolder) {
        self.state = state
    }

    /// What stands for standard input and output.
    package static let stream = "-"

    /// Copies files of this machine into a volume, and waits until they are on its store.
    ///
    /// - Parameters:
    ///   - sources: paths; or `-` alone, for standard input.
    ///   - target: a folder to copy into; or, for one source, the name it gets.
    /// - Throws: `incompleteCopy` when some could not be copied; `unpublished` when the store did
    ///   not take everything.
    package func put(_ sources: [String], to target: VolumePath) throws(CommandFailure) {
        let folder = state.volume(target.volume)
        if let status = try servingStatus(of: folder) {
            let names = try mountedNames(of: target, status)
            let tree = LocalTree()
            let root = try root(of: tree, target.volume, status)
            let copied = try put(sources, into: tree, root, names, target)
            var unmounting = Unmounting(try VolumeTarget(target.volume.text, in: state))
            unmounting.timeout = timeout
            unmounting.progress = progress
            _ = try unmounting.synchronize()
            return try requireAll(copied)
        }
        let volume = try DirectVolume(folder, passphrase: passphrase, isReadOnly: false)
        let names = target.names.map { Array($0.utf8) }
        let copied: UInt64
        do {
            copied = try put(sources, into: volume.tree, Engine.rootInode, names, target)
        } catch {
            volume.close()
            throw error
        }
        try volume.finish(timeout: timeout, progress: progress)
        try requireAll(copied)
    }

    /// Copies files of a volume to this machine.
    ///
    /// - Parameters:
    ///   - sources: all of one volume.
    ///   - target: a folder to copy into; for one source, the name it gets; or `-` for standard
    ///     output.
    package func get(_ sources: [VolumePath], to target: String) throws(CommandFailure) {
        guard let first = sources.first else { return }
        guard sources.allSatisfy({ $0.volume == first.volume }) else {
            throw CommandFailure(
                .usage, "the files are of several volumes", advice: "get them singly")
        }
        let folder = state.volume(first.volume)
        if let status = try servingStatus(of: folder) {
            let tree = LocalTree()
            let root = try root(of: tree, first.volume, status)
            var paths: [Place] = []
            for source in sources {
                paths.append(Place(try mountedNames(of: source, status), source))
            }
            return try get(paths, from: tree, root, to: target)
        }
        let volume = try DirectVolume(folder, passphrase: passphrase, isReadOnly: true)
        defer { volume.close() }
        let paths = sources.map { Place($0.names.map { Array($0.utf8) }, $0) }
        try get(paths, from: volume.tree, Engine.rootInode, to: target)
    }

    private struct Place {
        let names: [[UInt8]]
        let text: String

        init(_ names: [[UInt8]], _ path: VolumePath) {
            self.names = names
            text = path.volume.text + ":" + path.names.joined(separator: "/")
        }
    }

    private func servingStatus(of folder: VolumeFolder) throws(CommandFailure) -> DaemonStatus? {
        try folder.requireComplete()
        guard let status = try ControlClient.status(of: folder), status.phase == .serving else {
            return nil
        }
        return status
    }

    /// The mount's root, if it is what stands at the mount point.
    private func root(
        of tree: LocalTree, _ volume: VolumeName, _ status: DaemonStatus
    ) throws(CommandFailure) -> LocalTree.Folder {
        let root = try explained(status.mountPoint) { () throws(TreeError) in
            try tree.folder(at: status.mountPoint)
        }
        try status.requireRoot(root.descriptor, of: volume)
        return root
    }

    /// The names below the mount point of a path in the volume.
    private func mountedNames(
        of path: VolumePath, _ status: DaemonStatus
    ) throws(CommandFailure) -> [[UInt8]] {
        let shown = status.subdirectory.utf8.split(separator: UInt8(ascii: "/")).map(Array.init)
        let names = path.names.map { Array($0.utf8) }
        guard names.starts(with: shown) else {
            throw CommandFailure(
                .unusablePath,
                "only “\(status.subdirectory)” of “\(path.volume)” is mounted, at"
                    + " “\(status.mountPoint)”",
                advice: "unmount it first; the copy then works without a mount")
        }
        return Array(names.dropFirst(shown.count))
    }

    // MARK: Either direction, either tree

    /// - Returns: how many could not be copied.
    private func put<Tree: FileTree>(
        _ sources: [String], into tree: Tree, _ root: Tree.Folder, _ names: [[UInt8]],
        _ target: VolumePath
    ) throws(CommandFailure) -> UInt64 {
        let text = target.volume.text + ":" + target.names.joined(separator: "/")
        let into = try destination(tree, root, names, text, count: sources.count)
        if sources == [Self.stream] {
            guard let name = into.name else {
                throw CommandFailure(.unusablePath, "“\(text)” is a folder")
            }
            return try explained(text) { () throws(TreeError) in
                try StreamCopy.store(tree, name, into.folder)
            }
        }
        let local = LocalTree()
        var found: [Found<LocalTree>] = []
        for source in sources {
            let path = try VolumeTarget.place(source)
            let parent = try explained(source) { () throws(TreeError) in
                try local.folder(at: Files.parent(of: path))
            }
            found.append(
                Found(
                    folder: parent, name: Array(Files.lastComponent(of: path).utf8), path: source))
        }
        return copy(found, of: local, to: tree, into)
    }

    private func get<Tree: FileTree>(
        _ sources: [Place], from tree: Tree, _ root: Tree.Folder, to target: String
    ) throws(CommandFailure) {
        if target == Self.stream {
            for source in sources {
                guard let name = source.names.last else {
                    throw CommandFailure(.unusablePath, "“\(source.text)” is a folder")
                }
                let folder = try walk(tree, root, source.names.dropLast(), source.text)
                try StreamCopy.print(tree, name, folder, source.text)
            }
            return
        }
        let local = LocalTree()
        let path = try VolumeTarget.absolute(target)
        let above = try explained(target) { () throws(TreeError) in
            try local.folder(at: Files.parent(of: path))
        }
        let last = Array(Files.lastComponent(of: path).utf8)
        let into = try destination(
            local, above, last.isEmpty ? [] : [last], target, count: sources.count)
        var found: [Found<Tree>] = []
        for source in sources {
            guard let name = source.names.last else {
                throw CommandFailure(
                    .unusablePath, "“\(source.text)” is the whole volume",
                    advice: "name what is in it, such as files")
            }
            let folder = try walk(tree, root, source.names.dropLast(), source.text)
            found.append(Found(folder: folder, name: name, path: source.text))
        }
        try requireAll(copy(found, of: tree, to: local, into))
    }

    /// Something to copy, where it stands.
    private struct Found<Tree: FileTree> {
        let folder: Tree.Folder
        let name: [UInt8]
        let path: String
    }

    /// - Returns: how many could not be copied.
    private func copy<Source: FileTree, Target: FileTree>(
        _ found: [Found<Source>], of source: Source, to target: Target,
        _ into: (folder: Target.Folder, name: [UInt8]?)
    ) -> UInt64 {
        var size = TreeSize(source, isRecursive: isRecursive)
        if isWatched {
            for item in found { size.add(item.name, in: item.folder) }
        }
        let total = isWatched ? size.total : nil
        var copier = TreeCopier(
            from: source, to: target, isRecursive: isRecursive, report: report,
            progressed: { copying($0, total, $1) })
        for item in found {
            copier.copy(
                item.name, in: item.folder, path: item.path, to: into.name ?? item.name,
                in: into.folder)
        }
        return copier.failedCount
    }

    /// As cp has it: a folder that is there is copied into; else its last name is the copy's.
    private func destination<Tree: FileTree>(
        _ tree: Tree, _ root: Tree.Folder, _ names: [[UInt8]], _ text: String, count: Int
    ) throws(CommandFailure) -> (folder: Tree.Folder, name: [UInt8]?) {
        guard let last = names.last else { return (root, nil) }
        let parent = try walk(tree, root, names.dropLast(), text)
        return try explained(text) { () throws(TreeError) in
            let standing = try tree.entry(last, in: parent)
            if standing?.kind == .directory { return (try tree.folder(last, in: parent), nil) }
            guard count == 1 else { throw .obstacle("it is no folder to copy several files into") }
            return (parent, last)
        }
    }

    private func walk<Tree: FileTree>(
        _ tree: Tree, _ root: Tree.Folder, _ names: ArraySlice<[UInt8]>, _ text: String
    ) throws(CommandFailure) -> Tree.Folder {
        try explained(text) { () throws(TreeError) in
            var folder = root
            for name in names { folder = try tree.folder(name, in: folder) }
            return folder
        }
    }

    private func explained<R>(
        _ text: String, _ body: () throws(TreeError) -> R
    ) throws(CommandFailure) -> R {
        do {
            return try body()
        } catch {
            throw CommandFailure(.unusablePath, "“\(text)” cannot be used: \(error.words)")
        }
    }

    private func requireAll(_ failedCount: UInt64) throws(CommandFailure) {
        guard failedCount > 0 else { return }
        throw CommandFailure(
            .incompleteCopy, "\(StatusText.count(failedCount, "file")) could not be copied",
            advice: "each has a line above")
    }
}
