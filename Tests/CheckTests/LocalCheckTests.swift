// SPDX-License-Identifier: Apache-2.0
//
// Damage of each kind on this machine is found, with its path.

import Blocks
import Check
import Metadata
import Testing

@Suite("check of this machine")
struct LocalCheckTests {
    @Test("a sound volume, with bytes that are nowhere else, gives no line")
    func sound() throws {
        #expect(try CheckedVolume().check().map(\.line) == [])
    }

    @Test("a volume that was just recovered gives no line")
    func fresh() throws {
        let volume = try CheckedVolume(isFresh: true)
        #expect(try volume.check().map(\.line) == [])
        // One directory looked into, the others not: names of the hard link are still unknown.
        try volume.running { engine in _ = try volume.read("files/dir/first", engine) }
        #expect(try volume.check().map(\.line) == [])
    }

    // SEMANTICS: `cairn check` finds every row that contradicts another, and every block, journal
    // row, small file and pad of this machine that does not open; the volume is not mounted
    // meanwhile. It changes nothing.
    @Test(
        "damage is found, and its path named",
        arguments: Damage.names + Damage.content + Damage.blocks)
    func found(_ damage: Damage) throws {
        let volume = try CheckedVolume()
        let place = try damage.make(volume)
        let found = try volume.check()
        #expect(
            found.contains { $0.place == place && damage.isFound($0.problem) },
            "\(found.map(\.line))")
    }

    @Test("a damaged copy of what the store has is forgotten, and read from there")
    func forgets() throws {
        let volume = try CheckedVolume()
        let slot = try volume.block(of: "files/big.bin").0.slot
        try volume.flip(volume.arena, at: volume.offset(of: slot) + 100)
        #expect(try volume.check().map { $0.remedy } == [.forgettable])
        #expect(try volume.check(repairs: true).map { $0.remedy } == [.forgotten])
        #expect(try volume.check().map(\.line) == [])
        try volume.running { engine in
            let bytes = try volume.read("files/big.bin", engine)
            #expect(bytes == CheckedVolume.contents["files/big.bin"])
        }
    }

    @Test("a damaged block that is nowhere else is never forgotten")
    func keepsDirty() throws {
        let volume = try CheckedVolume()
        let slot = try volume.block(of: "files/unsent.bin").0.slot
        try volume.flip(volume.arena, at: volume.offset(of: slot) + 100)
        #expect(try volume.check(repairs: true).map { $0.remedy } == [.lostHere])
        #expect(try volume.check().map { $0.remedy } == [.lostHere])
    }

    @Test("what a small commit left in the journal is opened too, and its damage named")
    func journal() throws {
        let volume = try CheckedVolume()
        try volume.leaveJournal(in: "files/big.bin")
        #expect(try volume.journalRows().count > 0)
        #expect(try volume.check().map(\.line) == [])
        let row = try #require(try volume.journalRows().first)
        try volume.setJournal(row) { $0[$0.count - 1] ^= 1 }
        #expect(try volume.check().map { $0.problem } == [.journal])
        #expect(try volume.check().map { $0.place } == [path("files/big.bin")])
        try volume.setJournal(row) { $0 = row.bytes }
        #expect(try volume.check() == [])
    }

    @Test("a damaged copy below the journal is never forgotten")
    func belowJournal() throws {
        let volume = try CheckedVolume()
        try volume.leaveJournal(in: "files/big.bin")
        let slot = try volume.block(of: "files/big.bin").0.slot
        try volume.flip(volume.arena, at: volume.offset(of: slot) + 100)
        #expect(try volume.check(repairs: true).map { $0.remedy } == [.lostHere])
        #expect(try volume.block(of: "files/big.bin").0.slot == slot)
    }

    @Test("a path is printed so that a terminal does nothing but show it")
    func printable() {
        let place = Finding.Place.path(bytes("files/a\u{1B}[2J\nb\u{202E}é"))
        #expect(place.text == "files/a\\x1b[2J\\x0ab\\xe2\\x80\\xaeé")
        #expect(Finding.Place.path([0x66, 0xFF, 0x0A]).text == "f\\xff\\x0a")
    }
}
