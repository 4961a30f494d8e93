// SPDX-License-Identifier: Apache-2.0
//
// The write-ahead log: when it is synced, and when it starts anew.

import Foundation
import Glibc
import Testing

@testable import Metadata

@Suite("The log as a file")
struct LogTests {
    // SEMANTICS: After `fsync` of the local log has failed once, every sync fails with EIO until
    // the volume is mounted again: the kernel may have dropped what it could not write, and nobody
    // can say what.
    @Test("after one failed sync no later one is believed")
    func failedSync() throws {
        let folder = try TestFolder()
        // A pipe can be opened, but not synced: the nearest thing to a broken disk.
        // SAFETY: the path lives for the call.
        #expect(unsafe mkfifo(folder.database + "-wal", 0o600) == 0)
        let log = try WriteAheadLog(databasePath: folder.database)
        try log.checkSound()
        for _ in 0..<3 {
            #expect(throws: MetadataError.logNotSynced(errno: EINVAL)) { try log.sync() }
            #expect(throws: MetadataError.logNotSynced(errno: EINVAL)) { try log.checkSound() }
        }
    }

    @Test("a log that is not there is an error")
    func missing() throws {
        let folder = try TestFolder()
        #expect(throws: MetadataError.logNotSynced(errno: ENOENT)) {
            try WriteAheadLog(databasePath: folder.database)
        }
    }

    @Test("room taken for the log leaves its length alone")
    func reservation() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { try $0.insertInode(file(1)) }
        try database.commit()
        let size = try folder.size(of: "-wal")
        var status = stat()
        // SAFETY: the call fills a structure of ours; the path lives for it.
        #expect(unsafe stat(folder.database + "-wal", &status) == 0)
        #expect(size < 1 << 20)
        #expect(Int(status.st_blocks) * 512 > WriterCore.cacheSizeKiB * 1024)
    }
    @Test("what a commit writes over next is asked for before it is written")
    func ahead() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        while try database.lengthenLog() {}
        // SAFETY: the path lives for the call.
        let descriptor = unsafe open(folder.database + "-wal", O_RDONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        for (ino, offset) in [(UInt64(1), 384 << 10), (2, 640 << 10)] {
            #expect(posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0)
            // A filesystem that is memory has nothing to be read.
            if isCached(descriptor, at: offset) { return }
            try database.write { writer in
                try writer.insertInode(file(ino))
                // Long enough that the second commit reaches the log's next step.
                let value = [UInt8](repeating: 1, count: 200 << 10)
                try writer.setInline(ino, value)
            }
            try database.commit()
            // The kernel reads in its own time.
            let end = ContinuousClock.now + .seconds(20)
            while !isCached(descriptor, at: offset), ContinuousClock.now < end { usleep(1000) }
            #expect(isCached(descriptor, at: offset))
        }
    }

    @Test("what a copy of the log lost is not believed to be there by a later one")
    func failedCopy() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        let disk = try LostWrites(of: folder.database)
        let large = [UInt8](repeating: 7, count: 400_000)
        try database.write { (writer) throws in
            try writer.insertInode(file(1))
            try writer.setInline(1, large)
        }
        try database.commit()
        try database.syncLog()
        // A reader keeps the copy from the log's end, and so from a sync.
        let snapshot = try database.snapshot()
        _ = try snapshot.inode(1)
        try database.write { try $0.insertInode(file(2)) }
        try database.commit()
        disk.begin()
        try database.checkpoint()
        snapshot.close()
        #expect(throws: MetadataError.logNotSynced(errno: EINVAL)) { try database.checkpoint() }
        disk.end()
        // It was said once; the disk is well again.
        for _ in 0..<2 {
            #expect(throws: MetadataError.logNotSynced(errno: EINVAL)) { try database.checkpoint() }
            #expect(throws: MetadataError.logNotSynced(errno: EINVAL)) { try database.syncLog() }
            #expect(throws: MetadataError.logNotSynced(errno: EINVAL)) { try database.commit() }
        }
        #expect(throws: MetadataError.logNotSynced(errno: EINVAL)) { try database.close() }
        try folder.open().write { (writer) throws in
            #expect(try writer.inline(1) == large)
            #expect(try writer.inode(2) == file(2))
        }
    }

    /// Whether the kernel has a page of a file in memory.
    private func isCached(_ descriptor: Int32, at offset: Int) -> Bool {
        // SAFETY: nothing reads the mapping, which ends here; `mincore` fills one byte of ours.
        let page = unsafe mmap(nil, 4096, PROT_READ, MAP_SHARED, descriptor, off_t(offset))
        guard let page = unsafe page, unsafe page != MAP_FAILED else { return false }
        defer { unsafe munmap(page, 4096) }
        var isResident: UInt8 = 0
        return unsafe mincore(page, 4096, &isResident) == 0 && isResident & 1 == 1
    }
}

/// Takes what is written through the descriptors that a file has now, and keeps nothing of it. The
/// file cannot be cut or synced then.
private final class LostWrites {
    private var descriptors: [(number: Int32, copy: Int32)] = []

    init(of path: String) throws {
        let target = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        let files = FileManager.default
        for name in try files.contentsOfDirectory(atPath: "/proc/self/fd") {
            // One of another test may be closed by now.
            let place = try? files.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + name)
            guard place == target, let number = Int32(name) else { continue }
            descriptors.append((number, dup(number)))
        }
        #expect(!descriptors.isEmpty)
    }

    deinit {
        for (_, copy) in descriptors { close(copy) }
    }

    func begin() {
        // SAFETY: a constant text, lent for the call.
        let nowhere = unsafe open("/dev/null", O_RDWR | O_CLOEXEC)
        for (number, _) in descriptors { #expect(dup2(nowhere, number) == number) }
        close(nowhere)
    }

    func end() {
        for (number, copy) in descriptors { #expect(dup2(copy, number) == number) }
    }
}
