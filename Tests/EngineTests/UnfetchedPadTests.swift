// SPDX-License-Identifier: Apache-2.0
//
// Pads of which this machine has the name and not the content, because the store did not give it
// when their directory was loaded: nothing that is done to them may take it for empty, or lose it.

import Foundation
import Namespace
import Primitives
import Scratchpads
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite("pads whose content never came", .serialized)
struct UnfetchedPadTests {
    static let folder = "/scratchpads/"

    /// A volume that knows of the pads `a` and `b` by their names alone: the store gives none.
    private func volume(_ adjust: @escaping TestVolume.Adjustment = { _ in }) throws -> TestVolume {
        let volume = try TestVolume(on: TestStore(), adjust)
        for name in ["a", "b"] { try volume.writeFile(Self.folder + name, Array(name.utf8)) }
        try volume.recover()
        try withhold(volume)
        return volume
    }

    /// Loads the directory while the store gives no pad, and goes on giving none.
    private func withhold(_ volume: TestVolume) throws {
        let root = volume.keys.rootPad.address
        volume.memory.change { state in
            for address in state.pads.keys where address != root {
                state.padFaults[address] = .some(nil)
            }
        }
        _ = try volume.list("/scratchpads")
    }

    private func read(_ volume: TestVolume, _ name: String) throws -> String {
        String(decoding: try volume.readFile(Self.folder + name), as: UTF8.self)
    }

    private func address(_ volume: TestVolume, _ name: String) throws -> String {
        try volume.attribute("user.cairn.address", of: Self.folder + name)
    }

    private func rename(
        _ volume: TestVolume, to newName: String, _ mode: RenameMode = .replace
    ) throws {
        let parent = Engine.scratchpadsInode
        try volume.engine.rename(
            Array("a".utf8), in: parent, to: Array(newName.utf8), in: parent, mode, volume.context)
    }

    // SEMANTICS: A pad that the store cannot give is not renamed over another pad, to a temporary
    // name or where a removed pad's identity waits, nor exchanged with a pad: EIO.
    @Test("a pad takes no other identity before its content is here", arguments: ["b", "a~", "c"])
    func renamed(to newName: String) throws {
        let volume = try volume()
        let own = try (a: address(volume, "a"), b: address(volume, "b"))
        if newName == "c" {
            // Free, but with an identity that waits there.
            try volume.writeFile(Self.folder + "c", Array("c".utf8))
            try volume.unlink(Self.folder + "c")
        }
        #expect(throws: FileError.inputOutput) { try rename(volume, to: newName) }
        #expect(try address(volume, "a") == own.a && address(volume, "b") == own.b)
        volume.memory.heal()
        try rename(volume, to: newName)
        #expect(try read(volume, newName) == "a")
        if newName == "a~" { return }
        let taken = try address(volume, newName)
        #expect(newName == "b" ? taken == own.b : taken != own.a)
        try volume.recover()
        #expect(try read(volume, newName) == "a")
        #expect(try address(volume, newName) == taken)
    }

    @Test("pads are exchanged with their contents, or not at all")
    func exchanged() throws {
        let volume = try volume()
        let own = try (a: address(volume, "a"), b: address(volume, "b"))
        #expect(throws: FileError.inputOutput) { try rename(volume, to: "b", .exchange) }
        volume.memory.heal()
        try rename(volume, to: "b", .exchange)
        try volume.recover()
        #expect(try read(volume, "a") == "b" && read(volume, "b") == "a")
        #expect(try address(volume, "a") == own.a && address(volume, "b") == own.b)
    }

    @Test("a pad that keeps its identity is moved and removed without its content")
    func moved() throws {
        let volume = try volume()
        let own = try address(volume, "a")
        try rename(volume, to: "free")
        try volume.unlink(Self.folder + "b")
        #expect(throws: FileError.inputOutput) { try read(volume, "free") }
        volume.memory.heal()
        #expect(try read(volume, "free") == "a")
        try volume.recover()
        #expect(try volume.list("/scratchpads") == ["free"])
        #expect(try read(volume, "free") == "a" && address(volume, "free") == own)
    }

