// SPDX-License-Identifier: Apache-2.0
//
// A disk that has lost its power: what may be on it, after what the log says was done.
//
// POSIX promises what was synced, and nothing else; this disk keeps to the letter of it, which is
// worse than any real one:
// - bytes of a file are sure when it was synced (fsync or fdatasync, which brings the size too);
// - a name is sure when the folder it stands in was synced; syncing the file is not enough;
// - of everything else any part may be there, in any order: of a write each sector or page for
//   itself, a size without its bytes, a truncation before the write that came ahead of it;
// - a rename is whole, and a sector of 512 bytes is: databases rely on that much.

import Foundation
import TestSupport

/// What is known of one file.
final class DiskFile {
    enum Change {
        case write(offset: Int, bytes: Range<Int>)
        case truncate(Int)
        case punch(Range<Int>)
    }

    fileprivate(set) var durable = Data()
    fileprivate var pending: [Change] = []
}

/// What is known of one folder.
final class DiskFolder {
    fileprivate(set) var current: [String: DiskNode] = [:]
    fileprivate(set) var durable: [String: DiskNode] = [:]
}

/// What a name leads to.
enum DiskNode {
    case file(DiskFile)
    case folder(DiskFolder)
}

/// How much of what was not synced a cut leaves.
struct PowerLossPolicy {
    /// The chance of each piece of a write, and of each change of a size.
    var survival: Double
    /// Bytes that are written whole or not at all.
    var grain: Int
    /// The chance of a change of names.
    var names: Double
    /// Names change in their order, as on a journaling filesystem.
    var ordersNames: Bool

    static func any(using dice: inout SeededGenerator) -> PowerLossPolicy {
        let chances = [0, 0, 0.05, 0.5, 0.95, 1]
        return PowerLossPolicy(
            survival: chances.randomElement(using: &dice) ?? 0,
            grain: [512, 512, 4096, .max].randomElement(using: &dice) ?? 512,
            names: chances.randomElement(using: &dice) ?? 0,
            ordersNames: Bool.random(using: &dice))
    }
}

/// The state of the disk after a beginning of the log.
final class PowerLossDisk {
    private struct NameChange {
        let sequence: Int
        var edits: [(folder: DiskFolder, name: String, node: DiskNode?)]
    }

    struct Impossible: Error {
        let path: String
    }

    private let log: PowerLossLog
    private let root = DiskFolder()
    private var files: [UInt64: DiskFile] = [:]
    private var pendingNames: [NameChange] = []
    private var sequence = 0
    /// The newest change of names that was synced: in a journal all before it are sure.
    private var lastDurable = 0
    private var next = 0

    init(_ log: PowerLossLog) {
        self.log = log
    }

    /// Does what the log says up to a position.
    func advance(to position: Int) throws {
        while next < log.records.count, log.records[next].end <= position {
            try apply(log.records[next].act)
            next += 1
        }
    }

    // MARK: What was done

    private func apply(_ act: PowerLossRecord.Act) throws {
        switch act {
        case .create(let path, let inode):
            let file = DiskFile()
            files[inode] = file
            try set([(path, .file(file))])
        case .makeFolder(let path):
            try set([(path, .folder(DiskFolder()))])
        case .write(let inode, let offset, let bytes):
            files[inode]?.pending.append(.write(offset: offset, bytes: bytes))
        case .truncate(let inode, let size):
            files[inode]?.pending.append(.truncate(size))
        case .punch(let inode, let range):
            files[inode]?.pending.append(.punch(range))
        case .unlink(let path):
            try set([(path, nil)])
        case .rename(let from, let to):
            let node = try node(from)
            try set([(from, nil), (to, node)])
        case .link(let from, let to):
            try set([(to, try node(from))])
        case .sync(let inode):
            if let file = files[inode] { settle(file) }
        case .syncFolder(let path):
            try settle(try folder(path[...]))
        }
    }

    private func set(_ changes: [(String, DiskNode?)]) throws {
        var edits: [(folder: DiskFolder, name: String, node: DiskNode?)] = []
        for (path, node) in changes {
            guard let slash = path.lastIndex(of: "/") else { throw Impossible(path: path) }
            let folder = try folder(path[..<slash])
            let name = String(path[path.index(after: slash)...])
            folder.current[name] = node
            edits.append((folder, name, node))
        }
        sequence += 1
        pendingNames.append(NameChange(sequence: sequence, edits: edits))
    }

    private func node(_ path: String) throws -> DiskNode {
        guard let slash = path.lastIndex(of: "/") else { throw Impossible(path: path) }
        let name = String(path[path.index(after: slash)...])
        guard let node = try folder(path[..<slash]).current[name] else {
            throw Impossible(path: path)
        }
        return node
    }

