// SPDX-License-Identifier: Apache-2.0
//
// A folder as a store: one file a chunk, one file a pad. On this machine's disk, a USB disk, or
// mounted from a NAS, where several machines may use it at once.
//
// Invariants:
// - A file under a chunk's or pad's name was complete when it got that name, in one step. After a
//   power loss a chunk that was not synced may be torn all the same; its digest tells.
// - A pad's file is replaced only by its holder of the store's lock, and only by a record with a
//   larger counter, or if it is damaged.
// - Locks are taken in this order: `syncing`, then `ledger`; `padLock` alone.

internal import Cryptography
internal import Glibc
package import Primitives
package import Stores

/// Chunks and pads in a folder.
///
/// Any number of threads may call it at once; chunks are put and got without waiting for each
/// other. Other processes, on this machine or another, may use the same folder meanwhile.
package final class FolderStore: ListableChunkStore, CapacityReporting {
    /// Chunks that may be unsynced at a time. The put that reaches it syncs before it returns, so
    /// that what a power loss can take is bounded.
    static let defaultUnsyncedLimit = 65_536
    /// Up to as many files are synced one by one; more by syncing the whole filesystem, which
    /// waits for other programs' writes too, where that does what it says. Where it does not, those
    /// beyond it are opened anew for their sync.
    static let individualSyncLimit = 8

    /// A file of as many bytes goes to the disk while the next chunks are made, and where it can,
    /// past memory: who wrote it has its content. Smaller ones are written together, by the sync.
    static let writeAtOnceSize = 1 << 20

    let layout: FolderLayout
    let names = TemporaryNames()
    let padLock: StoreLock
    private let unsyncedLimit: Int
    /// Large chunks are written past the system's memory.
    private let writesDirectly: Bool
    /// What they are copied to, until the next sync: made anew for each chunk, it would leave the
    /// heap in pieces. A leaf among the locks.
    private let rooms = Lock<[[UInt8]]>([])
    /// Rooms that are kept; each is as large as a chunk.
    private static let roomLimit = 8
    private let ledger = Lock(DurabilityLedger())
    /// Groups of pads whose folders' names this process has synced. A leaf among the locks.
    private let sureGroups = Lock<Set<UInt8>>([])
    /// Of the first unsynced chunks, as many as are synced one by one. A leaf among the locks.
    private let unsyncedFiles = UnsyncedFiles(limit: individualSyncLimit)
    /// Held by the one sync that runs: a second must not return before the first, which has its
    /// chunks in hand.
    private let syncing = Lock(())

    /// Opens the store at `path`.
    ///
    /// A store on a read-only filesystem opens, and refuses puts with `readOnly`.
    ///
    /// - Parameters:
    ///   - path: the store's folder.
    ///   - createIfMissing: whether to make the store if the folder is empty, or is not there but
    ///     its parent is. A new folder is open to its owner alone; the files of a store get the
    ///     permissions of its folder, less the umask.
    /// - Throws: `notAStore`, `newerFormat`, `refused`, `readOnly`, `full`, `unreachable`.
    package convenience init(path: String, createIfMissing: Bool) throws(StoreError) {
        try self.init(
            path: path, createIfMissing: createIfMissing,
            unsyncedLimit: FolderStore.defaultUnsyncedLimit)
    }

    /// The general form: tests reach the limit sooner.
    init(path: String, createIfMissing: Bool, unsyncedLimit: Int) throws(StoreError) {
        self.unsyncedLimit = unsyncedLimit
        layout = try FolderLayout(path: path, createIfMissing: createIfMissing)
        do throws(SystemError) {
            writesDirectly = try layout.root.isDirectlyWritten()
        } catch {
            throw error.storeError
        }
        padLock = StoreLock(folder: layout.root, permissions: layout.filePermissions)
        // Leftovers only take room; a store that cannot be tidied can still be read.
        try? TemporaryNames.sweep(layout.temporary, now: time(nil))
    }

    /// The room on the filesystem that the folder is on.
    package func capacity() throws(StoreError) -> StoreCapacity {
        do throws(SystemError) {
            let room = try layout.root.room()
            return StoreCapacity(total: room.total, free: room.free)
        } catch {
            throw error.storeError
        }
    }
}

