// SPDX-License-Identifier: Apache-2.0
//
// Files of the volume made public: their data map is stored unencrypted, and whoever has its
// address can read the file. A directory becomes an archive of its regular files.
//
// Invariant: an address is given out only after the store has acknowledged every chunk it leads to.

package import Autonomi
import Compression
import Metadata
import Namespace
import Primitives
package import SelfEncryption
import Stores

/// What became public.
package struct SharedTree: Sendable, Hashable {
    /// Where it is.
    package let address: PublicAddress
    /// Regular files in it.
    package let fileCount: Int
    /// Things in it that an archive cannot hold: links, special files, empty directories, and
    /// files of fewer than three bytes.
    package let skippedCount: Int
}

/// Why something cannot be made public, or has no data map.
package enum SharingError: Error, Sendable, Hashable {
    /// An operation on the volume failed.
    case file(FileError)
    /// Self-encryption starts at three bytes.
    case tooSmall
    /// It is neither a regular file nor a directory.
    case notShareable
    /// There is nothing in the directory that an archive can hold.
    case emptyArchive
    /// More files than an archive takes, or a path it does not take.
    case archive(ArchiveError)
}

extension Engine {
    /// The data map of a file as it is now, in the present generation; its chunks are on the store
    /// when this returns.
    ///
    /// A file that has one data map of the present generation, and nothing newer than that, is not
    /// read. Any other is read, encrypted and stored.
    package func dataMap(
        of ino: UInt64, _ context: RequestContext
    ) throws(SharingError) -> DataMap {
        let map = try unsettledMap(of: ino, context).map
        try settle()
        return map
    }

    /// Makes a file or a directory public.
    ///
    /// - Parameter name: the name that a directory's paths begin with.
    package func share(
        _ ino: UInt64, name: [UInt8], _ context: RequestContext
    ) throws(SharingError) -> SharedTree {
        let status: FileStatus
        do throws(FileError) {
            status = try self.status(of: ino, context)
        } catch {
            throw .file(error)
        }
        if status.kind == .regular {
            let address = try storePublicly(try unsettledMap(of: ino, context).map)
            try settle()
            return SharedTree(address: address, fileCount: 1, skippedCount: 0)
        }
        guard status.kind == .directory else { throw .notShareable }
        var walk = ArchiveWalk()
        try collect(ino, path: name, &walk, context)
        guard !walk.entries.isEmpty else { throw .emptyArchive }
        let bytes: [UInt8]
        do throws(ArchiveError) {
            bytes = try Archive(walk.entries).encoded()
        } catch {
            throw .archive(error)
        }
        let address = try storePublicly(try encode(bytes))
        try settle()
        return SharedTree(
            address: address, fileCount: walk.entries.count, skippedCount: walk.skippedCount)
    }

    // MARK: Directories

    /// What a walk over a directory has found.
    private struct ArchiveWalk {
        var entries: [ArchiveEntry] = []
        var skippedCount = 0
    }

    private func collect(
        _ directory: UInt64, path: [UInt8], _ walk: inout ArchiveWalk, _ context: RequestContext
    ) throws(SharingError) {
        let children: [ListedEntry]
        do throws(FileError) {
            children = try wholeListing(of: directory, context)
        } catch {
            throw .file(error)
        }
        if children.isEmpty { walk.skippedCount += 1 }
        for child in children {
            let childPath = path + [UInt8(ascii: "/")] + child.name
            switch child.kind {
            case .directory: try collect(child.ino, path: childPath, &walk, context)
            case .regular: try collect(child, path: childPath, &walk, context)
            default: walk.skippedCount += 1
            }
        }
    }

    /// All names of a directory, or one more than an archive can have.
    private func wholeListing(
        of directory: UInt64, _ context: RequestContext
    ) throws(FileError) -> [ListedEntry] {
        var children: [ListedEntry] = []
        let handle = try openDirectory(directory, context).handle
        defer { releaseDirectory(handle) }
        try readDirectory(handle, ino: directory, from: 0, withStatus: true, context) { entry in
            if !Engine.dots.contains(entry.name) { children.append(entry) }
            return children.count <= ArchiveLimits.nodeCount
        }
        return children
    }

    private func collect(
        _ child: ListedEntry, path: [UInt8], _ walk: inout ArchiveWalk, _ context: RequestContext
    ) throws(SharingError) {
        guard let status = child.status, status.size >= ChunkLayout.minimumFileSize else {
            walk.skippedCount += 1
            return
        }
        guard walk.entries.count < ArchiveLimits.entryCount else {
            throw .archive(.tooLarge(what: "files", limit: ArchiveLimits.entryCount))
        }
        let place: ArchivePath
        do throws(ArchiveError) {
            place = try ArchivePath(bytes: path, entry: walk.entries.count + 1)
        } catch {
            throw .archive(error)
        }
        let content = try unsettledMap(of: child.ino, context)
        let times = status.attributes
        walk.entries.append(
            ArchiveEntry(
                path: place, content: .address(try storePublicly(content.map)),
                created: UInt64(clamping: times.created.seconds),
                modified: UInt64(clamping: times.modified.seconds), size: content.size))
    }

