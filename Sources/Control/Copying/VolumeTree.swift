// SPDX-License-Identifier: Apache-2.0
//
// A volume without a mount, as a copy sees it: the engine, called where FUSE calls it.
//
// Invariant: every reference that a lookup or a creation counts is given back before the call ends;
// only open files are held.

package import Engine
package import Namespace

/// The files of a volume.
package struct VolumeTree: FileTree {
    /// A folder's inode.
    package typealias Folder = UInt64

    /// An open file.
    package struct File: Sendable {
        let ino: UInt64
        let handle: UInt64
    }

    /// A file's inode.
    package typealias Link = UInt64

    private let engine: Engine
    private let wait: Duration
    private let isRoot = ProcessIdentity.current.isRoot

    /// - Parameter wait: how long one call may wait for the store.
    package init(_ engine: Engine, wait: Duration) {
        self.engine = engine
        self.wait = wait
    }

    private var context: RequestContext { .patient(for: wait) }

    private func volume<R>(_ body: () throws(FileError) -> R) throws(TreeError) -> R {
        do {
            return try body()
        } catch {
            throw .volume(error)
        }
    }

    /// The folder at a path such as `files/photos`.
    package func folder(at path: [[UInt8]]) throws(TreeError) -> Folder {
        var ino = Engine.rootInode
        for name in path { ino = try folder(name, in: ino) }
        return ino
    }

    private func status(_ name: [UInt8], in folder: Folder) throws(FileError) -> FileStatus {
        let status = try engine.lookup(name, in: folder, context)
        engine.forget(status.ino, count: 1)
        return status
    }

    package func names(in folder: Folder) throws(TreeError) -> [[UInt8]] {
        try volume { () throws(FileError) in
            let handle = try engine.openDirectory(folder, context).handle
            defer { engine.releaseDirectory(handle) }
            var names: [[UInt8]] = []
            try engine.readDirectory(
                handle, ino: folder, from: 0, withStatus: false, context
            ) { entry in
                if entry.name != [0x2E], entry.name != [0x2E, 0x2E] { names.append(entry.name) }
                return true
            }
            try engine.noteListing(of: folder, isAnswered: false)
            return names
        }
    }

    package func entry(_ name: [UInt8], in folder: Folder) throws(TreeError) -> TreeEntry? {
        do {
            let status = try status(name, in: folder)
            let isShared = status.linkCount > 1 && status.kind != .directory
            return TreeEntry(
                kind: status.kind, mode: status.attributes.mode, user: status.attributes.uid,
                group: status.attributes.gid, size: status.size, device: status.device,
                accessed: status.attributes.accessed, modified: status.attributes.modified,
                identity: isShared ? TreeIdentity(filesystem: 0, inode: status.ino) : nil)
        } catch {
            if error == .notFound { return nil }
            throw .volume(error)
        }
    }

    package func folder(_ name: [UInt8], in folder: Folder) throws(TreeError) -> Folder {
        try volume { () throws(FileError) in
            let status = try status(name, in: folder)
            guard status.kind == .directory else { throw .notDirectory }
            return status.ino
        }
    }

    package func places(of folder: Folder) throws(TreeError) -> [TreeIdentity] { [] }

    package func makeFolder(_ name: [UInt8], in folder: Folder) throws(TreeError) -> Folder {
        try volume { () throws(FileError) in
            let status = try engine.makeDirectory(name, in: folder, mode: 0o700, context)
            engine.forget(status.ino, count: 1)
            return status.ino
        }
    }

    package func target(of name: [UInt8], in folder: Folder) throws(TreeError) -> [UInt8] {
        try volume { () throws(FileError) in
            try engine.readLink(try status(name, in: folder).ino)
        }
    }

    package func makeSymlink(
        _ name: [UInt8], to target: [UInt8], in folder: Folder
    ) throws(TreeError) {
        try volume { () throws(FileError) in
            let status = try engine.makeSymlink(name, in: folder, target: target, context)
            engine.forget(status.ino, count: 1)
        }
    }

    package func makeSpecial(
        _ name: [UInt8], like entry: TreeEntry, in folder: Folder
    ) throws(TreeError) {
        try volume { () throws(FileError) in
            let status = try engine.makeNode(
                name, in: folder, kind: entry.kind, mode: 0o600, device: entry.device, context)
            engine.forget(status.ino, count: 1)
        }
    }

    package func remove(_ name: [UInt8], in folder: Folder) throws(TreeError) {
        try volume { () throws(FileError) in try engine.unlink(name, in: folder, context) }
    }

    package func openFile(_ name: [UInt8], in folder: Folder) throws(TreeError) -> File {
        try volume { () throws(FileError) in
            let ino = try status(name, in: folder).ino
            let intent = OpenIntent(reads: true, writes: false)
            return File(ino: ino, handle: try engine.open(ino, intent, context).handle)
        }
    }

    package func createFile(_ name: [UInt8], in folder: Folder) throws(TreeError) -> File {
        try volume { () throws(FileError) in
            let intent = OpenIntent(reads: false, writes: true, truncates: true)
            let (status, file) = try engine.create(
                name, in: folder, mode: 0o600, intent, isExclusive: false, context)
            engine.forget(status.ino, count: 1)
            return File(ino: status.ino, handle: file.handle)
        }
    }

    package func read(
        _ file: File, at offset: UInt64, into out: inout MutableSpan<UInt8>
    ) throws(TreeError) -> Int {
        do {
            return try engine.read(file.handle, ino: file.ino, at: offset, into: &out, context)
        } catch {
            throw .volume(error)
        }
    }

    package func write(
        _ file: File, at offset: UInt64, _ bytes: Span<UInt8>
    ) throws(TreeError) {
        var done = 0
        while done < bytes.count {
            do {
                done += try engine.write(
                    file.handle, ino: file.ino, at: offset + UInt64(done),
                    bytes.extracting(done...), context)
            } catch {
                throw .volume(error)
            }
        }
    }

    package func data(
        in file: File, from offset: UInt64, size: UInt64
    ) throws(TreeError) -> Range<UInt64>? {
        guard offset < size else { return nil }
        do {
            let start = try engine.seek(file.ino, from: offset, findsData: true, context)
            guard start < size else { return nil }
            let end = try engine.seek(file.ino, from: start, findsData: false, context)
            return start..<max(start + 1, min(end, size))
        } catch {
            if error == .noSuchExtent { return nil }
            throw .volume(error)
        }
    }

    package func setSize(_ file: File, _ size: UInt64) throws(TreeError) {
        try volume { () throws(FileError) in
            var change = AttributeChange()
            change.size = size
            _ = try engine.setAttributes(of: file.ino, change, context)
        }
    }

    package func close(_ file: File) throws(TreeError) {
        engine.release(file.handle, ino: file.ino)
    }

    package func link(to name: [UInt8], in folder: Folder) throws(TreeError) -> Link {
        try volume { () throws(FileError) in try status(name, in: folder).ino }
    }

    package func add(_ name: [UInt8], as link: Link, in folder: Folder) throws(TreeError) {
        try volume { () throws(FileError) in
            let status = try engine.link(link, as: name, in: folder, context)
            engine.forget(status.ino, count: 1)
        }
    }

    package func attributes(
        of name: [UInt8], in folder: Folder
    ) throws(TreeError) -> [ExtendedAttribute] {
        try volume { () throws(FileError) in
            let ino = try status(name, in: folder).ino
            var found: [ExtendedAttribute] = []
            for attribute in try engine.extendedAttributeNames(of: ino, context)
            where AttributeChoice.isOwn(attribute, isRoot: isRoot) {
                let value = try engine.extendedAttribute(attribute, of: ino, context)
                found.append(ExtendedAttribute(name: attribute, value: value))
            }
            return found
        }
    }

    package func setAttribute(
        _ attribute: ExtendedAttribute, of name: [UInt8], in folder: Folder
    ) throws(TreeError) {
        try volume { () throws(FileError) in
            let ino = try status(name, in: folder).ino
            try engine.setExtendedAttribute(
                attribute.name, of: ino, to: attribute.value, .any, context)
        }
    }

    package func setOwner(
        _ entry: TreeEntry, of name: [UInt8], in folder: Folder
    ) throws(TreeError) {
        guard isRoot else { return }
        try volume { () throws(FileError) in
            let ino = try status(name, in: folder).ino
            var change = AttributeChange()
            change.user = entry.user
            change.group = entry.group
            _ = try engine.setAttributes(of: ino, change, context)
        }
    }

    package func apply(
        _ entry: TreeEntry, to name: [UInt8], in folder: Folder
    ) throws(TreeError) {
        try volume { () throws(FileError) in
            let ino = try status(name, in: folder).ino
            var change = AttributeChange()
            if entry.kind != .symlink { change.mode = entry.mode }
            change.accessed = .at(entry.accessed)
            change.modified = .at(entry.modified)
            _ = try engine.setAttributes(of: ino, change, context)
        }
    }
}
