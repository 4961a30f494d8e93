// SPDX-License-Identifier: Apache-2.0
//
// Trees beside the volume's own, one of them writable: what the engine asks of it, and refuses for
// it.

import AlephProtocol
import Namespace
import Primitives
import TestSupport
import Testing

@testable import Engine

/// One directory of files in memory, of which each write is told.
private final class SmallTree: WritableForeignTree {
    struct File: Sendable {
        var bytes: [UInt8] = []
        var mode: UInt32 = 0
        var note: String?
    }

    struct State: Sendable {
        var names: [[UInt8]: UInt64] = [:]
        var files: [UInt64: File] = [:]
        var next: UInt64 = 1
        var events: [String] = []
        var (refusesClose, isBehind) = (false, false)
    }

    let name = "small"
    let state = Lock(State())
    let host = Lock<ForeignHost?>(nil)

    func begin(_ host: ForeignHost) { self.host.withLock { $0 = host } }
    func end() { note("end") }
    func note(_ event: String) { state.withLock { $0.events.append(event) } }
    var events: [String] { state.withLock { $0.events } }
    var pendingCount: Int { state.withLock { $0.isBehind ? 1 : 0 } }

    private func file(_ node: UInt64) throws(FileError) -> File {
        guard let file = state.withLock({ $0.files[node] }) else { throw .stale }
        return file
    }

    func status(of node: UInt64, _ patience: Patience?) throws(FileError) -> ForeignStatus {
        if node == 0 { return ForeignStatus(isDirectory: true, mode: 0o755) }
        let file = try file(node)
        return ForeignStatus(isDirectory: false, size: UInt64(file.bytes.count), mode: file.mode)
    }

    func child(
        _ name: [UInt8], of node: UInt64, _ patience: Patience?
    ) throws(FileError) -> UInt64 {
        if name == Array("slow".utf8), patience == nil { throw .wouldBlock }
        guard let found = state.withLock({ $0.names[name] }) else { throw .notFound }
        return found
    }

    func children(
        of node: UInt64, from start: Int, limit: Int, _ patience: Patience?
    ) throws(FileError) -> [ForeignChild] {
        state.withLock { state in
            state.names.sorted { $0.value < $1.value }.filter { Int($0.value) > start }
                .prefix(limit).map {
                    ForeignChild(
                        name: $0.key, node: $0.value, isDirectory: false, next: Int($0.value))
                }
        }
    }

    func open(_ node: UInt64, _ patience: Patience?) throws(FileError) -> any ForeignContent {
        _ = try file(node)
        return Content(tree: self, node: node)
    }

    func attributes(of node: UInt64) throws(FileError) -> [String: String] {
        if node == 0 { return [:] }
        return try file(node).note.map { ["user.small.note": $0] } ?? [:]
    }

    func create(
        _ name: [UInt8], in node: UInt64, mode: UInt32, _ patience: Patience?
    ) throws(FileError) -> UInt64 {
        try state.withLock { (state) throws(FileError) in
            if state.names[name] != nil { throw .exists }
            defer { state.next += 1 }
            state.names[name] = state.next
            state.files[state.next] = File(mode: mode)
            return state.next
        }
    }

    func openForWriting(
        _ node: UInt64, truncates: Bool, _ patience: Patience?
    ) throws(FileError) -> any WritableForeignContent {
        _ = try file(node)
        if truncates { state.withLock { $0.files[node]?.bytes = [] } }
        return Content(tree: self, node: node)
    }

    func change(
        _ node: UInt64, _ change: AttributeChange, _ patience: Patience?
    ) throws(FileError) {
        _ = try file(node)
        state.withLock { state in
            if let mode = change.mode { state.files[node]?.mode = mode }
            if let size = change.size {
                let kept = state.files[node]?.bytes.prefix(Int(size)) ?? []
                state.files[node]?.bytes = Array(kept)
            }
        }
    }

