// SPDX-License-Identifier: Apache-2.0
//
// Everything that a volume shows, read once.

import Engine
import Namespace

/// The names of a volume with what is behind them.
struct ShownTree {
    struct Node {
        let ino: UInt64
        let kind: FileKind
        let device: UInt64
        /// Of a regular file its bytes, of a symbolic link its target.
        var bytes: [UInt8] = []
        /// Why the bytes did not come.
        var failure: FileError?
    }

    private(set) var nodes: [[UInt8]: Node] = [:]
    /// Directories that could not be listed, and names that could not be looked up.
    private(set) var unreadable: [[UInt8]: FileError] = [:]

    init(_ volume: TestVolume) {
        for (ino, path) in [
            (Engine.filesInode, "/files"), (Engine.scratchpadsInode, "/scratchpads"),
        ] {
            nodes[Array(path.utf8)] = Node(ino: ino, kind: .directory, device: 0)
            visit(volume, ino, Array(path.utf8))
        }
    }

    /// What went wrong anywhere.
    var failures: [String] {
        let unread = nodes.filter { $0.value.failure != nil }.mapValues { $0.failure }
        return (unread.map { ($0, $1) } + unreadable.map { ($0, $1) }).map { path, error in
            "\(String(decoding: path, as: UTF8.self)): \(error.map { "\($0)" } ?? "")"
        }
    }

    /// True for a path that is not shown because a directory above it, or it, cannot be read.
    func hides(_ path: [UInt8]) -> Bool {
        unreadable.keys.contains { above in
            path == above || path.starts(with: above + [UInt8(ascii: "/")])
        }
    }

    private mutating func visit(_ volume: TestVolume, _ ino: UInt64, _ path: [UInt8]) {
        let engine = volume.engine
        var names: [[UInt8]] = []
        do throws(FileError) {
            let handle = try engine.openDirectory(ino, volume.context).handle
            defer { engine.releaseDirectory(handle) }
            try engine.readDirectory(
                handle, ino: ino, from: 0, withStatus: false, volume.context
            ) { entry in
                names.append(entry.name)
                return true
            }
        } catch {
            unreadable[path] = error
            return
        }
        for name in names where name != Array(".".utf8) && name != Array("..".utf8) {
            let below = path + [UInt8(ascii: "/")] + name
            let status: FileStatus
            do throws(FileError) {
                status = try engine.lookup(name, in: ino, volume.context)
            } catch {
                unreadable[below] = error
                continue
            }
            defer { engine.forget(status.ino, count: 1) }
            var node = Node(ino: status.ino, kind: status.kind, device: status.device)
            do throws(FileError) {
                switch status.kind {
                case .regular: node.bytes = try volume.readFile(status.ino)
                case .symlink: node.bytes = try engine.readLink(status.ino)
                default: break
                }
            } catch {
                node.failure = error
            }
            nodes[below] = node
            if status.kind == .directory { visit(volume, status.ino, below) }
        }
    }
}
