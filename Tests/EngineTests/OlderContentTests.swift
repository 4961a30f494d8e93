// SPDX-License-Identifier: Apache-2.0
//
// What a revision has at names whose new content is not stored yet, as a machine sees it that has
// nothing but the store; and that the next revision has the new content there.

import Foundation
import Metadata
import Namespace
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite("a revision with names whose content is not stored yet", .serialized)
struct OlderContentTests {
    private static let small = Array("small".utf8)
    private static let large = pattern(100_000, seed: 1)
    private static let fresh = pattern(120_000, seed: 2)

    private struct NotPublished: Error {}

    /// A volume that publishes soon, and stores no file in blocks before it is asked to.
    private func volume() throws -> TestVolume {
        try TestVolume(on: TestStore()) {
            $0.flushDelay = .seconds(600)
            $0.publishCeiling = .milliseconds(200)
        }
    }

    /// Publishes what `before` makes, lets a revision pass what `change` does, and compares what
    /// the store has then; nil is for a name that is not there. The store gets the rest in the end.
    private func check(
        _ expected: [String: [UInt8]?], after before: (TestVolume) throws -> Void,
        _ change: (TestVolume) throws -> Void
    ) throws {
        let volume = try volume()
        try before(volume)
        try volume.publish()
        try change(volume)
        try passChanges(volume)
        try compare(volume, expected)
        // A revision that finds the stand-ins in the one before.
        try passChanges(volume)
        try compare(volume, expected)

        let known = try expected.keys.sorted().map { ($0, try content($0, volume)) }
        try volume.recover()
        for (path, bytes) in known {
            #expect(try same(content(path, volume), bytes), "\(path) in the end")
        }
    }

    private func compare(_ volume: TestVolume, _ expected: [String: [UInt8]?]) throws {
        let other = try TestVolume(on: volume.memory, seed: volume.seed, mode: .recover)
        defer { other.stop() }
        for (path, bytes) in expected {
            #expect(try same(content(path, other), bytes), "\(path) on the store")
        }
        #expect(try volume.report("errors").isEmpty)
    }

    private func same(_ one: [UInt8]?, _ other: [UInt8]?) -> Bool { one == other }

    private func content(_ path: String, _ volume: TestVolume) throws -> [UInt8]? {
        do throws(FileError) {
            return try volume.readFile(path)
        } catch {
            guard error == .notFound else { throw error }
            return nil
        }
    }

    /// Waits for a revision that was begun after the changes: the second one that follows them.
    private func passChanges(_ volume: TestVolume) throws {
        for _ in 0..<2 {
            let revision = volume.engine.engineStatus().revision
            try volume.writeFile("/files/marker", Array("\(revision)".utf8))
            guard eventually({ volume.engine.engineStatus().revision > revision }) else {
                throw NotPublished()
            }
        }
    }

    private func rename(
        _ volume: TestVolume, _ from: String, _ to: String, _ mode: RenameMode = .replace
    ) throws {
        let (parent, name) = try volume.split(from)
        let (newParent, newName) = try volume.split(to)
        try volume.engine.rename(
            name, in: parent, to: newName, in: newParent, mode, volume.context)
    }

    private func link(_ volume: TestVolume, _ path: String, _ new: String) throws {
        let (parent, name) = try volume.split(new)
        let status = try volume.engine.link(
            try volume.resolve(path), as: name, in: parent, volume.context)
        volume.engine.forget(status.ino, count: 1)
    }

    private func makeFolder(_ volume: TestVolume, _ path: String) throws {
        let (parent, name) = try volume.split(path)
        let status = try volume.engine.makeDirectory(
            name, in: parent, mode: 0o755, volume.context)
        volume.engine.forget(status.ino, count: 1)
    }

    private static func write(
        _ path: String, _ bytes: [UInt8]
    ) -> (TestVolume) throws -> Void {
        { try $0.writeFile(path, bytes, truncates: true) }
    }

    @Test("a file that outgrew its folder's page has its old content", arguments: [true, false])
    func grown(isEmpty: Bool) throws {
        let old = isEmpty ? [] : Self.small
        try check(["/files/f": old], after: Self.write("/files/f", old)) {
            try $0.writeFile("/files/f", Self.fresh)
        }
    }

    @Test("a file emptied and written anew has its old content")
    func rewritten() throws {
        try check(
            ["/files/f": Self.large], after: Self.write("/files/f", Self.large),
            Self.write("/files/f", Self.fresh))
    }

    // SEMANTICS: A name whose new content is not flushed yet has in a revision what it had in the
    // one before, also after a rename over it.
    @Test("a file that another was renamed over has its old content", arguments: [true, false])
    func saved(isLarge: Bool) throws {
        let old = isLarge ? Self.large : Self.small
        try check(["/files/f": old, "/files/t": nil], after: Self.write("/files/f", old)) {
            try $0.writeFile("/files/t", Self.fresh)
            try rename($0, "/files/t", "/files/f")
        }
    }

