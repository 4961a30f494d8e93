// SPDX-License-Identifier: Apache-2.0
//
// Scratchpads as editors use them: a save is one counter bump at the same address, whatever dance
// of names it takes; and what happens when the store, or another machine, is in the way.

import Engine
import Namespace
import Scratchpads
import Stores
import TestSupport
import Testing

@Suite("scratchpads", .serialized)
struct PadTests {
    /// A volume with `/scratchpads/note`, which has been saved and sent once.
    private func noted() throws -> (TestVolume, address: String) {
        let volume = try TestVolume(on: TestStore())
        try volume.writeFile("/scratchpads/note", Array("one".utf8))
        try volume.publish()
        return (volume, try volume.attribute("user.cairn.address", of: "/scratchpads/note"))
    }

    private func counter(_ volume: TestVolume, _ name: String = "note") throws -> String {
        try volume.attribute("user.cairn.counter", of: "/scratchpads/" + name)
    }

    private func save(_ volume: TestVolume, _ name: String, _ text: String) throws {
        try volume.writeFile("/scratchpads/" + name, Array(text.utf8), truncates: true)
    }

    private func read(_ volume: TestVolume, _ name: String = "note") throws -> String {
        String(decoding: try volume.readFile("/scratchpads/" + name), as: UTF8.self)
    }

    private func fsync(_ volume: TestVolume, _ name: String) throws {
        try volume.engine.synchronize(
            try volume.resolve("/scratchpads/" + name), dataOnly: false)
    }

    // MARK: Editors

    enum Editor: String, CaseIterable {
        case inPlace, append, vimCopy, vimRename, vimBackup, sed, emacs, temporary, gnome, move
    }

    /// What each program does to save `text` in the file `note`.
    private func save(_ editor: Editor, _ volume: TestVolume, _ text: String) throws {
        let path = "/scratchpads/"
        switch editor {
        case .inPlace: try save(volume, "note", text)
        case .append:
            let old = try volume.readFile(path + "note")
            try volume.writeFile(
                path + "note", Array(text.utf8.dropFirst(old.count)), at: UInt64(old.count))
        case .vimCopy:
            // backupcopy=yes: a copy is the backup, the file is written over.
            try save(volume, ".note.swp", "swap")
            try save(volume, "note~", try read(volume))
            try save(volume, "note", text)
            try fsync(volume, "note")
            try volume.unlink(path + "note~")
            try volume.unlink(path + ".note.swp")
        case .vimRename:
            // backupcopy=no: the file becomes the backup, a new one is made.
            try save(volume, ".note.swp", "swap")
            try save(volume, "4913", "")
            try volume.unlink(path + "4913")
            try volume.rename(path + "note", path + "note~")
            try save(volume, "note", text)
            try fsync(volume, "note")
            try volume.unlink(path + "note~")
            try volume.unlink(path + ".note.swp")
        case .vimBackup:
            // The backup stays.
            try volume.rename(path + "note", path + "note~")
            try save(volume, "note", text)
        case .sed:
            try save(volume, "sedAb12Cd", text)
            try volume.rename(path + "sedAb12Cd", path + "note")
        case .emacs:
            try save(volume, "#note#", text)
            let (parent, _) = try volume.split(path + "note")
            let lock = try volume.engine.makeSymlink(
                Array(".#note".utf8), in: parent, target: Array("user@host.1".utf8),
                volume.context)
            volume.engine.forget(lock.ino, count: 1)
            try volume.rename(path + "note", path + "note~")
            try save(volume, "note", text)
            try volume.unlink(path + ".#note")
            try volume.unlink(path + "#note#")
        case .temporary:
            try save(volume, "note.tmp", text)
            try fsync(volume, "note.tmp")
            try volume.rename(path + "note.tmp", path + "note")
        case .gnome:
            try save(volume, ".goutputstream-ABC123", text)
            try volume.rename(path + ".goutputstream-ABC123", path + "note")
        case .move:
            try save(volume, "draft", text)
            try volume.rename(path + "draft", path + "note")
        }
    }

    // SEMANTICS: Address and counter belong to the name: a file renamed over a pad takes them, and
    // its own end.
    @Test("a save is one bump at the same address", arguments: Editor.allCases)
    func saves(_ editor: Editor) throws {
        let (volume, address) = try noted()
        for (number, text) in ["one, two", "one, two, three", "one, two, three, four"].enumerated()
        {
            try save(editor, volume, text)
            try volume.publish()
            #expect(try read(volume) == text)
            #expect(try counter(volume) == "\(number + 2)")
            #expect(try volume.attribute("user.cairn.address", of: "/scratchpads/note") == address)
        }
        // Saved once more with nothing changed.
        try save(editor, volume, "one, two, three, four")
        try volume.publish()
        #expect(try counter(volume) == "4")
        expectNoStrangers(volume, address, mayHaveDraft: editor == .move)
        try volume.recover()
        #expect(try read(volume) == "one, two, three, four")
        #expect(try counter(volume) == "4")
        #expect(try volume.attribute("user.cairn.address", of: "/scratchpads/note") == address)
    }

