// SPDX-License-Identifier: Apache-2.0
//
// A volume with one of everything, to be damaged. It is built once; each test has a copy.

import Check
import Cryptography
import Engine
import Foundation
import Metadata
import Namespace
import Primitives
import RemoteStores
import Scratchpads
import Stores
import TestSupport

/// A stopped volume: a state folder, a folder store, and what each file must hold.
final class CheckedVolume: Sendable {
    /// One of everything that a volume can have; paths from the root.
    static let contents: [String: [UInt8]] = {
        var dice = SeededGenerator(seed: 20)
        return [
            "files/small.txt": dice.bytes(100), "files/empty": [],
            "files/dir/inner.txt": dice.bytes(5000), "files/big.bin": dice.bytes(300_000),
            // Four chunks, so that its map is packed.
            "files/dir/huge.bin": dice.bytes(13 << 20), "files/dir/first": dice.bytes(50_000),
            "scratchpads/note": dice.bytes(700),
        ]
    }()
    /// Written after the last publication: in the arena and nowhere else.
    static let unsent: [String: [UInt8]] = {
        var dice = SeededGenerator(seed: 21)
        return ["files/unsent.bin": dice.bytes(100_000)]
    }()

    private static let built = Result { () throws in
        let volume = CheckedVolume(seed: SecretBytes(randomCount: 32))
        try volume.build()
        return volume
    }

    let root = NSTemporaryDirectory() + "cairn-check-" + UUID().uuidString
    let seed: SecretBytes
    var keys: VolumeKeys { VolumeKeys(seed: seed) }
    var state: String { root + "/state" }
    var store: String { root + "/store" }

    private init(seed: SecretBytes) { self.seed = seed }

    /// A copy of the volume.
    ///
    /// - Parameter isFresh: with a state folder that knows nothing but the root.
    init(isFresh: Bool = false) throws {
        let built = try Self.built.get()
        seed = built.seed
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        try FileManager.default.copyItem(atPath: built.store, toPath: store)
        if isFresh {
            try stop(try start(.recover))
        } else {
            try FileManager.default.copyItem(atPath: built.state, toPath: state)
        }
    }

    deinit {
        // What cannot be removed is in the system's temporary folder, and goes with it.
        try? FileManager.default.removeItem(atPath: root)
    }

    // MARK: The engine

    private let context = RequestContext(
        user: 0, group: 0, umask: 0o022, patience: Patience(for: .seconds(600)))

    func start(_ mode: StartMode, state: String? = nil) throws -> Engine {
        let folder = state ?? self.state
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let store = try FolderStore(path: store, createIfMissing: mode == .create)
        var configuration = EngineConfiguration(
            stateFolder: folder, chunks: store, pads: store, keys: keys)
        configuration.cacheBudget = CheckedVolume.cacheBudget
        configuration.padDelay = .milliseconds(10)
        configuration.flushDelay = .seconds(3600)
        configuration.publishDelay = .seconds(3600)
        configuration.publishCeiling = .seconds(3600)
        return try Engine.start(configuration, mode: mode)
    }

    static let cacheBudget: UInt64 = 128 << 20

    /// Runs the engine on the state folder; nobody has it any more afterwards.
    func running(_ body: (Engine) throws -> Void) throws {
        let engine = try start(.existing)
        defer { _ = engine.stop(finishing: nil) }
        try body(engine)
    }

    func stop(_ engine: Engine) throws { _ = engine.stop(finishing: nil) }

    struct Unpublished: Error {}

    private func build() throws {
        let engine = try start(.create)
        for name in ["files/dir", "files/dir/deep", "files/void"] {
            let (parent, last) = try split(name, engine)
            _ = try engine.makeDirectory(last, in: parent, mode: 0o755, context)
        }
        for (path, bytes) in Self.contents.sorted(by: { $0.key < $1.key }) {
            try write(path, bytes, engine)
        }
        let deep = try engine.resolve(Array("/files/dir/deep".utf8), context)
        let first = try engine.resolve(Array("/files/dir/first".utf8), context)
        _ = try engine.link(first, as: Array("second".utf8), in: deep, context)
        _ = try engine.makeSymlink(
            Array("pointer".utf8), in: deep, target: Array("../first".utf8), context)
        try engine.setExtendedAttribute(
            Array("user.colour".utf8), of: first, to: Array("green".utf8), .any, context)
        try publish(engine)
        // A second revision, so that the log has two records.
        try write("files/small.txt", Self.contents["files/small.txt"] ?? [], engine)
        try publish(engine)
        for (path, bytes) in Self.unsent { try write(path, bytes, engine) }
        try engine.synchronize(first, dataOnly: false)
        try stop(engine)
    }

    func publish(_ engine: Engine) throws {
        guard case .published = engine.synchronizeRemotely(timeout: .seconds(120)) else {
            throw Unpublished()
        }
    }

    private func split(_ path: String, _ engine: Engine) throws -> (UInt64, [UInt8]) {
        let parts = path.split(separator: "/")
        let parent = "/" + parts.dropLast().joined(separator: "/")
        return (
            try engine.resolve(Array(parent.utf8), context), Array((parts.last ?? "").utf8)
        )
    }

    private func write(_ path: String, _ bytes: [UInt8], _ engine: Engine) throws {
        let (parent, name) = try split(path, engine)
        let (status, file) = try engine.create(
            name, in: parent, mode: 0o644,
            OpenIntent(reads: true, writes: true, truncates: false), isExclusive: false, context)
        defer { engine.release(file.handle, ino: status.ino) }
        var done = 0
        while done < bytes.count {
            let end = min(done + (1 << 20), bytes.count)
            _ = try engine.write(
                file.handle, ino: status.ino, at: UInt64(done), bytes.span.extracting(done..<end),
                context)
            done = end
        }
    }