    @Test("a published file that grew and was renamed over another leaves the other's content")
    func movedOver() throws {
        try check(["/files/f": Self.large, "/files/t": nil]) {
            try $0.writeFile("/files/f", Self.large)
            try $0.writeFile("/files/t", Self.small)
        } _: {
            try $0.writeFile("/files/t", Self.fresh)
            try rename($0, "/files/t", "/files/f")
        }
    }

    @Test("a file saved after its old one became a backup is there, and the backup too")
    func backup() throws {
        try check(
            ["/files/f": Self.large, "/files/f~": Self.large],
            after: Self.write("/files/f", Self.large)
        ) {
            try rename($0, "/files/f", "/files/f~")
            try $0.writeFile("/files/f", Self.fresh)
        }
    }

    @Test("files that changed places are both there")
    func exchanged() throws {
        try check(
            ["/files/f": Self.small, "/files/t": Self.small],
            after: Self.write("/files/f", Self.small)
        ) {
            try $0.writeFile("/files/t", Self.fresh)
            try rename($0, "/files/t", "/files/f", .exchange)
        }
    }

    @Test("a file that grew and was moved has its old content at the new name, and only there")
    func moved() throws {
        try check(
            ["/files/f": nil, "/files/d/g": Self.small], after: Self.write("/files/f", Self.small)
        ) {
            try $0.writeFile("/files/f", Self.fresh)
            try makeFolder($0, "/files/d")
            try rename($0, "/files/f", "/files/d/g")
        }
    }

    @Test("a file that grew in a folder that was moved has its old content there")
    func movedFolder() throws {
        try check(["/files/d/f": nil, "/files/e/f": Self.small]) {
            try makeFolder($0, "/files/d")
            try $0.writeFile("/files/d/f", Self.small)
        } _: {
            try $0.writeFile("/files/d/f", Self.fresh)
            try rename($0, "/files/d", "/files/e")
        }
    }

    // SEMANTICS: A file of which nothing is flushed has, when it was moved, its older content
    // under the new name, also if the folder that it came from was removed.
    @Test("a file that grew and was moved out of folders that are then removed has its old content")
    func movedOutOfRemoved() throws {
        try check(["/files/g": Self.small, "/files/h": Self.large, "/files/d": nil]) {
            try makeFolder($0, "/files/d")
            try makeFolder($0, "/files/d/e")
            try $0.writeFile("/files/d/f", Self.small)
            try $0.writeFile("/files/d/e/f", Self.large)
        } _: {
            try $0.writeFile("/files/d/f", Self.fresh)
            try $0.writeFile("/files/d/e/f", Self.fresh, truncates: true)
            try rename($0, "/files/d/f", "/files/g")
            try rename($0, "/files/d/e/f", "/files/h")
            try remove($0, "/files/d/e")
            try remove($0, "/files/d")
            // The folders' numbers are gone for good, also after a start from the disk.
            try $0.restart()
        }
    }

    private func remove(_ volume: TestVolume, _ folder: String) throws {
        let (parent, name) = try volume.split(folder)
        try volume.engine.removeDirectory(name, in: parent, volume.context)
    }

    @Test("nothing is left of a removed folder's pages when what went out of it is published")
    func removedFolderIsForgotten() throws {
        let volume = try volume()
        try makeFolder(volume, "/files/d")
        try volume.writeFile("/files/d/f", Self.small)
        try volume.publish()
        try volume.writeFile("/files/d/f", Self.fresh)
        try rename(volume, "/files/d/f", "/files/g")
        let folder = try volume.resolve("/files/d")
        try remove(volume, "/files/d")
        func leaves() throws(FileError) -> Int {
            try volume.engine.volume.query { (reader) throws(MetadataError) in
                try reader.leaves(folder).count
            }
        }
        #expect(try leaves() == 1)
        try passChanges(volume)
        #expect(try leaves() == 0)
    }

    // SEMANTICS: A file that is renamed over another, or exchanged with it, before all of it is
    // flushed leaves at that name what the other had until it is.
    @Test(
        "a half stored file that was renamed over another leaves the other's content",
        arguments: [RenameMode.replace, .exchange], [false, true])
    func halfStored(mode: RenameMode, isLinked: Bool) throws {
        var expected: [String: [UInt8]?] = ["/files/f": Self.large]
        if isLinked && mode == .replace { expected["/files/u"] = Self.large }
        try check(expected, after: Self.write("/files/f", Self.large)) {
            try $0.writeFile("/files/t", Self.fresh)
            try storeAll($0)
            if isLinked { try link($0, "/files/t", "/files/u") }
            try $0.writeFile("/files/t", Self.small, at: 50_000)
            try rename($0, "/files/t", "/files/f", mode)
        }
    }

    @Test("a file that is stored whole shows what it has when it is renamed over another")
    func wholeStored() throws {
        try check(
            ["/files/f": Self.fresh, "/files/t": nil], after: Self.write("/files/f", Self.large)
        ) {
            try $0.writeFile("/files/t", Self.fresh)
            try storeAll($0)
            try rename($0, "/files/t", "/files/f")
        }
    }