    private func folder(_ path: Substring) throws -> DiskFolder {
        var folder = root
        for name in path.split(separator: "/") {
            guard case .folder(let below) = folder.current[String(name)] else {
                throw Impossible(path: String(path))
            }
            folder = below
        }
        return folder
    }

    // MARK: What was synced

    private func settle(_ file: DiskFile) {
        for change in file.pending {
            switch change {
            case .write(let offset, let bytes):
                place(log.bytes[bytes], at: offset, in: &file.durable)
            case .truncate(let size): resize(&file.durable, to: size)
            case .punch(let range): clear(range, in: &file.durable)
            }
        }
        file.pending = []
    }

    private func settle(_ folder: DiskFolder) throws {
        var kept: [NameChange] = []
        for change in pendingNames {
            guard change.edits.contains(where: { $0.folder === folder }) else {
                kept.append(change)
                continue
            }
            for edit in change.edits {
                edit.folder.durable[edit.name] = edit.node
                // What was done to this name before is overtaken.
                for index in kept.indices {
                    kept[index].edits.removeAll {
                        $0.folder === edit.folder && $0.name == edit.name
                    }
                }
            }
            lastDurable = max(lastDurable, change.sequence)
        }
        pendingNames = kept.filter { !$0.edits.isEmpty }
    }

    // MARK: What a cut leaves

    /// Writes what the disk has after losing its power now, to a folder that is not there yet.
    func write(
        to path: String, _ policy: PowerLossPolicy, using dice: inout SeededGenerator
    ) throws {
        var names: [ObjectIdentifier: [String: DiskNode]] = [:]
        let cut =
            lastDurable
            + (sequence > lastDurable
                ? Int.random(in: 0...sequence - lastDurable, using: &dice) : 0)
        for change in pendingNames {
            let survives =
                policy.ordersNames
                ? change.sequence <= cut : Double.random(in: 0..<1, using: &dice) < policy.names
            guard survives else { continue }
            for edit in change.edits {
                let key = ObjectIdentifier(edit.folder)
                var entries = names[key] ?? edit.folder.durable
                entries[edit.name] = edit.node
                names[key] = entries
            }
        }
        try write(root, to: path, names, policy, &dice)
    }

    private func write(
        _ folder: DiskFolder, to path: String, _ names: [ObjectIdentifier: [String: DiskNode]],
        _ policy: PowerLossPolicy, _ dice: inout SeededGenerator
    ) throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false,
            attributes: [.posixPermissions: 0o700])
        let entries = names[ObjectIdentifier(folder)] ?? folder.durable
        for (name, node) in entries.sorted(by: { $0.key < $1.key }) {
            switch node {
            case .folder(let below): try write(below, to: path + "/" + name, names, policy, &dice)
            case .file(let file):
                let left = content(of: file, policy, &dice)
                guard
                    FileManager.default.createFile(
                        atPath: path + "/" + name, contents: left,
                        attributes: [.posixPermissions: 0o600])
                else { throw Impossible(path: path + "/" + name) }
            }
        }
    }

    private func content(
        of file: DiskFile, _ policy: PowerLossPolicy, _ dice: inout SeededGenerator
    ) -> Data {
        var content = file.durable
        for change in file.pending {
            switch change {
            case .write(let offset, let bytes):
                var start = bytes.lowerBound
                while start < bytes.upperBound {
                    // Sectors are those of the file, wherever the write began.
                    let at = offset + start - bytes.lowerBound
                    let room = policy.grain == .max ? .max : policy.grain - at % policy.grain
                    let end = start + min(room, bytes.upperBound - start)
                    if Double.random(in: 0..<1, using: &dice) < policy.survival {
                        place(log.bytes[start..<end], at: at, in: &content)
                    } else if Int.random(in: 0..<8, using: &dice) == 0, policy.survival > 0 {
                        // The size came through without the bytes.
                        resize(&content, to: max(content.count, at + end - start))
                    }
                    start = end
                }
            case .truncate(let size):
                if Double.random(in: 0..<1, using: &dice) < policy.survival {
                    resize(&content, to: size)
                }
            case .punch(let range):
                if Double.random(in: 0..<1, using: &dice) < policy.survival {
                    clear(range, in: &content)
                }
            }
        }
        return content
    }

    private func place(_ bytes: Data, at offset: Int, in content: inout Data) {
        resize(&content, to: max(content.count, offset + bytes.count))
        content.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }

    private func resize(_ content: inout Data, to size: Int) {
        if size < content.count {
            content.removeSubrange(size..<content.count)
        } else if size > content.count {
            content.append(Data(count: size - content.count))
        }
    }

    private func clear(_ range: Range<Int>, in content: inout Data) {
        let range = range.clamped(to: 0..<content.count)
        if !range.isEmpty { content.replaceSubrange(range, with: Data(count: range.count)) }
    }
}
