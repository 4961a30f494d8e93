// SPDX-License-Identifier: Apache-2.0
//
// `.cairn/`: what the volume says of itself, as plain files to cat. Made when they are opened.

import Glibc
import Metadata
import Namespace

/// Names and numbers of the virtual files.
enum VirtualTree {
    /// `.cairn` itself.
    static let directory: UInt64 = 4
    static let directoryName = ".cairn"
    static let files: [(name: String, ino: UInt64)] = [
        ("status.json", 5), ("metrics", 6), ("errors", 7), ("conflicts", 8),
    ]

    /// Whether an inode is not the volume's own: of `.cairn`, or of a foreign tree.
    static func isVirtual(_ ino: UInt64) -> Bool {
        isMade(ino) || ForeignInodes.isForeign(ino)
    }

    /// Whether an inode is of `.cairn`.
    static func isMade(_ ino: UInt64) -> Bool { ino >= directory && ino <= 8 }
}

extension FileStatus {
    /// Whether this holds at this moment only: what is made when it is asked for changes by itself,
    /// so that nobody could tell the kernel of it.
    package var isMomentary: Bool { VirtualTree.isMade(ino) }
}

extension Engine {
    /// The virtual inode of a name, if it has one.
    func virtualEntry(_ name: [UInt8], in parent: UInt64) -> UInt64? {
        if parent == Engine.rootInode {
            return name == Array(VirtualTree.directoryName.utf8)
                ? VirtualTree.directory : foreignRoot(name)
        }
        guard parent == VirtualTree.directory else { return nil }
        return VirtualTree.files.first { Array($0.name.utf8) == name }?.ino
    }

    func virtualStatus(
        _ ino: UInt64, _ patience: Patience?
    ) throws(FileError) -> FileStatus {
        if ForeignInodes.isForeign(ino) { return try foreignStatus(ino, patience) }
        let isDirectory = ino == VirtualTree.directory
        let now = Timestamp.now()
        return FileStatus(
            ino: ino, kind: isDirectory ? .directory : .regular,
            attributes: FileAttributes(
                mode: isDirectory ? 0o555 : 0o444, uid: geteuid(), gid: getegid(), accessed: now,
                modified: now, changed: now, created: now),
            size: isDirectory ? FileStatus.directorySize : UInt64(try virtualText(ino).count),
            linkCount: isDirectory ? 2 : 1, device: 0, allocated: 0)
    }

    /// A virtual file's content at this moment.
    func virtualText(_ ino: UInt64) throws(FileError) -> [UInt8] {
        switch ino {
        case 5: return Array((engineStatus().json + "\n").utf8)
        case 6: return Array((engineStatus().metrics + storeMetrics.text).utf8)
        case 7: return Array(volume.errors.text.utf8)
        case 8: return Array(try conflictsText().utf8)
        default: throw .isDirectory
        }
    }

    private func conflictsText() throws(FileError) -> String {
        let rows = try volume.query { (reader) throws(MetadataError) in try reader.conflicts() }
        return rows.map { row in
            let kept = String(decoding: row.keptName, as: UTF8.self)
            let other = String(decoding: row.conflictName, as: UTF8.self)
            return "\(row.noticed.seconds)\t\(row.directory)\t\(kept)\t\(other)\n"
        }.joined()
    }
}

extension EngineStatus {
    private var fields: [(name: String, value: String, isText: Bool)] {
        [
            ("revision", "\(revision)", false), ("halted", halted, true),
            ("unpublished", hasUnpublishedChanges ? "true" : "false", false),
            ("dirty_bytes", "\(dirtyBytes)", false), ("dirty_files", "\(dirtyFiles)", false),
            ("pending_pads", "\(pendingPads)", false),
            ("pending_foreign", "\(pendingForeign)", false),
            ("pending_chunks", "\(pendingChunks)", false),
            ("cache_used_bytes", "\(cacheUsed)", false),
            ("cache_budget_bytes", "\(cacheBudget)", false), ("files", "\(fileCount)", false),
            ("bytes", "\(byteCount)", false), ("quota_bytes", "\(quota)", false),
            ("chunks_stored", "\(chunksStored)", false),
            ("bytes_stored", "\(bytesStored)", false),
            ("chunks_fetched", "\(chunksFetched)", false),
            ("bytes_fetched", "\(bytesFetched)", false),
            ("store_answered_at", "\(storeAnsweredAt)", false),
            ("offline_since", "\(offlineSince)", false),
            ("store_calls", "\(storeCalls)", false),
            ("store_failures", "\(storeFailures)", false),
            ("store_sent_bytes", "\(storeSentBytes)", false),
            ("store_received_bytes", "\(storeReceivedBytes)", false),
            ("store_failure", storeFailure, true), ("requests", "\(requests)", false),
            ("open_handles", "\(openHandles)", false),
            ("conflicts", "\(conflicts)", false), ("errors", "\(errors)", false),
        ]
    }

    /// One JSON object on one line; the names are those of docs/format.md, "Status".
    package var json: String {
        let members = fields.map { field in
            field.isText
                ? "\"\(field.name)\":\"\(EngineStatus.escaped(field.value))\""
                : "\"\(field.name)\":\(field.value)"
        }
        return "{" + members.joined(separator: ",") + "}"
    }

    /// Prometheus text format; counters of bytes and things, no names, no content.
    package var metrics: String {
        fields.filter { !$0.isText }.map { field in
            let value = field.value == "true" ? "1" : field.value == "false" ? "0" : field.value
            return "# TYPE cairn_\(field.name) gauge\ncairn_\(field.name) \(value)\n"
        }.joined()
    }

    private static func escaped(_ text: String) -> String {
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case let control where control.value < 0x20: out += " "
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
