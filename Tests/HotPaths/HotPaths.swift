// SPDX-License-Identifier: Apache-2.0
//
// The hot paths without a kernel: an engine in a folder, called where FuseHost calls it.
// Tests/Bench/instructions.py runs this under callgrind, which counts what happens inside
// `countedLoop` on the thread that is in it, and makes a part of its output each time it is left.
//
//   HotPaths FOLDER     FOLDER is empty; prints `PATH CALLS`, a line for each loop, in order

import Compression
import Cryptography
import Engine
import Glibc
import Namespace
import Primitives
import RemoteStores
import SelfEncryption
import TestSupport

/// The only function whose instructions are counted. Its name is known to instructions.py.
@inline(never)
func countedLoop(_ calls: Int, _ body: (Int) throws -> Void) rethrows {
    for call in 0..<calls { try body(call) }
}

/// Each path, prepared so that the counted calls find everything in memory.
struct HotPaths {
    /// Times each loop is run; the script takes the fewest instructions.
    static let rounds = 3
    /// Bytes of a read or write, and of a file.
    static let pieceSize = 4096
    static let fileSize = 1 << 20
    static let chunkSize = 1 << 20
    /// Names in the directory that is looked into.
    static let names = 1000
    static let seed: UInt64 = 1

    let engine: Engine
    private let context = RequestContext(user: 1000, group: 1000, umask: 0o022)
    private let both = OpenIntent(reads: true, writes: true)

    init(folder: String) throws {
        let store = try FolderStore(path: folder + "/store", createIfMissing: true)
        var configuration = EngineConfiguration(
            stateFolder: folder, chunks: store, pads: store,
            keys: VolumeKeys(seed: SecretBytes(randomCount: VolumeKeys.seedSize)))
        // Nothing goes on in the background but commits; those only write what others made.
        configuration.flushDelay = .seconds(3600)
        configuration.publishDelay = .seconds(3600)
        configuration.publishCeiling = .seconds(3600)
        engine = try Engine.start(configuration, mode: .create)
    }

    func run() throws {
        let directory = try makeDirectory("names", files: HotPaths.names)
        try count("lookup", HotPaths.names) { call in
            _ = try engine.lookup(name(call), in: directory, context)
        }
        let inodes = try (0..<HotPaths.names).map { call in
            try engine.lookup(name(call), in: directory, context).ino
        }
        try count("getattr", HotPaths.names) { call in
            _ = try engine.status(of: inodes[call], context)
        }
        try countListing(directory)
        try countContent()
        try countCreation()
        try countEncryption()
    }

    /// Runs one path, and says how many calls each of its rounds is.
    private func count(_ path: String, _ calls: Int, _ body: (Int) throws -> Void) throws {
        // The first calls fill caches, and prepare statements of the database.
        for call in 0..<calls { try body(call) }
        for _ in 0..<HotPaths.rounds {
            try countedLoop(calls, body)
            print(path, calls)
        }
    }

    private func name(_ number: Int) -> [UInt8] { Array("file-\(number)".utf8) }

    private func makeDirectory(_ name: String, files: Int) throws -> UInt64 {
        let directory = try engine.makeDirectory(
            Array(name.utf8), in: Engine.filesInode, mode: 0o755, context
        ).ino
        for number in 0..<files { try make(self.name(number), in: directory) }
        try engine.synchronize(directory, dataOnly: false)
        return directory
    }

    private func make(_ name: [UInt8], in directory: UInt64) throws {
        let (status, opened) = try engine.create(
            name, in: directory, mode: 0o644, both, isExclusive: true, context)
        engine.release(opened.handle, ino: status.ino)
    }

    /// Every name with its status, as the first batch of readdirplus does; a call is an entry.
    private func countListing(_ directory: UInt64) throws {
        let handle = try engine.openDirectory(directory, context).handle
        defer { engine.releaseDirectory(handle) }
        for round in 0...HotPaths.rounds {
            var listed = 0
            let list = { (_: Int) throws in
                try engine.readDirectory(
                    handle, ino: directory, from: 0, withStatus: true, context
                ) { _ in
                    listed += 1
                    return true
                }
            }
            // The first is not counted, as in `count`.
            if round == 0 {
                try list(0)
            } else {
                try countedLoop(1, list)
                print("readdirplus", listed)
            }
        }
    }

    /// 4 KiB from blocks in the cache, which are opened and verified; and 4 KiB into blocks that
    /// are being written.
    private func countContent() throws {
        var dice = SeededGenerator(seed: HotPaths.seed)
        let (status, opened) = try engine.create(
            name(0), in: Engine.filesInode, mode: 0o644, both, isExclusive: true, context)
        let whole = dice.bytes(HotPaths.fileSize)
        _ = try engine.write(opened.handle, ino: status.ino, at: 0, whole.span, context)
        // All blocks are sealed into the cache, and none stays in memory.
        try engine.synchronize(status.ino, dataOnly: false)
        let pieces = HotPaths.fileSize / HotPaths.pieceSize
        let order = (0..<pieces).shuffled(using: &dice)
        var piece = [UInt8](repeating: 0, count: HotPaths.pieceSize)
        try count("read-4k", pieces) { call in
            let offset = UInt64(order[call] * HotPaths.pieceSize)
            var span = piece.mutableSpan
            let read = try engine.read(
                opened.handle, ino: status.ino, at: offset, into: &span, context)
            guard read == HotPaths.pieceSize else { throw BenchFailure("a read came short") }
        }
        guard piece == Array(whole[(order[pieces - 1] * HotPaths.pieceSize)...].prefix(piece.count))
        else { throw BenchFailure("what was read is not what was written") }
        try count("write-4k", pieces) { call in
            let offset = UInt64(order[call] * HotPaths.pieceSize)
            _ = try engine.write(opened.handle, ino: status.ino, at: offset, piece.span, context)
        }
        engine.release(opened.handle, ino: status.ino)
    }

    private func countCreation() throws {
        let directory = try makeDirectory("created", files: 0)
        var made = 0
        try count("create", HotPaths.names / 4) { _ in
            made += 1
            try make(name(made), in: directory)
        }
    }

    /// One chunk: its digest, compression, encryption and address; a call is a chunk of 1 MiB.
    private func countEncryption() throws {
        var dice = SeededGenerator(seed: HotPaths.seed)
        let transform = ChunkTransform(version: .v2, quality: .fast)
        let words = (0..<400).map { _ in dice.bytes(2 + dice.below(8)).map { 97 + $0 % 26 } + [32] }
        var text: [UInt8] = []
        while text.count < HotPaths.chunkSize { text += words[dice.below(words.count)] }
        let inputs = [
            ("chunk-random", dice.bytes(HotPaths.chunkSize)),
            ("chunk-text", Array(text.prefix(HotPaths.chunkSize))),
        ]
        for (path, plain) in inputs {
            try count(path, 1) { _ in
                let source = transform.sourceDigest(plain.span)
                let chunk = transform.encrypt(
                    plain.span, index: 0, source: source, neighbours: (source, source))
                if chunk.bytes.isEmpty { throw BenchFailure("a chunk came out empty") }
            }
        }
    }
}

/// Why nothing was counted.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String

    init(_ sentence: String) { description = sentence }
}

@main
enum Command {
    static func main() {
        guard CommandLine.arguments.count == 2 else {
            print("usage: HotPaths FOLDER")
            exit(64)
        }
        do {
            let paths = try HotPaths(folder: CommandLine.arguments[1])
            try paths.run()
            _ = paths.engine.stop(finishing: nil)
        } catch {
            print("HotPaths: \(error)")
            exit(1)
        }
    }
}
