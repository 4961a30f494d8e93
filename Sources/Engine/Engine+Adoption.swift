// SPDX-License-Identifier: Apache-2.0
//
// Foreign files under names of the volume's own: nothing of them is downloaded but their maps.

package import Autonomi
import Metadata
import Namespace
import Primitives
package import SelfEncryption
import Synchronization

/// What becomes a file of the volume.
package enum ForeignSource: Sendable {
    /// What lies at a public address.
    case address(PublicAddress)
    /// A map that somebody handed over, read as of each generation it can be of.
    case maps([DataMap])
}

extension Engine {
    /// Most entries of the foreign map that an entry of a page may hold.
    private static let foreignMapLimit = NamespaceLimits.maximumMapChunkCount

    /// Makes a file whose content is a foreign file, or a directory if that is an archive. Counts
    /// one kernel reference.
    ///
    /// The chunks stay where they are, and are the volume's from now on as far as reading goes: who
    /// takes them off the store takes them off the volume. What is written over them becomes the
    /// volume's own.
    ///
    /// - Throws: `exists`; `notFound`, `invalid`, `tooLarge`, `inputOutput` as reading a public
    ///   address; `notSupported` where content cannot be so: among the pads.
    package func adopt(
        _ source: ForeignSource, as name: [UInt8], in parent: UInt64, _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        guard let patience = context.patience else { throw .wouldBlock }
        try requireName(name)
        let directory = try requireParent(parent, context)
        if directory.form == .pad { throw .notSupported }
        try requireAbsent(name, parent)
        // The kernel may remember that the name was free.
        defer { invalidation(.entry(parent: parent, name: name)) }
        switch source {
        case .maps(let maps):
            return try adopt(try resolver.file(maps, patience), name, parent, nil, context)
        case .address(let address):
            switch try resolver.resolve(address, patience) {
            case .file(let file): return try adopt(file, name, parent, nil, context)
            case .archive(let tree, _, let version):
                return try adopt(tree, version, name, parent, context)
            }
        }
    }

    /// One file; `modified` is its time where the source knows one.
    private func adopt(
        _ file: PublicFile, _ name: [UInt8], _ parent: UInt64, _ modified: Timestamp?,
        _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        let size = file.layout.fileSize
        guard file.packed.chunks.count <= Self.foreignMapLimit,
            size <= NamespaceLimits.maximumFileSize
        else {
            volume.errors.add(
                .chunk, "a data map has too many entries to be kept in a page",
                detail: "\(file.packed.chunks.count), at most \(Self.foreignMapLimit)")
            throw .tooLarge
        }
        // Before the name is made: what does not fit leaves none behind.
        try volume.quota.take(size)
        let made: FileStatus
        do throws(FileError) {
            made = try makeNode(name, in: parent, kind: .regular, mode: 0o644, device: 0, context)
        } catch {
            volume.quota.giveBack(size)
            throw error
        }
        var isCounted = false
        do throws(FileError) {
            try volume.with(made.ino) { (inode) throws(FileError) in
                try volume.change(inode) { (state) throws(FileError) in
                    if let modified { state.row.attributes.modified = modified }
                    let segment = Segment(offset: 0, size: size, map: file.packed)
                    state.base = StoredContent(
                        segments: [segment], size: size,
                        modified: state.row.attributes.modified, baseLimit: size, isDirty: false,
                        generation: 1)
                    state.isBaseLoaded = true
                    state.isBaseDirty = true
                    state.fullMaps = [0: FullMap(segment: segment, map: file.map)]
                    state.row.form = .blocks
                    volume.quota.giveBack(state.row.size)
                    state.row.size = size
                    isCounted = true
                    state.row.allocated = (size + 511) / 512 * 512
                    // The row of inline content goes: there is none with nothing in it.
                    state.inline = nil
                    state.isInlineDirty = true
                    state.isRowDirty = true
                }
            }
            return try status(of: made.ino, context)
        } catch {
            if !isCounted { volume.quota.giveBack(size) }
            forget(made.ino, count: 1)
            throw error
        }
    }

    /// A whole archive: its directories, and its files without their bytes.
    private func adopt(
        _ tree: ArchiveTree, _ version: FormatVersion, _ name: [UInt8], _ parent: UInt64,
        _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        guard let patience = context.patience else { throw .wouldBlock }
        let top = try makeDirectory(name, in: parent, mode: 0o755, context)
        var inodes: [Int: UInt64] = [0: top.ino]
        for (position, node) in tree.nodes.enumerated().dropFirst() {
            // A parent has a smaller number than what is in it.
            guard let directory = inodes[node.parent] else { continue }
            let made: FileStatus
            if let entry = node.entry {
                let time = Timestamp(seconds: Int64(clamping: node.modified), nanoseconds: 0)
                let file = try resolver.file(of: tree.entries[entry], version: version, patience)
                made = try adopt(file, node.name, directory, time, context)
            } else {
                made = try makeDirectory(node.name, in: directory, mode: 0o755, context)
                inodes[position] = made.ino
            }
            forget(made.ino, count: 1)
        }
        return top
    }
}
