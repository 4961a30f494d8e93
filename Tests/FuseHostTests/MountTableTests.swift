// SPDX-License-Identifier: Apache-2.0
//
// The kernel's table of mounts, and what is read from /proc about who uses one.

import TestSupport
import Testing

@testable import FuseHost

@Suite("mount table")
struct MountTableTests {
    private static let text = """
        22 27 0:21 / /proc rw,relatime - proc proc rw
        27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
        90 27 0:44 / /home/a\\040b/my\\011tab rw,nosuid - fuse.cairn cairn rw,user_id=0
        91 27 0:45 /sub /mnt/back\\134slash rw - fuse.cairn my\\040volume rw
        92 27 0:46 / /mnt/s rw shared:5 master:2 propagate_from:3 - fuse.sshfs host:/ rw
        93 27 8:17 / /mnt/blk rw - fuseblk /dev/sdb1 rw
        94 27 0:47 / /mnt/s rw - fuse.cairn cairn rw
        """

    private let table = MountTable(parsing: Array(text.utf8))

    @Test("escaped spaces, tabs and backslashes come out as they are")
    func undoesEscapes() {
        #expect(table.entries.map(\.path).contains("/home/a b/my\ttab"))
        #expect(table.mount(at: "/mnt/back\\slash")?.source == Array("my volume".utf8))
        #expect(table.mount(at: "/mnt/back\\slash")?.root == Array("/sub".utf8))
    }

    @Test("optional fields do not shift what comes after them")
    func skipsOptionalFields() throws {
        let entry = try #require(table.entries.first { $0.id == 92 })
        #expect(entry.type == Array("fuse.sshfs".utf8))
        #expect(entry.source == Array("host:/".utf8))
        #expect(entry.major == 0 && entry.minor == 46)
    }

    @Test("of two mounts at one place the later counts, and a last slash does not")
    func findsTheTopmost() {
        #expect(table.mount(at: "/mnt/s")?.id == 94)
        #expect(table.mount(at: "/mnt/s/")?.id == 94)
        #expect(table.mount(at: "/")?.id == 27)
        #expect(table.mount(at: "/mnt") == nil)
    }

    @Test("Cairn's mounts are told from others', and only FUSE has connections")
    func tellsTypes() {
        #expect(table.cairnMounts().map(\.id) == [90, 91, 94])
        #expect(table.entries.filter(\.isFuse).map(\.id) == [90, 91, 92, 93, 94])
        #expect(table.mount(at: "/proc")?.connection == nil)
        #expect(table.mount(at: "/mnt/blk")?.connection == nil)
        #expect(table.mount(at: "/mnt/s")?.connection?.number == 47)
    }

    @Test("mounts below a path are found, and names that only begin alike are not")
    func findsWhatIsBelow() {
        #expect(table.mounts(below: "/mnt").map(\.id) == [91, 92, 93, 94])
        #expect(table.mounts(below: "/mn").isEmpty)
        #expect(table.mounts(below: "/mnt/s").isEmpty)
    }

    @Test(
        "lines that are no mounts are left out",
        arguments: [
            "", "-", "1 2 3 4 5 6 7 8 9 10", "x 27 0:21 / /p rw - proc proc rw",
            "22 27 021 / /p rw - proc proc rw", "22 27 0:21 / /p rw shared:1 proc proc rw x",
            "22 27 0:4294967296 / /p rw - proc proc rw", "22 27 0:21 / /p rw - proc",
        ])
    func leavesOutNonsense(line: String) {
        #expect(MountTable(parsing: Array(line.utf8)).entries.isEmpty)
    }

    @Test("any bytes at all are read without harm", arguments: 0..<64)
    func survivesHostileText(seed: UInt64) {
        var numbers = SeededGenerator(seed: seed)
        var text = Array(Self.text.utf8)
        for _ in 0..<40 {
            let place = Int.random(in: 0..<text.count, using: &numbers)
            text[place] = UInt8.random(in: 0...255, using: &numbers)
        }
        _ = MountTable(parsing: text).entries.map(\.path)
    }

    @Test(
        "an incomplete escape stays as it is",
        arguments: [("\\04", "\\04"), ("a\\", "a\\"), ("\\999", "\\999"), ("\\040\\", " \\")])
    func keepsIncompleteEscapes(field: String, expected: String) {
        #expect(MountTable.unescaped(Array(field.utf8)[...]) == Array(expected.utf8))
    }

    @Test("the root of this machine is in its own table")
    func readsTheRealTable() {
        #expect(MountTable.current().mount(at: "/") != nil)
    }
}

@Suite("who keeps a mount busy")
struct BusyProcessTests {
    @Test("a path lies in a directory only if a whole component says so")
    func comparesComponents() {
        func isInside(_ path: String, _ directory: String) -> Bool {
            BusyProcess.isInside(Array(path.utf8), Array(directory.utf8))
        }
        #expect(isInside("/mnt/a", "/mnt/a"))
        #expect(isInside("/mnt/a/b", "/mnt/a"))
        #expect(isInside("/anything", "/"))
        #expect(!isInside("/mnt/ab", "/mnt/a"))
        #expect(!isInside("/mnt", "/mnt/a"))
    }

    @Test("a descriptor's mount is found among its other lines")
    func readsMountNumber() {
        let text = "pos:\t0\nflags:\t0100000\nmnt_id:\t24\nino:\t3\n"
        #expect(BusyProcess.mountID(inDescription: Array(text.utf8)) == 24)
        #expect(BusyProcess.mountID(inDescription: Array("mnt_id:\tx\n".utf8)) == nil)
        #expect(BusyProcess.mountID(inDescription: []) == nil)
    }

    @Test("a mapping counts by its device, and an anonymous one never")
    func readsMappings() {
        let text = """
            55d0-55d1 r--p 00000000 00:2c 1234                       /mnt/a b/program
            7f00-7f01 rw-p 00000000 00:00 0
            7f02-7f03 r--p 00000000 fe:00 99    /lib/x.so
            """
        let bytes = Array(text.utf8)
        #expect(BusyProcess.hasMapping(bytes, major: 0, minor: 0x2C))
        #expect(BusyProcess.hasMapping(bytes, major: 254, minor: 0))
        #expect(!BusyProcess.hasMapping(bytes, major: 0, minor: 0))
        #expect(!BusyProcess.hasMapping(bytes, major: 0, minor: 0x2D))
    }
}
