// SPDX-License-Identifier: Apache-2.0
//
// Disks that are full, locked, read-only or gone, and processes that are killed.

import Foundation
import Primitives
import Scratchpads
import Stores
import Synchronization
import TestSupport
import Testing

@testable import RemoteStores

private final class PutCount: Sendable {
    let value = Atomic<Int>(0)
}

@Suite("Failures of a folder store")
struct FolderStoreFailureTests {
    @Test(
        "a full disk is full, keeps what it had, and leaves nothing half-written",
        .smallDisks)
    func fullDisk() throws {
        let disk = try SmallDisk(bytes: 1 << 20)
        defer { #expect(disk.remove()) }
        let path = disk.path + "/store"
        let store = try FolderStore(path: path, createIfMissing: true)
        let kept = TestChunk(seed: 1, count: 300_000)
        try store.put(kept.digest, kept.bytes)
        let tooMuch = TestChunk(seed: 2, count: 2_000_000)
        #expect(throws: StoreError.full) { try store.put(tooMuch.digest, tooMuch.bytes) }
        #expect(throws: StoreError.missing(tooMuch.digest)) { try store.get(tooMuch.digest) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/tmp").isEmpty)

        let pad = WriteCapability(testSeed: 1)
        let small = try pad.seal("small", counter: 1)
        #expect(try store.put(small) == .accepted)
        let large = try pad.seal(
            [UInt8](repeating: 1, count: 1_500_000).span, encoding: 0, counter: 2)
        #expect(throws: StoreError.full) { try store.put(large) }
        #expect(try store.get(pad.address) == small)
        #expect(try store.get(kept.digest) == kept.bytes)
        #expect(try store.capacity().total == 1 << 20)

        // There is room again as soon as something goes.
        try store.delete(kept.digest)
        try store.put(kept.digest, kept.bytes)
        try store.sync()
    }

    @Test(
        "a read-only disk is read, and says that it is read-only", .smallDisks)
    func readOnlyDisk() throws {
        let disk = try SmallDisk(bytes: 1 << 20)
        defer { #expect(disk.remove()) }
        let path = disk.path + "/store"
        let chunk = TestChunk(seed: 1)
        let pad = WriteCapability(testSeed: 1)
        let record = try pad.seal("text", counter: 1)
        do {
            let store = try FolderStore(path: path, createIfMissing: true)
            try store.put(chunk.digest, chunk.bytes)
            _ = try store.put(record)
        }
        try disk.makeReadOnly()
        let store = try FolderStore(path: path, createIfMissing: false)
        #expect(try store.get(chunk.digest) == chunk.bytes)
        #expect(try store.get(pad.address) == record)
        // What is there already need not be written.
        try store.put(chunk.digest, chunk.bytes)
        let other = TestChunk(seed: 2)
        #expect(throws: StoreError.readOnly) { try store.put(other.digest, other.bytes) }
        #expect(throws: StoreError.readOnly) { try store.put(try pad.seal("new", counter: 2)) }
        #expect(throws: StoreError.readOnly) { try store.delete(chunk.digest) }
        #expect(throws: StoreError.readOnly) {
            try FolderStore(path: disk.path + "/other", createIfMissing: true)
        }
    }

    @Test("a folder that may not be written, or not be entered, refuses")
    func permissions() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        await #expect(processExitsWith: .success) { [path = folder.path as String] in
            let chunk = TestChunk(seed: 1)
            let pad = WriteCapability(testSeed: 1)
            let store = try FolderStore(path: path + "/store", createIfMissing: true)
            try store.put(chunk.digest, chunk.bytes)
            let files = FileManager.default
            let readable = [FileAttributeKey.posixPermissions: 0o755]
            for name in ["", "/store", "/store/chunks", "/store/pads", "/store/tmp"] {
                try files.setAttributes(readable, ofItemAtPath: path + name)
            }
            for name in try files.subpathsOfDirectory(atPath: path + "/store/chunks") {
                try files.setAttributes(readable, ofItemAtPath: path + "/store/chunks/" + name)
            }
            try files.setAttributes(readable, ofItemAtPath: path + "/store/cairn-store")
            try files.createDirectory(atPath: path + "/locked", withIntermediateDirectories: false)
            try files.setAttributes([.posixPermissions: 0], ofItemAtPath: path + "/locked")
            if geteuid() == 0 {
                #expect(setuid(65_534) == 0)
            } else {
                for name in ["/store", "/store/tmp"] {
                    try files.setAttributes([.posixPermissions: 0o555], ofItemAtPath: path + name)
                }
            }
            let refusal = StoreError.refused("permission denied")
            let reader = try FolderStore(path: path + "/store", createIfMissing: false)
            #expect(try reader.get(chunk.digest) == chunk.bytes)
            let other = TestChunk(seed: 2)
            #expect(throws: refusal) { try reader.put(other.digest, other.bytes) }
            #expect(throws: refusal) { try reader.put(try pad.seal("text", counter: 1)) }
            #expect(throws: refusal) {
                try FolderStore(path: path + "/locked", createIfMissing: true)
            }
            #expect(throws: refusal) {
                try FolderStore(path: path + "/locked/store", createIfMissing: true)
            }
        }
        // So that the folder can be removed by whoever runs this.
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o700], ofItemAtPath: folder.path + "/locked")
    }

    @Test("a process killed while it puts leaves whole chunks and pads only", arguments: 0..<3)
    func kill(round: Int) async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = folder.path as String, round = round as Int] in
            let store = try FolderStore(path: path + "/store", createIfMissing: true)
            let count = PutCount()
            for thread in 0..<4 {
                Thread.detachNewThread {
                    var seed = UInt64(thread) << 32
                    while true {
                        let chunk = TestChunk(seed: seed, count: 20_000)
                        // Whatever it throws, the process is about to die.
                        try? store.put(chunk.digest, chunk.bytes)
                        count.value.add(1, ordering: .relaxed)
                        seed += 1
                        let pad = WriteCapability(testSeed: UInt8(thread))
                        guard let record = try? pad.seal("\(seed)", counter: seed) else { return }
                        // As above.
                        _ = try? store.put(record)
                    }
                }
            }
            // In the middle of what comes after the first few.
            while count.value.load(ordering: .relaxed) < 20 + 7 * round { usleep(100) }
            _ = raise(SIGKILL)
        }
        let store = try FolderStore(path: folder.path + "/store", createIfMissing: false)
        var digests: [Digest] = []
        try store.list {
            digests.append($0)
            return true
        }
        #expect(!digests.isEmpty)
        for digest in digests { #expect(try store.get(digest).count == 20_000) }
        for thread in 0..<4 {
            let pad = WriteCapability(testSeed: UInt8(thread))
            if let record = try store.get(pad.address) {
                let text = String(decoding: try pad.reading.open(record), as: UTF8.self)
                #expect(text == "\(record.counter)")
            }
        }
        // The lock died with its holder.
        let pad = WriteCapability(testSeed: 9)
        #expect(try store.put(try pad.seal("after", counter: 1)) == .accepted)
    }

    @Test("a chunk that vanished before it was synced keeps sync failing until it is put again")
    func vanished() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/store"
        let store = try FolderStore(path: path, createIfMissing: true)
        let (lost, kept) = (TestChunk(seed: 1), TestChunk(seed: 2))
        try store.put(lost.digest, lost.bytes)
        try store.put(kept.digest, kept.bytes)
        try FileManager.default.removeItem(atPath: FolderPaths.chunk(lost.digest, in: path))
        for _ in 0..<2 {
            #expect(throws: StoreError.missing(lost.digest)) { try store.sync() }
        }
        #expect(try store.has([lost.digest]).isEmpty)
        try store.put(lost.digest, lost.bytes)
        try store.sync()
        #expect(try store.get(lost.digest) == lost.bytes)
        #expect(try store.get(kept.digest) == kept.bytes)
    }

    @Test("the put that reaches the limit of unsynced chunks syncs them, also after a failure")
    func unsyncedLimit() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/store"
        let store = try FolderStore(path: path, createIfMissing: true, unsyncedLimit: 4)
        let chunks = (0..<8).map { TestChunk(seed: $0) }
        let lost = chunks[0]
        for chunk in chunks[..<3] { try store.put(chunk.digest, chunk.bytes) }
        try FileManager.default.removeItem(atPath: FolderPaths.chunk(lost.digest, in: path))
        #expect(throws: StoreError.missing(lost.digest)) {
            try store.put(chunks[3].digest, chunks[3].bytes)
        }
        // Four chunks in doubt are written anew, which must not begin a sync within the sync.
        try store.put(lost.digest, lost.bytes)
        try store.sync()
        for chunk in chunks { try store.put(chunk.digest, chunk.bytes) }
        for chunk in chunks { #expect(try store.get(chunk.digest) == chunk.bytes) }
    }

    @Test("a chunk that vanished and is then deleted is nobody's worry")
    func vanishedAndDeleted() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/store"
        let store = try FolderStore(path: path, createIfMissing: true)
        let lost = TestChunk(seed: 1)
        try store.put(lost.digest, lost.bytes)
        try FileManager.default.removeItem(atPath: FolderPaths.chunk(lost.digest, in: path))
        #expect(throws: StoreError.missing(lost.digest)) { try store.sync() }
        try store.delete(lost.digest)
        try store.sync()
    }

    @Test("many chunks and few are synced alike", arguments: [1, 8, 9, 300])
    func batches(count: Int) throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let store = try FolderStore(path: folder.path + "/store", createIfMissing: true)
        for seed in 0..<UInt64(count) {
            let chunk = TestChunk(seed: seed)
            try store.put(chunk.digest, chunk.bytes)
        }
        try store.sync()
        try store.sync()
    }

    /// Descriptors of this process that are chunks' files of the store.
    private func openChunks(_ store: String) throws -> Int {
        let files = FileManager.default
        return try files.contentsOfDirectory(atPath: "/proc/self/fd").filter { name in
            // A descriptor that is closed by now was not the store's.
            let target = try? files.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + name)
            return target?.hasPrefix(store + "/chunks/") ?? false
        }.count
    }

    @Test("few unsynced chunks stay open until their sync, which asks those files how it went")
    func keptOpen() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/store"
        let store = try FolderStore(path: path, createIfMissing: true)
        let limit = FolderStore.individualSyncLimit
        let chunks = (0..<UInt64(limit + 4)).map { TestChunk(seed: $0, count: 2 << 20) }
        for (index, chunk) in chunks.enumerated() {
            try store.put(chunk.digest, chunk.bytes)
            #expect(try openChunks(path) == min(index + 1, limit))
        }
        try store.sync()
        #expect(try openChunks(path) == 0)
        try store.delete(chunks[0].digest)
        try store.put(chunks[0].digest, chunks[0].bytes)
        #expect(try openChunks(path) == 1)
        // Found as it is, and so not open a second time.
        try store.put(chunks[0].digest, chunks[0].bytes)
        #expect(try openChunks(path) == 1)
        try store.delete(chunks[0].digest)
        #expect(try openChunks(path) == 0)
        try store.sync()
    }

    @Test("a chunk's file that another took the place of is synced by its name")
    func replacedWhileOpen() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/store"
        let store = try FolderStore(path: path, createIfMissing: true)
        let chunk = TestChunk(seed: 1)
        try store.put(chunk.digest, chunk.bytes)
        let name = FolderPaths.chunk(chunk.digest, in: path)
        try FileManager.default.removeItem(atPath: name)
        // A folder under the name tells that it was the name that was opened.
        try FileManager.default.createDirectory(atPath: name, withIntermediateDirectories: false)
        #expect(throws: StoreError.self) { try store.sync() }
        try FileManager.default.removeItem(atPath: name)
        try store.put(chunk.digest, chunk.bytes)
        try store.sync()
        #expect(try openChunks(path) == 0)
    }

    @Test("a store leaks no file, whatever fails, and hands none to programs it starts")
    func descriptors() async throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        await #expect(processExitsWith: .success) { [path = folder.path as String] in
            /// Descriptors of this process that are in the folder; others come and go.
            func open() throws -> [Int32] {
                let files = FileManager.default
                return try files.contentsOfDirectory(atPath: "/proc/self/fd").filter { name in
                    // A descriptor that is closed by now was not the store's.
                    let target = try? files.destinationOfSymbolicLink(
                        atPath: "/proc/self/fd/" + name)
                    return target?.hasPrefix(path) ?? false
                }.compactMap(Int32.init)
            }
            do {
                let store = try FolderStore(path: path + "/store", createIfMissing: true)
                let pad = WriteCapability(testSeed: 1)
                for seed in 1...50 as ClosedRange<UInt64> {
                    let chunk = TestChunk(seed: seed)
                    try store.put(chunk.digest, chunk.bytes)
                    _ = try store.get(chunk.digest)
                    _ = try store.put(try pad.seal("text", counter: seed))
                    _ = try store.get(pad.address)
                    #expect(throws: StoreError.self) {
                        try store.get(TestChunk(seed: seed + 1000).digest)
                    }
                    try store.sync()
                }
                try store.list { _ in true }
                try store.list { _ in false }
                for descriptor in try open() {
                    #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
                }
                #expect((4...6).contains(try open().count))
            }
            #expect(throws: StoreError.self) {
                try FolderStore(path: path + "/none", createIfMissing: false)
            }
            #expect(try open().isEmpty)
        }
    }
}