    func read(_ path: String, _ engine: Engine) throws -> [UInt8] {
        let ino = try engine.resolve(Array(("/" + path).utf8), context)
        let file = try engine.open(
            ino, OpenIntent(reads: true, writes: false, truncates: false), context)
        defer { engine.release(file.handle, ino: ino) }
        var bytes = [UInt8](repeating: 0, count: Int(try engine.status(of: ino, context).size))
        var done = 0
        while done < bytes.count {
            let end = min(done + (1 << 20), bytes.count)
            var span = bytes.mutableSpan
            var part = span._mutatingExtracting(done..<end)
            let count = try engine.read(
                file.handle, ino: ino, at: UInt64(done), into: &part, context)
            if count == 0 { break }
            done += count
        }
        return bytes
    }

    /// The paths that a machine with nothing but the secret does not get right from the store.
    func wrongAfterRecovery() throws -> [String] {
        let engine = try start(.recover, state: root + "/recovered-" + UUID().uuidString)
        defer { _ = engine.stop(finishing: nil) }
        var wanted = Self.contents
        wanted["files/dir/deep/second"] = wanted["files/dir/first"]
        return wanted.filter { path, bytes in
            // What cannot be read is as wrong as what reads differently.
            (try? read(path, engine)) != bytes
        }.keys.sorted()
    }

    /// Writes a little over the start of a file, synchronizes, and goes on with the state folder as
    /// it is at that moment: as after a kill.
    func leaveJournal(in path: String) throws {
        let copy = root + "/killed"
        try running { engine in
            let ino = try engine.resolve(Array(("/" + path).utf8), context)
            let file = try engine.open(ino, OpenIntent(reads: true, writes: true), context)
            _ = try engine.write(
                file.handle, ino: ino, at: 10, [UInt8](repeating: 5, count: 100).span, context)
            try engine.synchronize(ino, dataOnly: false)
            try FileManager.default.createDirectory(
                atPath: copy, withIntermediateDirectories: true)
            // Without the shared index: it is memory of the process that was killed.
            for name in ["meta.db-redo", "meta.db", "meta.db-wal", "arena"] {
                try FileManager.default.copyItem(
                    atPath: state + "/" + name, toPath: copy + "/" + name)
            }
            engine.release(file.handle, ino: ino)
        }
        try remove(state)
        try FileManager.default.moveItem(atPath: copy, toPath: state)
    }

    func journalRows() throws -> [JournalPieceRow] {
        try rows { (reader) throws(MetadataError) in
            var found: [JournalPieceRow] = []
            try reader.forEachJournalPiece { found.append($0) }
            return found
        }
    }

    /// Changes the bytes of a row of the journal.
    func setJournal(_ row: JournalPieceRow, _ body: (inout [UInt8]) -> Void) throws {
        var bytes = row.bytes
        body(&bytes)
        let changed = bytes
        try rows { (writer) throws(MetadataError) in
            try writer.setJournalPiece(row.ino, row.piece, changed)
        }
    }

    // MARK: The check

    /// Looks for damage.
    func check(
        store: Bool = false, reads: Bool = false, repairs: Bool = false, mounted: Bool = false
    ) throws -> [Finding] {
        var found: [Finding] = []
        let target = CheckTarget(
            keys: keys, stateFolder: state, cacheBudget: Self.cacheBudget)
        var run = CheckRun(target, report: CheckReport(found: { found.append($0) })) {
            () throws(CheckError) in
            do {
                try self.running { try self.publish($0) }
            } catch {
                throw .unpublished("\(error)")
            }
        }
        if store {
            let folder = try FolderStore(path: self.store, createIfMissing: false)
            run.stores = CheckStores(chunks: folder, pads: folder)
        }
        run.options.readsChunks = reads
        run.options.repairs = repairs
        run.options.usesLocalState = !mounted
        try run.run()
        return found
    }

    // MARK: Rows and files

    /// Changes rows as no engine would.
    func rows<R>(
        _ body: (borrowing MetadataWriter) throws(MetadataError) -> R
    ) throws -> R {
        let database = try MetadataDatabase(path: state + "/meta.db")
        let result = try database.write(body)
        try database.close()
        return result
    }

    /// The row of a path.
    func row(_ path: String) throws -> InodeRow {
        try rows { (reader) throws(MetadataError) in
            var ino: UInt64 = 1
            for name in path.split(separator: "/") {
                guard let item = try reader.dentry(parent: ino, name: Array(name.utf8)) else {
                    throw .corrupt("no \(path)")
                }
                ino = item.ino
            }
            guard let row = try reader.inode(ino) else { throw .corrupt("no \(path)") }
            return row
        }
    }

    /// The stored content of a path.
    func content(_ path: String) throws -> StoredContent {
        let ino = try row(path).ino
        let content = try rows { (reader) throws(MetadataError) in try reader.content(ino) }
        return content ?? StoredContent()
    }

    /// The file of a chunk in the store.
    func file(of digest: Digest) -> String {
        store + "/chunks/\(digest.hex.prefix(2))/\(digest.hex)"
    }

    /// The file of a pad in the store.
    func file(of pad: PadAddress) -> String { store + "/pads/\(pad.hex.prefix(2))/01-\(pad.hex)" }

    func remove(_ path: String) throws { try FileManager.default.removeItem(atPath: path) }

    /// Turns one bit of a file, in its middle unless an offset is named.
    func flip(_ path: String, at offset: Int? = nil) throws {
        var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        bytes[offset ?? bytes.count / 2] ^= 1
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }
}
