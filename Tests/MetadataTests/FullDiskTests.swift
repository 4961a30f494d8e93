// SPDX-License-Identifier: Apache-2.0
//
// A disk without room: what grows is refused, and nothing is lost.

import Foundation
import Glibc
import Testing

@testable import Metadata

/// A small disk of its own, in memory; needs root.
private final class SmallDisk {
    let folder: TestFolder

    init?(megabytes: Int) throws {
        folder = try TestFolder()
        let options = "size=\(megabytes)m,mode=0700"
        // SAFETY: all strings live for the call.
        let code = unsafe options.withCString { options in
            unsafe mount("cairn-test", folder.path, "tmpfs", 0, options)
        }
        // Root without the right to mount, in a container: nothing to test with.
        guard code == 0 else { return nil }
    }

    deinit {
        // SAFETY: the path lives for the call. Detached: an open file must not keep the mount.
        _ = unsafe umount2(folder.path, Int32(MNT_DETACH))
    }
}

@Suite("A full disk", .enabled(if: getuid() == 0, "mounting a small disk needs root"))
struct FullDiskTests {
    @Test("a full disk refuses what grows before it happens, and loses nothing")
    func filling() throws {
        guard let disk = try SmallDisk(megabytes: 96) else { return }
        let database = try disk.folder.open()
        let block = [UInt8](repeating: 7, count: 100_000)
        var written: UInt64 = 0
        var failure: MetadataError?
        while failure == nil && written < 2000 {
            do {
                try database.write { try $0.setInline(written, block) }
                written += 1
                if written % 10 == 0 { try database.commit() }
            } catch {
                failure = error as? MetadataError
            }
        }
        #expect(failure == .full)
        #expect(written > 50)
        // Everything accepted stands and can be committed; what shrinks is still allowed.
        try database.write { (writer) throws in
            for ino in 0..<written { #expect(try writer.inline(ino) == block) }
            for ino in 0..<written / 2 { try writer.setInline(ino, nil) }
        }
        try database.commit()
        try database.syncLog()
        // The log starts anew, and there is room again.
        try database.checkpoint()
        try database.write { (writer) throws in
            for ino in 0..<10 as Range<UInt64> { try writer.setInline(ino, block) }
        }
        try database.commit()
        try database.close()
        let again = try disk.folder.open()
        try again.write { (writer) throws in
            #expect(try writer.inline(5) == block)
            #expect(try writer.inline(written / 2 - 1) == nil)
            #expect(try writer.inline(written - 1) == block)
        }
        try again.close()
    }

    @Test("a disk too full to begin with says so")
    func nothingLeft() throws {
        guard let disk = try SmallDisk(megabytes: 1) else { return }
        let filler = Data(count: 1 << 20)
        _ = FileManager.default.createFile(atPath: disk.folder.path + "/filler", contents: filler)
        #expect(throws: MetadataError.full) { try disk.folder.open() }
    }

    @Test("a disk with little room opens, reads, and refuses what grows")
    func littleLeft() throws {
        guard let disk = try SmallDisk(megabytes: 4) else { return }
        let database = try disk.folder.open()
        #expect(try database.write { try $0.inode(1) } == nil)
        #expect(throws: MetadataError.full) {
            try database.write { try $0.insertInode(file(1)) }
        }
        try database.write { try $0.deleteInode(1) }
        try database.commit()
        try database.close()
    }
}