    @Test("a flush that began before the rename is not shown under the new name")
    func flushedDuringRename() throws {
        try check(
            ["/files/f": Self.large, "/files/t": nil], after: Self.write("/files/f", Self.large)
        ) { volume in
            try volume.writeFile("/files/t", Self.fresh)
            let ino = try volume.resolve("/files/t")
            volume.memory.hang(true)
            defer { volume.memory.hang(false) }
            volume.engine.flusher.flushNow()
            // It has read what it stores: what comes now is not in it.
            try #require(
                eventually {
                    volume.engine.flusher.state(of: ino) == .flushing
                        && volume.memory.waiting.load(ordering: .relaxed) > 0
                })
            try volume.writeFile("/files/t", Self.small, at: 50_000)
            try rename(volume, "/files/t", "/files/f")
            volume.memory.hang(false)
            try #require(eventually { volume.engine.flusher.state(of: ino) == .dirty })
        }
    }

    /// Everything is stored; nothing is published for it.
    private func storeAll(_ volume: TestVolume) throws {
        let failure = volume.engine.flusher.flushAll(until: .now + .seconds(30).scaled)
        #expect(failure == nil)
    }

    @Test("a linked file that grew has its old content at each name", arguments: [true, false])
    func linked(isEarly: Bool) throws {
        try check(["/files/f": Self.small, "/files/g": Self.small]) {
            try $0.writeFile("/files/f", Self.small)
            if isEarly { try link($0, "/files/f", "/files/g") }
        } _: {
            try $0.writeFile("/files/f", Self.fresh)
            if !isEarly { try link($0, "/files/f", "/files/g") }
        }
    }

    @Test("a file that a linked one was renamed over has its old content")
    func linkedOver() throws {
        try check(["/files/f": Self.small], after: Self.write("/files/f", Self.small)) {
            try $0.writeFile("/files/t", Self.fresh)
            try link($0, "/files/t", "/files/u")
            try rename($0, "/files/t", "/files/f")
        }
    }

    @Test("a name of a linked file that another was renamed over has its old content")
    func overLinked() throws {
        try check(["/files/f": Self.small, "/files/g": Self.small]) {
            try $0.writeFile("/files/f", Self.small)
            try link($0, "/files/f", "/files/g")
        } _: {
            try $0.writeFile("/files/t", Self.fresh)
            try rename($0, "/files/t", "/files/f")
        }
    }

    /// A file of which the newest bytes are not stored, and what it has then.
    private func makeHalfStored(_ path: String, _ volume: TestVolume) throws -> [UInt8] {
        try volume.writeFile(path, Self.fresh)
        try storeAll(volume)
        try volume.writeFile(path, Self.small, at: 50_000)
        var bytes = Self.fresh
        bytes.replaceSubrange(50_000..<50_000 + Self.small.count, with: Self.small)
        return bytes
    }

    private func copy(_ source: String, _ target: String, _ volume: TestVolume) throws {
        try volume.writeFile(target, [], truncates: true)
        try volume.copyRange(source, target, from: 0, count: UInt64(Self.fresh.count))
    }

    // SEMANTICS: A file that was never flushed, at a name that was free, is in no revision yet.
    // SEMANTICS: A name whose new content is not flushed yet has in a revision what it had in the
    // one before, also after a rename over it.
    @Test(
        "a copy of a half stored file is not there as the file once was", arguments: [false, true])
    func copied(isRestarted: Bool) throws {
        let expected: [String: [UInt8]?] = [
            "/files/t": Self.fresh, "/files/n": nil, "/files/f": Self.large,
            "/files/g": Self.large, "/files/l": Self.large,
        ]
        try check(expected) {
            for name in ["f", "g"] { try $0.writeFile("/files/" + name, Self.large) }
        } _: { volume in
            let bytes = try makeHalfStored("/files/t", volume)
            try volume.unlink("/files/g")
            for name in ["n", "f", "g"] { try copy("/files/t", "/files/" + name, volume) }
            try link(volume, "/files/g", "/files/l")
            if isRestarted { try volume.restart() }
            for name in ["t", "n", "f", "g"] {
                #expect(try same(content("/files/" + name, volume), bytes))
            }
        }
    }

    @Test("a copy is there as soon as it is stored, and a copy of what is stored is at once")
    func storedCopy() throws {
        let volume = try volume()
        let bytes = try makeHalfStored("/files/t", volume)
        try copy("/files/t", "/files/n", volume)
        try storeAll(volume)
        try copy("/files/n", "/files/m", volume)
        try passChanges(volume)
        try compare(volume, ["/files/t": bytes, "/files/n": bytes, "/files/m": bytes])
    }

    // SEMANTICS: A file that was never flushed, at a name that was free, is in no revision yet.
    @Test("a file that is new is not there yet, and one that was removed is not there any more")
    func newAndRemoved() throws {
        try check(
            ["/files/f": nil, "/files/n": nil], after: Self.write("/files/f", Self.small)
        ) {
            try $0.writeFile("/files/n", Self.fresh)
            try $0.writeFile("/files/f", Self.fresh)
            let (parent, name) = try $0.split("/files/f")
            try $0.engine.unlink(name, in: parent, $0.context)
        }
    }
}