    func remove(_ name: [UInt8], in node: UInt64, _ patience: Patience?) throws(FileError) {
        let removed = state.withLock { $0.names.removeValue(forKey: name) }
        guard let removed else { throw .notFound }
        state.withLock { $0.files[removed] = nil }
    }

    func rename(
        _ name: [UInt8], in node: UInt64, to newName: [UInt8], in newNode: UInt64,
        _ mode: RenameMode, _ patience: Patience?
    ) throws(FileError) {
        try state.withLock { (state) throws(FileError) in
            guard let moved = state.names.removeValue(forKey: name) else { throw .notFound }
            state.names[newName] = moved
        }
    }

    func setAttribute(
        _ name: String, of node: UInt64, to value: [UInt8]?, _ patience: Patience?
    ) throws(FileError) {
        guard name == "user.small.note" else { throw .notSupported }
        state.withLock { $0.files[node]?.note = value.map { String(decoding: $0, as: UTF8.self) } }
    }

    func synchronize(_ node: UInt64, _ patience: Patience?) throws(FileError) {
        guard patience != nil else { throw .wouldBlock }
        note("sync")
    }

    func flushAll(retrying: Bool, until deadline: SuspendingClock.Instant?) -> FileError? {
        note(retrying ? "flush anew" : "flush")
        return state.withLock { $0.isBehind } ? .quotaExceeded : nil
    }

    struct Content: WritableForeignContent {
        let tree: SmallTree
        let node: UInt64
        var keepsCache: Bool? { nil }

        func read(
            at offset: UInt64, into out: inout MutableSpan<UInt8>, _ patience: Patience?
        ) throws(FileError) -> Int {
            let bytes = try tree.file(node).bytes.dropFirst(Int(offset)).prefix(out.count)
            for (index, byte) in bytes.enumerated() { out[index] = byte }
            return bytes.count
        }

        func write(at offset: UInt64, _ bytes: Span<UInt8>) throws(FileError) {
            var copy: [UInt8] = []
            for index in bytes.indices { copy.append(bytes[index]) }
            let written = copy
            tree.state.withLock { state in
                let kept = state.files[node]?.bytes.prefix(Int(offset)) ?? []
                state.files[node]?.bytes = Array(kept) + written
            }
        }

        func finish() throws(FileError) {
            tree.note("finish")
            if tree.state.withLock({ $0.refusesClose }) { throw .invalid }
        }

        func close() { tree.note("close") }
    }
}

@Suite("trees beside the volume's own", .serialized)
struct ForeignTreeTests {
    private func with(
        _ body: (SmallTree, TestVolume) throws -> Void
    ) throws {
        let tree = SmallTree()
        let volume = try TestVolume { configuration in
            configuration.trees = [tree]
        }
        defer { volume.stop() }
        try body(tree, volume)
    }

