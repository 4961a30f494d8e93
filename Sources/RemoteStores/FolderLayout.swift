// SPDX-License-Identifier: Apache-2.0
//
// The folders of a folder store: recognising them, and making them. docs/format.md §13.
//
//   ROOT/cairn-store   the marker: which format the rest has. Written last: without it there is no
//                      store, so one whose making was interrupted is simply made again
//   ROOT/chunks, ROOT/pads   see ChunkName.swift
//   ROOT/tmp           files being written; renamed to their place when they are whole
//   ROOT/lock          locked by who replaces a pad

internal import Cryptography
internal import Glibc
internal import Primitives
internal import Stores

/// The open folders of one store.
struct FolderLayout {
    /// The format that is written, and the newest that is read.
    static let formatVersion: UInt64 = 1
    /// The marker's file name.
    static let markerName: StaticString = "cairn-store"
    /// The most bytes a marker has.
    private static let markerSizeLimit = 4096
    /// Random bytes that tell one store from another.
    private static let identitySize = 16
    /// The marker's first line.
    private static let markerTitle = "cairn folder store"
    /// What a folder may hold that a store is made in: the beginnings of a store, and what a fresh
    /// filesystem comes with.
    private static let harmlessNames: Set<String> = ["chunks", "pads", "tmp", "lost+found"]
    /// A new store is its owner's alone: that a file is in it can be found out by who has the file.
    private static let newRootPermissions: mode_t = 0o700

    let root: Folder
    let chunks: Folder
    let pads: Folder
    let temporary: Folder
    /// What new files are allowed, before the umask: what the root folder is.
    let filePermissions: mode_t
    /// What new folders are allowed, before the umask.
    let folderPermissions: mode_t
    /// What tells this store from others, in hexadecimal digits; nil for one that an older version
    /// made.
    let identity: String?
    /// The root's filesystem, as the system counts them now, and its number there.
    let device: dev_t
    let inode: ino_t

    /// Opens the store at `path`, or makes one there.
    ///
    /// One is made only in a new folder, whose parent must exist (an unplugged disk must not turn
    /// into a folder on the system's own), or in an empty one.
    init(path: String, createIfMissing: Bool) throws(StoreError) {
        guard !path.isEmpty, !path.utf8.contains(0) else {
            throw .notAStore("the path is empty or has a NUL in it")
        }
        let root = try FolderLayout.openRoot(path, createIfMissing: createIfMissing)
        do throws(SystemError) {
            let status = try root.status()
            (device, inode) = (status.device, status.inode)
            folderPermissions = status.permissions
            filePermissions = folderPermissions & 0o666
        } catch {
            throw error.storeError
        }
        var marker = try FolderLayout.marker(of: root)
        if marker == nil {
            let isHarmless = createIfMissing ? try FolderLayout.isHarmless(root) : false
            // Looked at again, because another process may have made the store meanwhile.
            if !isHarmless { marker = try FolderLayout.marker(of: root) }
            guard isHarmless || marker != nil else {
                throw .notAStore("the folder has no file named cairn-store")
            }
        }
        self.root = root
        do throws(SystemError) {
            chunks = try FolderLayout.part("chunks", of: root, permissions: folderPermissions)
            pads = try FolderLayout.part("pads", of: root, permissions: folderPermissions)
            temporary = try FolderLayout.part("tmp", of: root, permissions: folderPermissions)
            if let marker {
                identity = marker.identity
            } else {
                let new = Hex.encode(SystemRandom.bytes(FolderLayout.identitySize))
                identity = new
                try FolderLayout.writeMarker(
                    identity: new, in: root, by: temporary, permissions: filePermissions)
            }
        } catch {
            throw error.storeError
        }
    }

    private static func openRoot(
        _ path: String, createIfMissing: Bool
    ) throws(StoreError) -> Folder {
        do throws(SystemError) {
            return try Folder(path: path)
        } catch {
            switch error.code {
            case ENOENT where createIfMissing: break
            case ENOENT: throw .notAStore("there is no such folder")
            case ENOTDIR: throw .notAStore("the path leads to something that is not a folder")
            default: throw error.storeError
            }
        }
        do throws(SystemError) {
            try Folder.make(path: path, permissions: newRootPermissions)
        } catch {
            switch error.code {
            case EEXIST: break  // Another process makes the same store.
            case ENOENT: throw .notAStore("the folder it should be made in does not exist")
            default: throw error.storeError
            }
        }
        do throws(SystemError) {
            return try Folder(path: path)
        } catch {
            throw error.storeError
        }
    }

    /// What a store's marker says.
    private struct Marker {
        let identity: String?
    }

    /// The mark of the folder as a store of a format that this version reads; nil for none.
    private static func marker(of root: Folder) throws(StoreError) -> Marker? {
        let text: [UInt8]
        do throws(SystemError) {
            text = try root.file(RelativePath(markerName)).read(size: markerSizeLimit)
        } catch {
            if error.code == ENOENT { return nil }
            throw error.storeError
        }
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let prefix = Array("format ".utf8)
        guard lines.count >= 2, lines[0].elementsEqual(markerTitle.utf8),
            lines[1].starts(with: prefix),
            let version = UInt64(
                String(decoding: lines[1].dropFirst(prefix.count), as: UTF8.self)),
            version >= 1
        else { throw .notAStore("its file named cairn-store is damaged, or another program's") }
        guard version <= formatVersion else {
            throw .newerFormat(found: version, supported: formatVersion)
        }
        let identity = lines.dropFirst(2).lazy
            .filter { $0.starts(with: "id ".utf8) }
            .map { String(decoding: $0.dropFirst(3), as: UTF8.self) }
            .first { Hex.decode($0)?.count == identitySize }
        return Marker(identity: identity)
    }

    private static func isHarmless(_ root: Folder) throws(StoreError) -> Bool {
        do throws(SystemError) {
            return try root.forEachName {
                harmlessNames.contains(String(decoding: $0, as: UTF8.self))
            }
        } catch {
            throw error.storeError
        }
    }

    /// Opens a folder of the store, which is made if it is not there.
    private static func part(
        _ name: StaticString, of root: Folder, permissions: mode_t
    ) throws(SystemError) -> Folder {
        let name = RelativePath(name)
        do throws(SystemError) {
            return try root.folder(name)
        } catch {
            guard error.code == ENOENT else { throw error }
        }
        try root.makeFolder(name, permissions: permissions)
        return try root.folder(name)
    }

    private static func writeMarker(
        identity: String, in root: Folder, by temporary: Folder, permissions: mode_t
    ) throws(SystemError) {
        // Named like the files of a put, so that what a kill leaves is swept up like them.
        let name = TemporaryNames().next()
        let text = "\(markerTitle)\nformat \(formatVersion)\nid \(identity)\n"
        let file = try temporary.newFile(name, permissions: permissions)
        try file.write(Array(text.utf8).span)
        try file.syncContent()
        try file.close()
        try temporary.rename(name, to: RelativePath(FolderLayout.markerName), in: root)
        try root.syncNames()
    }
}