extension FolderStore {
    /// Keeps a chunk: written to a temporary file, which is then renamed.
    package func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        guard bytes.count <= StoreLimits.maximumChunkSize else { throw .tooLarge }
        if try keep(digest, bytes) >= unsyncedLimit { try sync() }
    }

    /// Writes a chunk's file, unless it is there with these bytes; how many chunks are unsynced
    /// afterwards.
    private func keep(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) -> Int {
        let path = ChunkName.path(of: digest)
        let ticket = ledger.withLock { $0.begin(digest) }
        do throws(SystemError) {
            let isThere = ticket.mustWrite ? false : try holds(path, bytes)
            if !isThere {
                let file = try install(
                    bytes.span, at: path, in: layout.chunks, group: ChunkName.first(of: digest),
                    isSynced: false)
                // Before the ledger has the chunk: the sync that takes it finds the file.
                if let file { unsyncedFiles.keep(file, of: digest) }
            }
            return ledger.withLock { $0.finish(digest, ticket, isWritten: !isThere) }
        } catch {
            throw error.storeError
        }
    }

    /// The bytes of a chunk, verified.
    package func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        let bytes: [UInt8]
        do throws(SystemError) {
            let file = try layout.chunks.file(ChunkName.path(of: digest))
            let size = try file.status().size
            // No chunk is larger; what else it is, is told from as much as a chunk may have.
            bytes = try file.read(size: min(size, StoreLimits.maximumChunkSize + 1))
        } catch {
            guard error.code == ENOENT else { throw error.storeError }
            try checkPresence()
            throw .missing(digest)
        }
        let got = Digests.of(bytes, algorithm: digest.algorithm)
        guard got == digest else { throw .corrupt(wanted: digest, got: got) }
        return bytes
    }

    /// Those of the chunks that have a file, and not an empty one that a power loss left.
    package func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        let doubtful = ledger.withLock { $0.doubtful }
        var found: Set<Digest> = []
        do throws(SystemError) {
            for digest in digests where !doubtful.contains(digest) {
                let path = ChunkName.path(of: digest)
                guard let status = try layout.chunks.status(of: path), status.isRegular else {
                    continue
                }
                if status.size > 0 || digest == Digests.of([], algorithm: digest.algorithm) {
                    found.insert(digest)
                }
            }
        } catch {
            throw error.storeError
        }
        if found.isEmpty { try checkPresence() }
        return found
    }

    /// Forgets a chunk.
    package func delete(_ digest: Digest) throws(StoreError) {
        // Not while a sync has the chunk in hand and would miss its file.
        try syncing.withLock { _ throws(StoreError) in
            do throws(SystemError) {
                try layout.chunks.remove(ChunkName.path(of: digest))
            } catch {
                guard error.code == ENOENT else { throw error.storeError }
            }
            ledger.withLock { $0.deleted(digest) }
            _ = unsyncedFiles.take([digest])
        }
    }

    /// Hands over the digest of each chunk's file.
    package func list(_ body: (Digest) -> Bool) throws(StoreError) {
        for first in UInt8.min...UInt8.max {
            do throws(SystemError) {
                let folder = try layout.chunks.folder(ChunkName.folder(first))
                let goesOn = try folder.forEachName { name in
                    guard let digest = ChunkName.digest(fromName: name, in: first) else {
                        return true
                    }
                    return body(digest)
                }
                guard goesOn else { return }
            } catch {
                // A folder that no chunk needed yet.
                guard error.code == ENOENT else { throw error.storeError }
            }
        }
    }
}

// MARK: - Durability

extension FolderStore {
    /// Makes what was put durable: a few files one by one, many by syncing their filesystem.
    package func sync() throws(StoreError) {
        try syncing.withLock { _ throws(StoreError) in
            try rescueDoubtful()
            rooms.withLock { $0 = [] }
            let batch = ledger.withLock { $0.beginSync() }
            guard !batch.isEmpty else { return }
            do throws(StoreError) {
                try makeDurable(batch)
            } catch {
                ledger.withLock { $0.syncFailed(batch) }
                throw error
            }
        }
    }

    /// The chunks that were put, and are not known to be on the disk; waits for a running sync.
    func undurable() -> Set<Digest> {
        syncing.withLock { _ in ledger.withLock { $0.unsynced.union($0.doubtful) } }
    }

    /// Takes over chunks that another store at this path may have lost.
    func doubt(_ digests: Set<Digest>) {
        ledger.withLock { $0.inherit(digests) }
    }

    /// Whether `path` still leads to the folder that is open here.
    func isAt(_ path: String) -> Bool {
        do throws(SystemError) {
            let there = try Folder.status(ofPath: path)
            return there.device == layout.device && there.inode == layout.inode
        } catch {
            return false
        }
    }

    /// Whether both have the same folder open, and the other's still answers.
    func isSamePlace(as other: FolderStore) -> Bool {
        do throws(SystemError) {
            let mine = try layout.root.status()
            let theirs = try other.layout.root.status()
            return mine.device == theirs.device && mine.inode == theirs.inode
        } catch {
            return false
        }
    }

    /// Writes anew what a failed sync left in doubt, from the bytes that are still there.
    private func rescueDoubtful() throws(StoreError) {
        let doubtful = ledger.withLock { $0.doubtful }
        for digest in doubtful {
            // Not by `put`, which may sync: this is the sync.
            _ = try keep(digest, try get(digest))
        }
    }