    @Test("a pad that a page has as empty is not taken for empty")
    func emptyOnPage() throws {
        let volume = try TestVolume(on: TestStore()) {
            ($0.publishDelay, $0.publishCeiling) = (.seconds(600), .seconds(600))
        }
        try volume.writeFile(Self.folder + "a", [])
        try volume.publish()
        try volume.writeFile(Self.folder + "a", Array("text".utf8))
        try #require(eventually { volume.engine.engineStatus().pendingPads == 0 })
        // This machine is lost before it publishes.
        try volume.forgetEverything()
        try withhold(volume)
        #expect(throws: FileError.inputOutput) { try read(volume, "a") }
        volume.memory.heal()
        #expect(try read(volume, "a") == "text")
        #expect(try volume.status(Self.folder + "a").size == 4)
        try volume.recover()
        #expect(try read(volume, "a") == "text")
    }

    @Test("the kernel hears of the size that a pad has when its content comes")
    func sizeIsTold() throws {
        let volume = try TestVolume(on: TestStore()) {
            ($0.publishDelay, $0.publishCeiling) = (.seconds(600), .seconds(600))
        }
        try volume.writeFile(Self.folder + "a", [])
        try volume.publish()
        try volume.writeFile(Self.folder + "a", Array("text".utf8))
        try #require(eventually { volume.engine.engineStatus().pendingPads == 0 })
        try volume.forgetEverything()
        try withhold(volume)
        let ino = try volume.resolve(Self.folder + "a")
        let told = Lock<[UInt64]>([])
        volume.engine.setInvalidation { invalidation in
            if case .attributes(let ino) = invalidation { told.withLock { $0.append(ino) } }
        }
        volume.memory.heal()
        #expect(try read(volume, "a") == "text")
        #expect(told.withLock { $0 } == [ino])
    }

    @Test("a pad that was emptied before its content came is empty after a crash too")
    func emptied() throws {
        let volume = try volume { $0.padDelay = .seconds(600) }
        try volume.writeFile(Self.folder + "a", [], truncates: true)
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.crash()
        volume.memory.heal()
        #expect(try read(volume, "a") == "")
        try volume.recover()
        #expect(try read(volume, "a") == "" && read(volume, "b") == "b")
        #expect(try volume.attribute("user.cairn.counter", of: Self.folder + "a") == "2")
    }

    @Test("a file that takes the name of a pad nobody could read is what is there, after a crash")
    func takenOver() throws {
        let volume = try volume { $0.padDelay = .seconds(600) }
        let own = try address(volume, "b")
        try volume.writeFile(Self.folder + "b.tmp", [])
        try volume.rename(Self.folder + "b.tmp", Self.folder + "b")
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.crash()
        volume.memory.heal()
        try volume.recover()
        #expect(try read(volume, "b") == "" && address(volume, "b") == own)
    }

    @Test("an encoding is set on what is here, and not lost when the content comes")
    func encoding() throws {
        let volume = try volume()
        let ino = try volume.resolve(Self.folder + "a")
        func set() throws {
            try volume.engine.setExtendedAttribute(
                Array("user.cairn.encoding".utf8), of: ino, to: Array("42".utf8), .any,
                volume.context)
        }
        #expect(throws: FileError.inputOutput) { try set() }
        volume.memory.heal()
        try set()
        #expect(try read(volume, "a") == "a")
        try volume.recover()
        #expect(try volume.attribute("user.cairn.encoding", of: Self.folder + "a") == "42")
        #expect(try read(volume, "a") == "a")
    }

    @Test("content that comes late is not given to a file that lost its identity meanwhile")
    func comesLate() throws {
        let volume = try volume()
        let store = volume.memory
        let own = try address(volume, "a")
        let old = try volume.resolve(Self.folder + "a")
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        store.heal()
        store.hang(true)
        let (engine, context) = (volume.engine, volume.context)
        let outcome = Lock<Result<OpenedFile, FileError>?>(nil)
        Thread {
            let result = Result { () throws(FileError) in
                try engine.open(old, OpenIntent(reads: true, writes: false), context)
            }
            outcome.withLock { $0 = result }
        }.start()
        try #require(eventually { store.waiting.load(ordering: .relaxed) > 0 })
        try volume.unlink(Self.folder + "a")
        try volume.writeFile(Self.folder + "a", Array("new".utf8))
        #expect(try address(volume, "a") == own)
        store.hang(false)
        try #require(eventually { outcome.withLock { $0 != nil } })
        #expect(try engine.pad(old) == nil, "the identity has one file")
        if case .success(let file)? = outcome.withLock({ $0 }) {
            engine.release(file.handle, ino: old)
        }
        try volume.recover()
        #expect(try read(volume, "a") == "new" && address(volume, "a") == own)
    }
}
