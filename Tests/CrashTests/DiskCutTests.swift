// SPDX-License-Identifier: Apache-2.0
//
// A real filesystem that forgets, at a random moment, what it has not handed to its disk: ext4 on a
// loop device, shut down. KillTests can not see that (a killed process leaves its bytes in the
// system's memory), and the layer of PowerLossTests is not asked for writes past that memory, which
// are for a disk's own filesystem. What the disk was handed counts as written here: whether it was
// flushed too is the kernel's word (RWF_DSYNC).

import Foundation
import TestSupport
import Testing

@Suite("a disk that is cut off", .serialized, .mounting)
struct DiskCutTests {
    /// Rounds of two to four seconds.
    private static let rounds = Effort.isLong ? 60 : 4
    /// Bytes; few of them are ever written.
    private static let diskSize = 600 << 20

    // SEMANTICS: After a crash of the process or the machine, everything that was synced is there.
    @Test("what fsync promised is on the disk, not in the system's memory")
    func rounds() throws {
        print("disk cut: CRASH_SEED=\(Effort.seed)")
        var dice = SeededGenerator(seed: Effort.seed)
        let disk: LoopDisk
        do {
            disk = try LoopDisk(size: Self.diskSize)
        } catch {
            try Test.cancel("a loop device with ext4 can not be had here: \(error)")
        }
        let volume = try CrashVolume(stateDisk: disk)
        let work = Promises(volume, kind: "disk-cut")
        var promises = 0
        for round in 1...Self.rounds {
            try volume.mount()
            #expect(try writesPastTheCache(volume), "the way that is tested is not taken")
            let programs = try work.begin(round, &dice)
            usleep(UInt32.random(in: 800_000..<3_000_000, using: &dice))
            try disk.cut()
            volume.kill()
            programs.expectEnd()
            try volume.leaveDeadMount()
            try disk.repair()
            try volume.mount()
            promises += try work.verify(max(1, round - 3)...round, "after a cut")
            #expect(try volume.errors().isEmpty)
            try volume.unmount()
        }
        #expect(promises > 100, "the programs had no time")
        print("disk cut: \(Self.rounds) rounds, \(promises) promises checked, 0 broken")
    }

    /// Whether the daemon has the redo file open with O_DIRECT.
    private func writesPastTheCache(_ volume: CrashVolume) throws -> Bool {
        let process = "/proc/\(volume.daemon)"
        for number in try FileManager.default.contentsOfDirectory(atPath: process + "/fd") {
            // Others close theirs meanwhile.
            guard
                let path = try? FileManager.default.destinationOfSymbolicLink(
                    atPath: "\(process)/fd/\(number)"), path.hasSuffix("-redo"),
                let text = try? String(
                    contentsOfFile: "\(process)/fdinfo/\(number)", encoding: .utf8),
                let line = text.split(separator: "\n").first(where: { $0.hasPrefix("flags:") }),
                let flags = line.split(separator: "\t").last.flatMap({ Int32($0, radix: 8) })
            else { continue }
            if flags & Self.direct != 0 { return true }
        }
        return false
    }

    /// O_DIRECT, as the kernel shows it.
    #if arch(arm64)
        private static let direct: Int32 = 0o200000
    #else
        private static let direct: Int32 = 0o40000
    #endif
}

/// A file with ext4 in it, mounted by a loop device; gone with its last reference.
final class LoopDisk {
    private let root: String
    private var image: String { root + "/disk.img" }
    /// Where it is mounted.
    var path: String { root + "/disk" }

    init(size: Int) throws {
        root = NSTemporaryDirectory() + "cairn-disk-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(
            atPath: root + "/disk", withIntermediateDirectories: true)
        try shell("truncate -s \(size) '\(image)' && mkfs.ext4 -q -F '\(image)'", [:])
        try attach()
    }

    private func attach() throws { try shell("mount -o loop '\(image)' '\(path)'", [:]) }

    /// Has the filesystem stop at once, and forget what it has not written.
    ///
    /// - Source: the kernel's fs/ext4/ext4.h, EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH.
    func cut() throws {
        let program = """
            import fcntl, os, struct, sys
            fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))
            """
        let result = try run("/usr/bin/python3", ["-c", program, path])
        guard result.status == 0 else { throw ShellFailure(command: "cut", result: result) }
    }

    /// What a machine does when the power is back. Nobody may use it any more, but for files that
    /// the end of a process is still closing.
    func repair() throws {
        let isFree = try eventually { try run("/bin/umount", [path]).status == 0 }
        try #require(isFree, "somebody uses the disk")
        try shell("e2fsck -fy '\(image)' > '\(root)/e2fsck' || [ $? -lt 4 ]", [:])
        try attach()
    }

    deinit {
        // Best effort on the way out of a failed test.
        _ = try? run("/bin/umount", ["-l", path])
        try? FileManager.default.removeItem(atPath: root)
    }
}