    @Test("a file is made with the caller's umask, written, read, closed, and told of")
    func whole() throws {
        try with { tree, volume in
            let engine = volume.engine
            #expect(engine.hearsCloses)
            let root = try volume.resolve("/small")
            var context = volume.context
            context.umask = 0o027
            let intent = OpenIntent(reads: true, writes: true)
            let (status, file) = try engine.create(
                Array("a".utf8), in: root, mode: 0o666, intent, isExclusive: true, context)
            #expect(status.attributes.mode == 0o640 && file.isDirect)
            let bytes = Array("hello".utf8)
            #expect(
                try engine.write(file.handle, ino: status.ino, at: 0, bytes.span, context) == 5)
            try engine.finish(file.handle)
            engine.release(file.handle, ino: status.ino)
            #expect(tree.events == ["finish", "close"])
            #expect(try volume.readFile("/small/a") == bytes)
            #expect(try volume.list("/small") == ["a"])
            #expect(throws: FileError.exists) {
                try engine.create(
                    Array("a".utf8), in: root, mode: 0, intent, isExclusive: true, context)
            }
            tree.state.withLock { $0.refusesClose = true }
            let (_, again) = try engine.create(
                Array("a".utf8), in: root, mode: 0,
                OpenIntent(
                    reads: true, writes: true, truncates: true), isExclusive: false, context)
            #expect(throws: FileError.invalid) { try engine.finish(again.handle) }
            engine.release(again.handle, ino: status.ino)
            #expect(try volume.status("/small/a").size == 0)
        }
    }

    @Test("fsync waits for the tree with patience, and the store's sync for all of it")
    func waiting() throws {
        try with { tree, volume in
            let engine = volume.engine
            let root = try volume.resolve("/small")
            let made = try engine.makeNode(
                Array("a".utf8), in: root, kind: .regular, mode: 0o600, device: 0, volume.context)
            var hasty = volume.context
            hasty.patience = nil
            let impatient = hasty
            #expect(throws: FileError.wouldBlock) {
                try engine.synchronizeForeign(made.ino, impatient)
            }
            #expect(throws: FileError.wouldBlock) {
                _ = try engine.lookup(Array("slow".utf8), in: root, impatient)
            }
            hasty.patience = Patience(for: .seconds(5))
            try engine.synchronizeForeign(made.ino, hasty)
            #expect(tree.events == ["sync"])
            let done = engine.synchronizeRemotely(timeout: .seconds(20).scaled)
            #expect(done == .published(revision: engine.engineStatus().revision))
            #expect(tree.events.last == "flush anew")
            tree.host.withLock { $0 }?.report("a sentence of the tree")
            tree.state.withLock { $0.isBehind = true }
            #expect(
                engine.synchronizeRemotely(timeout: .seconds(20).scaled)
                    == .failed("a sentence of the tree"))
            #expect(try volume.report("errors").contains("tree: a sentence of the tree"))
            #expect(engine.engineStatus().pendingForeign == 1)
        }
    }

    @Test("what is opened for a CID is closed, whatever comes of it")
    func closedAfterIdentifier() throws {
        try with { tree, volume in
            let engine = volume.engine
            let made = try engine.makeNode(
                Array("a".utf8), in: try volume.resolve("/small"), kind: .regular, mode: 0o600,
                device: 0, volume.context)
            let name = Array("user.ipfs.cid".utf8)
            _ = try engine.extendedAttribute(name, of: made.ino, volume.context)
            #expect(tree.events == ["close"])
            let interrupted = volume.context
            interrupted.patience?.interrupt()
            #expect(throws: FileError.interrupted) {
                try engine.extendedAttribute(name, of: made.ino, interrupted)
            }
            #expect(tree.events == ["close", "close"])
        }
    }

    @Test("what is opened while there is no handle left is closed")
    func closedWithoutHandle() throws {
        try with { tree, volume in
            let engine = volume.engine
            let made = try engine.makeNode(
                Array("a".utf8), in: try volume.resolve("/small"), kind: .regular, mode: 0o600,
                device: 0, volume.context)
            while engine.handles.count < HandleTable.limit {
                _ = try engine.handles.add(.directory(Engine.filesInode))
            }
            for writes in [false, true] {
                #expect(throws: FileError.busy) {
                    try engine.open(
                        made.ino, OpenIntent(reads: true, writes: writes), volume.context)
                }
            }
            #expect(tree.events == ["close", "close"])
        }
    }

    @Test("names move within a tree, not between trees; and what is no file is not made")
    func names() throws {
        try with { _, volume in
            let engine = volume.engine
            let context = volume.context
            let root = try volume.resolve("/small")
            _ = try engine.makeNode(
                Array("a".utf8), in: root, kind: .regular, mode: 0o600, device: 0, context)
            try volume.rename("/small/a", "/small/b")
            #expect(try volume.list("/small") == ["b"])
            #expect(throws: FileError.crossDevice) { try volume.rename("/small/b", "/files/b") }
            try volume.writeFile("/files/c", [1, 2, 3])
            #expect(throws: FileError.crossDevice) { try volume.rename("/files/c", "/small/c") }
            #expect(throws: FileError.notPermitted) { try volume.makeDirectory("/small/d") }
            #expect(throws: FileError.notPermitted) {
                try engine.makeSymlink(Array("l".utf8), in: root, target: [65], context)
            }
            #expect(throws: FileError.notSupported) {
                try engine.createTemporary(
                    in: root, mode: 0o600, OpenIntent(reads: true, writes: true), context)
            }
            try volume.unlink("/small/b")
            #expect(try volume.list("/small").isEmpty)
            #expect(throws: FileError.notPermitted) { try volume.unlink("/public/x") }
        }
    }

    @Test("attributes are the tree's; a change that comes too late for a removed file is no error")
    func attributes() throws {
        try with { tree, volume in
            let engine = volume.engine
            let context = volume.context
            let root = try volume.resolve("/small")
            let ino = try engine.makeNode(
                Array("a".utf8), in: root, kind: .regular, mode: 0o600, device: 0, context
            ).ino
            let note = Array("user.small.note".utf8)
            try engine.setExtendedAttribute(note, of: ino, to: [65], .absent, context)
            #expect(throws: FileError.exists) {
                try engine.setExtendedAttribute(note, of: ino, to: [66], .absent, context)
            }
            #expect(try engine.extendedAttribute(note, of: ino, context) == [65])
            #expect(try engine.extendedAttributeNames(of: ino, context) == [note])
            try engine.removeExtendedAttribute(note, of: ino, context)
            #expect(throws: FileError.noAttribute) {
                try engine.removeExtendedAttribute(note, of: ino, context)
            }
            #expect(throws: FileError.notSupported) {
                try engine.setExtendedAttribute(
                    Array("system.posix_acl_access".utf8), of: ino, to: [2, 0, 0, 0], .any, context)
            }
            var change = AttributeChange()
            change.mode = 0o444
            #expect(try engine.setAttributes(of: ino, change, context).attributes.mode == 0o444)
            change = AttributeChange()
            change.user = 4_000_000
            #expect(throws: FileError.notPermitted) {
                try engine.setAttributes(of: ino, change, context)
            }
            try volume.unlink("/small/a")
            change = AttributeChange()
            change.modified = .now
            #expect(try engine.setAttributes(of: ino, change, context).linkCount == 0)
            change.size = 0
            #expect(throws: FileError.stale) { try engine.setAttributes(of: ino, change, context) }
        }
    }

    @Test(
        "a file's CID is that of its bytes, wherever they are",
        arguments: [0, 1, 262_144, 3_000_001])
    func identifier(size: Int) throws {
        try with { tree, volume in
            let bytes = pattern(size, seed: UInt64(size))
            try volume.writeFile("/files/a", bytes)
            var hasher = UnixFSHasher()
            hasher.update(bytes.span)
            let wanted = hasher.finalize().cid.version0
            let engine = volume.engine
            let name = Array("user.ipfs.cid".utf8)
            let ino = try volume.resolve("/files/a")
            var context = volume.context
            context.patience = Patience(for: .seconds(30))
            #expect(try engine.extendedAttribute(name, of: ino, context) == Array(wanted.utf8))
            let impatient = RequestContext(user: 0, group: 0)
            #expect(throws: FileError.wouldBlock) {
                try engine.extendedAttribute(name, of: ino, impatient)
            }
            #expect(try engine.extendedAttributeNames(of: ino, context).isEmpty)
            let root = try volume.resolve("/small")
            let other = try engine.makeNode(
                Array("a".utf8), in: root, kind: .regular, mode: 0o600, device: 0, context
            ).ino
            tree.state.withLock { $0.files[1]?.bytes = bytes }
            #expect(try engine.extendedAttribute(name, of: other, context) == Array(wanted.utf8))
            context.patience?.interrupt()
            let interrupted = context
            #expect(throws: FileError.interrupted) {
                try engine.extendedAttribute(name, of: ino, interrupted)
            }
        }
    }
}