    private func makeDurable(_ batch: Set<Digest>) throws(StoreError) {
        let files = unsyncedFiles.take(batch)
        var current: Digest?
        do throws(SystemError) {
            if batch.count > FolderStore.individualSyncLimit, try layout.root.syncsWhole() {
                return try layout.root.syncFilesystem()
            }
            for digest in batch {
                current = digest
                try syncContent(of: digest, files[digest])
            }
            current = nil
            for first in Set(batch.map(ChunkName.first(of:))) {
                try layout.chunks.folder(ChunkName.folder(first)).syncNames()
            }
            try layout.chunks.syncNames()
        } catch {
            guard error.code == ENOENT, let current else { throw error.storeError }
            try checkPresence()
            throw .missing(current)
        }
    }

    /// Syncs what is under a chunk's name: through the file that was kept open, if it is that one,
    /// because it knows of writes that failed before.
    private func syncContent(
        of digest: Digest, _ kept: UnsyncedFiles.File?
    ) throws(SystemError) {
        let path = ChunkName.path(of: digest)
        if let kept, let named = try layout.chunks.status(of: path),
            try kept.file.status().isSame(as: named)
        {
            return try kept.file.syncContent()
        }
        try layout.chunks.file(path).syncContent()
    }
}

// MARK: - Files

extension FolderStore {
    /// Writes a file under a temporary name, and gives it its own in one step.
    ///
    /// - Parameters:
    ///   - path: its path below `folder`.
    ///   - group: the first byte of its digest or address: which folder below `folder` it is in.
    ///   - isSynced: whether it and its name are on the disk when this returns; for pads only.
    /// - Returns: the file, still open, if it is not synced and may be.
    @discardableResult
    func install(
        _ bytes: Span<UInt8>, at path: RelativePath, in folder: Folder, group: UInt8,
        isSynced: Bool
    ) throws(SystemError) -> UnsyncedFiles.File? {
        let name = names.next()
        let file = try layout.temporary.newFile(name, permissions: layout.filePermissions)
        var open: UnsyncedFiles.File?
        do throws(SystemError) {
            let goesAtOnce = !isSynced && bytes.count >= FolderStore.writeAtOnceSize
            if goesAtOnce, writesDirectly {
                try writeDirectly(bytes, to: file)
            } else {
                try file.write(bytes)
            }
            if isSynced { try file.syncContent() }
            if goesAtOnce { file.startWriting() }
            if !isSynced, unsyncedFiles.hasRoom, let copy = file.duplicate() {
                open = UnsyncedFiles.File(copy)
            }
            try file.close()
            do throws(SystemError) {
                try layout.temporary.rename(name, to: path, in: folder)
            } catch {
                guard error.code == ENOENT else { throw error }
                // The first of its group. Another thread may make the same folder.
                try folder.makeFolder(
                    ChunkName.folder(group), permissions: layout.folderPermissions)
                try layout.temporary.rename(name, to: path, in: folder)
            }
        } catch {
            // The first failure is what the caller must know; a leftover is swept up later.
            try? layout.temporary.remove(name)
            throw error
        }
        guard isSynced else { return open }
        try folder.folder(ChunkName.folder(group)).syncNames()
        // Whoever made the group's folder may have died before its name was on the disk.
        guard !sureGroups.withLock({ $0.contains(group) }) else { return nil }
        try folder.syncNames()
        sureGroups.withLock { _ = $0.insert(group) }
        return nil
    }

    private func writeDirectly(_ bytes: Span<UInt8>, to file: borrowing OpenFile)
        throws(SystemError)
    {
        var room =
            rooms.withLock { $0.popLast() }
            ?? [UInt8](
                repeating: 0, count: StoreLimits.maximumChunkSize + OpenFile.sectorSize)
        defer {
            rooms.withLock { if $0.count < FolderStore.roomLimit { $0.append(room) } }
        }
        try file.writeDirectly(bytes, through: &room)
    }

    /// Tells a store that lacks a file from one that was deleted under us.
    ///
    /// - Throws: `notAStore` if the store's folder has no name any more.
    func checkPresence() throws(StoreError) {
        do throws(SystemError) {
            guard try !layout.chunks.status().isLinked else { return }
        } catch {
            throw error.storeError
        }
        throw .notAStore("its folder was deleted")
    }

    /// Whether the file at `path` is there and has exactly these bytes.
    private func holds(_ path: RelativePath, _ bytes: [UInt8]) throws(SystemError) -> Bool {
        do throws(SystemError) {
            return try layout.chunks.file(path).holds(bytes.span)
        } catch {
            guard error.code == ENOENT else { throw error }
            return false
        }
    }
}