    // MARK: Content

    /// The packed map of a file, whose chunks were put and not yet acknowledged, and the size of
    /// what it describes.
    private func unsettledMap(
        of ino: UInt64, _ context: RequestContext
    ) throws(SharingError) -> (map: DataMap, size: UInt64) {
        do throws(FileError) {
            let row = try volume.row(ino)
            if row.kind == .directory { throw .isDirectory }
            guard row.kind == .regular, row.form != .pad else { throw .notSupported }
            if let standing = try settledMap(of: row) { return (standing, row.size) }
            guard row.size >= ChunkLayout.minimumFileSize else { throw .invalid }
            return try volume.with(ino) { (inode) throws(FileError) in
                try encodeWhole(inode, context)
            }
        } catch {
            throw error == .invalid ? .tooSmall : .file(error)
        }
    }

    /// Reads, encrypts and stores a file as it is now.
    ///
    /// - Throws: `invalid` below three bytes; `busy` if it changes meanwhile.
    private func encodeWhole(
        _ inode: Inode, _ context: RequestContext
    ) throws(FileError) -> (map: DataMap, size: UInt64) {
        let size = inode.state.withLock { $0.row.size }
        let map = try encoder.encodeWhole(size: size) { (range) throws(FileError) -> [UInt8] in
            var bytes = [UInt8](repeating: 0, count: range.count)
            var out = bytes.mutableSpan
            let count = try reader.read(inode, at: range.lowerBound, into: &out, context.patience)
            // Cut while it was read: nothing that is half old and half new goes out.
            guard count == range.count else { throw .busy }
            return bytes
        }
        return (map, size)
    }

    /// The one map of the whole file, if it has that and nothing newer.
    private func settledMap(of row: InodeRow) throws(FileError) -> DataMap? {
        let isSettled = [.stored, .published].contains(state(of: row))
        let segments = try dataMaps(of: row.ino)
        guard isSettled, row.form == .blocks, segments.count == 1, let only = segments.first,
            only.offset == 0, only.size == row.size, only.map.version == FileEncoder.version
        else { return nil }
        return only.map
    }

    private func encode(_ bytes: [UInt8]) throws(SharingError) -> DataMap {
        do throws(FileError) {
            return try encoder.encodeWhole(size: UInt64(bytes.count)) {
                (range) throws(FileError) -> [UInt8] in
                Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])
            }
        } catch {
            throw .file(error)
        }
    }

    /// Stores a map unencrypted, and gives its address.
    private func storePublicly(_ map: DataMap) throws(SharingError) -> PublicAddress {
        let chunk = map.publicChunk()
        do throws(FileError) { try encoder.put(chunk) } catch { throw .file(error) }
        return PublicAddress(chunk.address)
    }

    private func settle() throws(SharingError) {
        do throws(StoreError) {
            try configuration.chunks.sync()
        } catch {
            throw .file(volume.reportStore(error))
        }
    }
}

extension FileEncoder {
    /// Encrypts and stores content that is read piece by piece, as one file with one packed map.
    ///
    /// Each piece is read twice, once for its digest and once for its bytes; content that changes
    /// meanwhile gives `busy` instead of a map of both.
    func encodeWhole(
        size: UInt64, _ read: (Range<UInt64>) throws(FileError) -> [UInt8]
    ) throws(FileError) -> DataMap {
        let version = FileEncoder.version
        guard
            let layout = ChunkLayout(
                fileSize: size, maximumChunkSize: version.maximumChunkSize)
        else { throw .invalid }
        guard layout.count <= version.maximumPackableCount else { throw .tooLarge }
        let transform = ChunkTransform(version: version, quality: volume.configuration.compression)
        var sources: [Digest] = []
        for index in 0..<layout.count {
            let plain = try read(layout.range(of: index))
            sources.append(transform.sourceDigest(plain.span))
        }
        var chunks: [ChunkDescriptor] = []
        for index in 0..<layout.count {
            let plain = try read(layout.range(of: index))
            guard transform.sourceDigest(plain.span) == sources[index] else { throw .busy }
            let neighbours = layout.neighbours(of: index)
            let chunk = transform.encrypt(
                plain.span, index: index, source: sources[index],
                neighbours: (sources[neighbours.0], sources[neighbours.1]))
            try put(chunk)
            chunks.append(
                ChunkDescriptor(
                    index: UInt64(index), address: chunk.address, source: sources[index],
                    size: UInt64(plain.count)))
        }
        return try store(DataMap(version: version, chunks: chunks))
    }
}
