// SPDX-License-Identifier: Apache-2.0
//
// What a folder store makes of its files, and of what others did to them.

import Cryptography
import Foundation
import Primitives
@testable import RemoteStores
import Scratchpads
import Stores
import TestSupport
import Testing

@Suite("Files of a folder store")
struct FolderStoreFileTests {
    private let folder: TemporaryFolder
    private let path: String
    private let store: FolderStore
    private let files = FileManager.default

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/store"
        store = try FolderStore(path: path, createIfMissing: true)
    }

    private func put(_ chunk: TestChunk) throws -> String {
        try store.put(chunk.digest, chunk.bytes)
        return FolderPaths.chunk(chunk.digest, in: path)
    }

    private func read(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    private func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    @Test("a chunk is a file of its bytes, and a pad a file of its record")
    func layout() throws {
        defer { folder.remove() }
        let plain = TestChunk([UInt8]("BLAKE3".utf8))
        #expect(try read(try put(plain)) == plain.bytes)
        let older = TestChunk([UInt8]("SHA3".utf8), algorithm: .sha3)
        #expect(try read(try put(older)) == older.bytes)
        let record = try WriteCapability(testSeed: 1).seal("text", counter: 3)
        _ = try store.put(record)
        #expect(try read(FolderPaths.pad(record.address, in: path)) == record.encoded())
        #expect(try files.contentsOfDirectory(atPath: path + "/tmp").isEmpty)
    }

    /// A folder on a disk and one in memory, as far as they are there.
    private static let roots = ["/var/tmp", "/dev/shm"].filter(
        FileManager.default.isWritableFile(atPath:))

    @Test(
        "a large chunk is a file of its bytes, whether or not the system can write past its memory",
        arguments: roots)
    func largeChunks(root: String) throws {
        defer { folder.remove() }
        let path = root + "/cairn-large-\(UUID().uuidString)"
        defer { try? files.removeItem(atPath: path) }
        let store = try FolderStore(path: path, createIfMissing: true)
        let limit = FolderStore.writeAtOnceSize
        for (seed, size) in [limit - 1, limit, limit + 1, 4 * limit - 4097].enumerated() {
            let chunk = TestChunk(seed: UInt64(seed), count: size)
            try store.put(chunk.digest, chunk.bytes)
            #expect(try read(FolderPaths.chunk(chunk.digest, in: path)) == chunk.bytes)
            #expect(try store.get(chunk.digest) == chunk.bytes)
        }
        try store.sync()
        #expect(store.undurable().isEmpty)
    }

    @Test(
        "bytes of any size are written past the system's memory, with their last part of a sector",
        arguments: roots)
    func directly(root: String) throws {
        defer { folder.remove() }
        let path = root + "/cairn-direct-\(UUID().uuidString)"
        try files.createDirectory(atPath: path, withIntermediateDirectories: false)
        defer { try? files.removeItem(atPath: path) }
        let kind = try run("/usr/bin/stat", ["-f", "-c", "%T", path]).output
        let isDisk = kind.hasPrefix("ext") || kind.hasPrefix("xfs")
        let place = try Folder(path: path)
        #expect(try place.isDirectlyWritten() == isDisk, "on \(kind)")
        var room = [UInt8](repeating: 0xEE, count: 300_000 + OpenFile.sectorSize)
        for size in [0, 1, 4095, 4096, 4097, 8192, 65_537, 300_000] {
            let chunk = TestChunk(seed: UInt64(size), count: size)
            let file = try place.newFile(RelativePath(Array("\(size)".utf8)), permissions: 0o600)
            try file.writeDirectly(chunk.bytes.span, through: &room)
            try file.write(([7, 8] as [UInt8]).span)
            #expect(try read(path + "/\(size)") == chunk.bytes + [7, 8], "\(size) bytes")
        }
    }

    @Test("a truncated chunk is damage, is told from a missing one, and is repaired by a put")
    func truncated() throws {
        defer { folder.remove() }
        let chunk = TestChunk(seed: 1, count: 5000)
        let file = try put(chunk)
        for size in [4999, 1, 0] {
            try write(Array(chunk.bytes.prefix(size)), to: file)
            let got = Digests.of(Array(chunk.bytes.prefix(size)))
            #expect(throws: StoreError.corrupt(wanted: chunk.digest, got: got)) {
                try store.get(chunk.digest)
            }
            // A quick look sees only the emptiest of damage.
            #expect(try store.has([chunk.digest]).isEmpty == (size == 0))
            try store.put(chunk.digest, chunk.bytes)
            #expect(try store.get(chunk.digest) == chunk.bytes)
        }
    }

    @Test("a chunk of the right size and other bytes is replaced by a put")
    func rightSizeWrongBytes() throws {
        defer { folder.remove() }
        let chunk = TestChunk(seed: 1, count: 300_000)
        let file = try put(chunk)
        for index in [0, 131_071, 131_072, 299_999] {
            var changed = chunk.bytes
            changed[index] ^= 0x80
            try write(changed, to: file)
            try store.put(chunk.digest, chunk.bytes)
            #expect(try store.get(chunk.digest) == chunk.bytes, "byte \(index)")
        }
    }

    @Test("swapped files are both damage, and say whose bytes they have")
    func swapped() throws {
        defer { folder.remove() }
        let (one, two) = (TestChunk(seed: 1), TestChunk(seed: 2))
        let (first, second) = (try put(one), try put(two))
        try write(two.bytes, to: first)
        try write(one.bytes, to: second)
        #expect(throws: StoreError.corrupt(wanted: one.digest, got: two.digest)) {
            try store.get(one.digest)
        }
        #expect(throws: StoreError.corrupt(wanted: two.digest, got: one.digest)) {
            try store.get(two.digest)
        }
    }

    @Test("a file that grew over every limit is damage, and is not read whole")
    func grown() throws {
        defer { folder.remove() }
        let chunk = TestChunk(seed: 1)
        let file = try put(chunk)
        // Sparse: a terabyte that takes no room.
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.truncate(atOffset: 1 << 40)
        try handle.close()
        #expect {
            try store.get(chunk.digest)
        } throws: { error in
            if case .corrupt(chunk.digest, _) = error as? StoreError { true } else { false }
        }
        let record = try WriteCapability(testSeed: 1).seal("text", counter: 3)
        _ = try store.put(record)
        let padFile = FolderPaths.pad(record.address, in: path)
        let padHandle = try #require(FileHandle(forWritingAtPath: padFile))
        try padHandle.truncate(atOffset: 1 << 40)
        try padHandle.close()
        #expect(throws: StoreError.corruptPad(record.address)) { try store.get(record.address) }
    }

    @Test("a folder, a pipe or a link under a chunk's name harms nobody and hangs nothing")
    func otherKinds() throws {
        defer { folder.remove() }
        let chunk = TestChunk(seed: 1)
        let file = try put(chunk)
        let kinds: [(String) throws -> Void] = [
            { try files.createDirectory(atPath: $0, withIntermediateDirectories: false) },
            // SAFETY: the text is lent for the call.
            { #expect(unsafe mkfifo($0, 0o600) == 0) },
            { try files.createSymbolicLink(atPath: $0, withDestinationPath: "/etc/hostname") },
        ]
        for make in kinds {
            try files.removeItem(atPath: file)
            try make(file)
            #expect {
                try store.get(chunk.digest)
            } throws: { error in
                if case .notAStore = error as? StoreError { true } else { false }
            }
            #expect(try store.has([chunk.digest]).isEmpty)
        }
    }

    @Test("a pad's file under another pad's name is damage")
    func padUnderAnotherName() throws {
        defer { folder.remove() }
        let record = try WriteCapability(testSeed: 1).seal("text", counter: 3)
        let other = WriteCapability(testSeed: 2)
        _ = try store.put(try other.seal("other", counter: 1))
        try write(record.encoded(), to: FolderPaths.pad(other.address, in: path))
        #expect(throws: StoreError.corruptPad(other.address)) { try store.get(other.address) }
        #expect(try store.put(try other.seal("other", counter: 1)) == .accepted)
    }

    @Test("a change of any part of a pad's file is damage")
    func damagedPad() throws {
        defer { folder.remove() }
        let record = try WriteCapability(testSeed: 1).seal("text", counter: 3)
        let bytes = record.encoded()
        _ = try store.put(record)
        // The scheme, address, encoding, counter, size, payload and signature.
        for index in [5, 6, 38, 53, 61, 62, bytes.count - 1] {
            var changed = bytes
            changed[index] ^= 4
            try write(changed, to: FolderPaths.pad(record.address, in: path))
            #expect(throws: StoreError.corruptPad(record.address), "byte \(index)") {
                try store.get(record.address)
            }
        }
        #expect(try store.put(record) == .accepted)
        #expect(try store.get(record.address) == record)
    }

    @Test("a pad record of a newer format is neither handed over nor replaced")
    func newerRecord() throws {
        defer { folder.remove() }
        let pad = WriteCapability(testSeed: 1)
        _ = try store.put(try pad.seal("text", counter: 3))
        let file = FolderPaths.pad(pad.address, in: path)
        var bytes = try read(file)
        bytes[4] = 2
        try write(bytes, to: file)
        let error = StoreError.newerFormat(found: 2, supported: 1)
        #expect(throws: error) { try store.get(pad.address) }
        #expect(throws: error) { try store.put(try pad.seal("later", counter: 4)) }
        #expect(try read(file) == bytes)
    }

    @Test("a listing skips what is no chunk")
    func strangeNames() throws {
        defer { folder.remove() }
        let chunk = TestChunk(seed: 1)
        let file = try put(chunk)
        let parent = URL(fileURLWithPath: file).deletingLastPathComponent().path
        let digits = chunk.digest.hex
        let strange = [
            "README", digits.uppercased(), digits + ".md5", digits + ".sha3x", digits + "0",
            String(digits.dropLast()), "zz" + digits.dropFirst(2),
            (digits.hasPrefix("00") ? "01" : "00") + digits.dropFirst(2),
        ]
        for name in strange where name != digits { try write([1], to: "\(parent)/\(name)") }
        var listed: [Digest] = []
        try store.list {
            listed.append($0)
            return true
        }
        #expect(listed == [chunk.digest])
    }

    @Test("a store whose folder is deleted under it says so")
    func deletedStore() throws {
        defer { folder.remove() }
        let chunk = TestChunk(seed: 1)
        try files.removeItem(atPath: path)
        let pad = WriteCapability(testSeed: 1)
        let record = try pad.seal("text", counter: 1)
        let calls: [() throws -> Void] = [
            { _ = try store.get(chunk.digest) },
            { _ = try store.has([chunk.digest]) },
            { try store.put(chunk.digest, chunk.bytes) },
            { _ = try store.get(pad.address) },
            { _ = try store.put(record) },
        ]
        for (index, call) in calls.enumerated() {
            #expect("call \(index)") {
                try call()
            } throws: { error in
                if case .notAStore = error as? StoreError { true } else { false }
            }
        }
    }

    @Test("the capacity is that of the filesystem")
    func capacity() throws {
        defer { folder.remove() }
        let capacity = try store.capacity()
        #expect(capacity.total > 0 && capacity.free <= capacity.total)
    }
}