    /// Nothing but the note (and the root) ever reached the store.
    private func expectNoStrangers(_ volume: TestVolume, _ address: String, mayHaveDraft: Bool) {
        let root = volume.keys.rootPad.address
        let pads = volume.memory.pads.keys.filter { $0 != root && $0.hex != address }
        #expect(mayHaveDraft || pads.isEmpty)
        let counters = volume.memory.change { $0.accepted }
            .filter { $0.address.hex == address }.map { $0.counter }
        #expect(counters == [1, 2, 3, 4])
    }

    // SEMANTICS: A pad renamed to a temporary name, or removed, leaves them at its old name for 30
    // seconds: a file that is made there, or renamed to it, takes them.
    @Test("the identity of a pad that goes away waits for its name", arguments: [false, true])
    func deletedAndMadeAgain(crashes: Bool) throws {
        let (volume, address) = try noted()
        try volume.unlink("/scratchpads/note")
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        if crashes { try volume.crash() }
        try save(volume, "note", "again")
        try volume.publish()
        #expect(try counter(volume) == "2")
        #expect(try volume.attribute("user.cairn.address", of: "/scratchpads/note") == address)
    }

    @Test("swapped pads swap their contents, not their addresses")
    func exchanged() throws {
        let (volume, address) = try noted()
        try save(volume, "other", "other")
        try volume.publish()
        let otherAddress = try volume.attribute("user.cairn.address", of: "/scratchpads/other")
        let parent = Engine.scratchpadsInode
        try volume.engine.rename(
            Array("note".utf8), in: parent, to: Array("other".utf8), in: parent, .exchange,
            volume.context)
        try volume.recover()
        #expect(try read(volume, "note") == "other")
        #expect(try read(volume, "other") == "one")
        #expect(try volume.attribute("user.cairn.address", of: "/scratchpads/note") == address)
        #expect(
            try volume.attribute("user.cairn.address", of: "/scratchpads/other") == otherAddress)
        #expect(try counter(volume, "note") == "2" && counter(volume, "other") == "2")
    }

    @Test("a pad has a limit, and it is told at the write")
    func limit() throws {
        let (volume, _) = try noted()
        let limit = WriteCapability.maximumPlaintextSize
        try volume.writeFile("/scratchpads/note", pattern(limit, seed: 1), truncates: true)
        #expect(throws: FileError.tooLarge) {
            try volume.writeFile("/scratchpads/note", [1], at: UInt64(limit))
        }
        #expect(throws: FileError.tooLarge) {
            var change = AttributeChange()
            change.size = UInt64(limit) + 1
            _ = try volume.engine.setAttributes(
                of: try volume.resolve("/scratchpads/note"), change, volume.context)
        }
        try volume.recover()
        #expect(same(try volume.readFile("/scratchpads/note"), pattern(limit, seed: 1)))
        #expect(try counter(volume) == "2")
    }

    @Test("the encoding can be set, and is part of what is signed")
    func encoding() throws {
        let (volume, _) = try noted()
        let ino = try volume.resolve("/scratchpads/note")
        let name = Array("user.cairn.encoding".utf8)
        for _ in 0..<2 {
            try volume.engine.setExtendedAttribute(
                name, of: ino, to: Array("42".utf8), .any, volume.context)
            try volume.publish()
            #expect(try counter(volume) == "2")
        }
        #expect(throws: FileError.invalid) {
            try volume.engine.setExtendedAttribute(
                name, of: ino, to: Array("many".utf8), .any, volume.context)
        }
        try volume.recover()
        #expect(try volume.attribute("user.cairn.encoding", of: "/scratchpads/note") == "42")
        #expect(try read(volume) == "one")
    }

    @Test("pads and files do not become each other")
    func borders() throws {
        let (volume, _) = try noted()
        try volume.writeFile("/files/a", [1])
        #expect(throws: FileError.crossDevice) {
            try volume.rename("/files/a", "/scratchpads/a")
        }
        #expect(throws: FileError.crossDevice) {
            try volume.rename("/scratchpads/note", "/files/note")
        }
        #expect(throws: FileError.notPermitted) {
            try volume.engine.link(
                try volume.resolve("/scratchpads/note"), as: Array("second".utf8),
                in: Engine.scratchpadsInode, volume.context)
        }
    }

    // MARK: Failures

    @Test("a save that was synced and not yet sealed is sent after a crash")
    func unsealedCrash() throws {
        let volume = try TestVolume(on: TestStore()) { $0.padDelay = .seconds(1) }
        try save(volume, "note", "one")
        try volume.publish()
        try save(volume, "note", "two")
        try fsync(volume, "note")
        try volume.crash()
        try volume.recover()
        #expect(try read(volume) == "two")
        #expect(try counter(volume) == "2")
    }

    @Test("a save that came while an older one waited for the store is sent after it")
    func saveBehindAnother() throws {
        let (volume, _) = try noted()
        let root = volume.keys.rootPad.address
        volume.memory.change { state in
            state.padFailure = .unreachable(retryAfter: nil)
            state.padFailureSpares = root
        }
        for text in ["two", "three"] {
            try save(volume, "note", text)
            // Written back, the inode leaves memory; then the record is tried, and fails.
            try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
            #expect(
                volume.engine.synchronizeRemotely(timeout: .milliseconds(300))
                    != .published(revision: 0))
        }
        volume.memory.heal()
        try volume.recover()
        #expect(try read(volume) == "three")
        #expect(try counter(volume) == "3")
    }

    @Test("a pad that changes places with what is no pad keeps its identity")
    func exchangedWithOthers() throws {
        let (volume, address) = try noted()
        try volume.makeDirectory("/scratchpads/folder")
        try exchange(volume, "note", "folder")
        #expect(try volume.attribute("user.cairn.address", of: "/scratchpads/folder") == address)
        try volume.recover()
        #expect(try volume.list("/scratchpads/note") == [])
        #expect(try read(volume, "folder") == "one")
        #expect(try counter(volume, "folder") == "1")
        #expect(try volume.attribute("user.cairn.address", of: "/scratchpads/folder") == address)
    }

    @Test("an identity that was taken up again is not given a second time after a crash")
    func takenOnce() throws {
        let (volume, address) = try noted()
        try volume.unlink("/scratchpads/note")
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try save(volume, "note", "two")
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.crash()
        try volume.rename("/scratchpads/note", "/scratchpads/moved")
        try save(volume, "note", "another")
        #expect(try volume.attribute("user.cairn.address", of: "/scratchpads/moved") == address)
        #expect(try volume.attribute("user.cairn.address", of: "/scratchpads/note") != address)
    }

    private func exchange(_ volume: TestVolume, _ one: String, _ other: String) throws {
        let parent = Engine.scratchpadsInode
        try volume.engine.rename(
            Array(one.utf8), in: parent, to: Array(other.utf8), in: parent, .exchange,
            volume.context)
    }

    @Test("a page never names a counter that the store does not have", arguments: [false, true])
    func unacknowledged(renames: Bool) throws {
        let volume = try TestVolume(on: TestStore()) { $0.publishCeiling = .milliseconds(400) }
        let store = volume.memory
        try save(volume, "note", "one")
        try volume.publish()
        let root = volume.keys.rootPad.address
        store.change { state in
            state.padFailure = .unreachable(retryAfter: nil)
            state.padFailureSpares = root
        }
        let revision = volume.engine.engineStatus().revision
        for text in ["two", "three"] {
            if renames { try volume.rename("/scratchpads/note", "/scratchpads/note~") }
            try save(volume, "note", text)
            #expect(
                volume.engine.synchronizeRemotely(timeout: .milliseconds(300))
                    != .published(revision: 0))
        }
        try volume.writeFile("/files/a", [1])
        #expect(eventually { volume.engine.engineStatus().revision > revision })
        volume.stop()
        store.heal()
        // The machine is lost now: what the store has must open.
        try volume.forgetEverything()
        #expect(try read(volume) == "one")
        #expect(try counter(volume) == "1")
    }

    // SEMANTICS: If another machine wrote a pad, its content is kept beside it as `NAME (conflict
    // SECONDS)`, and `.cairn/conflicts` lists both; this machine's content then gets a higher
    // counter.
    @Test("two machines that write one pad lose nobody's words")
    func twoMachines() throws {
        let (first, address) = try noted()
        let second = try TestVolume(on: first.memory, seed: first.seed, mode: .recover)
        #expect(try read(second) == "one")
        try save(first, "note", "first machine")
        try first.publish()
        try save(second, "note", "second machine")
        #expect(try eventually { try second.list("/scratchpads").count == 2 })
        #expect(eventually { second.engine.engineStatus().pendingPads == 0 })
        #expect(try read(second) == "second machine")
        let other = try #require(try second.list("/scratchpads").first { $0 != "note" })
        #expect(try read(second, other) == "first machine")
        #expect(try second.report("conflicts").contains(other))
        #expect(try counter(second) == "3")
        #expect(second.memory.pads.first { $0.key.hex == address }?.value.counter == 3)
    }
}
