// SPDX-License-Identifier: Apache-2.0
//
// Files of an engine by their paths, each change one call of the engine.

import Cryptography
import Engine
import Foundation
import Namespace
import Primitives

/// Calls of the engine, as the kernel would make them.
struct EngineFiles {
    /// How long a call may wait for the store, which is a folder in memory: a process that was
    /// stopped meanwhile, or that many others leave no time, must not look like a broken promise.
    static let patience = Duration.seconds(600)

    let engine: Engine
    private var context: RequestContext {
        RequestContext(
            user: 0, group: 0, umask: 0o022, patience: Patience(for: EngineFiles.patience))
    }

    init(_ engine: Engine) {
        self.engine = engine
    }

    private func resolve(_ path: String) throws(FileError) -> UInt64 {
        try engine.resolve(Array(path.utf8), context)
    }

    private func split(_ path: String) throws(FileError) -> (UInt64, [UInt8]) {
        let parts = path.split(separator: "/")
        let parent = "/" + parts.dropLast().joined(separator: "/")
        return (try resolve(parent), Array((parts.last ?? "").utf8))
    }

    func makeFolder(_ path: String) throws(FileError) {
        let (parent, name) = try split(path)
        let status = try engine.makeDirectory(name, in: parent, mode: 0o755, context)
        engine.forget(status.ino, count: 1)
    }

    func makeLink(_ path: String, to target: [UInt8]) throws(FileError) {
        let (parent, name) = try split(path)
        let status = try engine.makeSymlink(name, in: parent, target: target, context)
        engine.forget(status.ino, count: 1)
    }

    func create(_ path: String) throws(FileError) {
        let (parent, name) = try split(path)
        let (status, file) = try engine.create(
            name, in: parent, mode: 0o644, OpenIntent(reads: true, writes: true),
            isExclusive: true, context)
        engine.release(file.handle, ino: status.ino)
        engine.forget(status.ino, count: 1)
    }

    func write(_ path: String, _ bytes: [UInt8], at offset: UInt64) throws(FileError) {
        let ino = try resolve(path)
        let file = try engine.open(ino, OpenIntent(reads: false, writes: true), context)
        defer { engine.release(file.handle, ino: ino) }
        guard !bytes.isEmpty else { return }
        let count = try engine.write(file.handle, ino: ino, at: offset, bytes.span, context)
        precondition(count == bytes.count, "a write is whole or an error")
    }

    func truncate(_ path: String, to size: UInt64) throws(FileError) {
        var change = AttributeChange()
        change.size = size
        _ = try engine.setAttributes(of: try resolve(path), change, context)
    }

    func rename(_ path: String, _ target: String) throws(FileError) {
        let (parent, name) = try split(path)
        let (newParent, newName) = try split(target)
        try engine.rename(name, in: parent, to: newName, in: newParent, .replace, context)
    }

    func unlink(_ path: String) throws(FileError) {
        let (parent, name) = try split(path)
        try engine.unlink(name, in: parent, context)
    }

    func synchronize(_ path: String) throws(FileError) {
        try engine.synchronize(try resolve(path), dataOnly: false)
    }

    func read(_ path: String) throws(FileError) -> [UInt8] { try read(try resolve(path)) }

    private func read(_ ino: UInt64) throws(FileError) -> [UInt8] {
        let file = try engine.open(ino, OpenIntent(reads: true, writes: false), context)
        defer { engine.release(file.handle, ino: ino) }
        // Virtual files tell no size.
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        var done = 0
        while true {
            if done == bytes.count { bytes += [UInt8](repeating: 0, count: 1 << 20) }
            var span = bytes.mutableSpan
            var part = span._mutatingExtracting(done..<span.count)
            let count = try engine.read(
                file.handle, ino: ino, at: UInt64(done), into: &part, context)
            if count == 0 { break }
            done += count
        }
        return Array(bytes.prefix(done))
    }

    /// Everything below a folder, by its path from there; every byte is read.
    func tree(_ path: String) throws(FileError) -> Tree {
        var tree: Tree = [:]
        try collect(try resolve(path), "", &tree)
        return tree
    }

    private func collect(_ folder: UInt64, _ prefix: String, _ tree: inout Tree) throws(FileError) {
        let handle = try engine.openDirectory(folder, context).handle
        defer { engine.releaseDirectory(handle) }
        var entries: [ListedEntry] = []
        try engine.readDirectory(handle, ino: folder, from: 0, withStatus: true, context) {
            entries.append($0)
            return true
        }
        for entry in entries where ![Array(".".utf8), Array("..".utf8)].contains(entry.name) {
            let name = prefix + String(decoding: entry.name, as: UTF8.self)
            switch entry.kind {
            case .directory:
                tree[name] = .folder
                try collect(entry.ino, name + "/", &tree)
            case .symlink: tree[name] = .link(try engine.readLink(entry.ino))
            default: tree[name] = .file(Digests.of(try read(entry.ino), algorithm: .blake3))
            }
        }
    }
}

/// Bytes that look random and are the same for the same seed.
func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
    if count == 0 { return [] }
    let material = (0..<8).map { UInt8(truncatingIfNeeded: seed >> (8 * UInt64($0))) }
    return Blake3.deriveKey(
        context: "cairn tests 2026 pattern", material: material.span, count: count)
}
