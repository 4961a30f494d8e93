// SPDX-License-Identifier: Apache-2.0
//
// The hard-link table on a machine that has not seen it yet: whatever is changed there, every
// linked file stays in the revisions.

import Foundation
import Metadata
import Namespace
import Stores
import TestSupport
import Testing

@testable import Engine

@Suite("the hard-link table", .serialized)
struct HardLinkTableTests {
    /// What stands before the store of the engine that runs.
    private let held = Held()

    /// A machine that has recovered a volume with linked files in `/files/sub`, and has not looked
    /// there.
    private func recovered() throws -> TestVolume {
        let volume = try TestVolume(on: TestStore()) { [held] configuration in
            let store = HeldStore(configuration.chunks)
            configuration.chunks = store
            held.set(store)
            configuration.publishDelay = .seconds(600)
        }
        try volume.makeDirectory("/files/sub")
        try volume.writeFile("/files/sub/x", pattern(70_000, seed: 1))
        try link(volume, "/files/sub/x", "/files/sub/y")
        let status = try volume.engine.makeSymlink(
            Array("s".utf8), in: try volume.resolve("/files/sub"), target: Array("x".utf8),
            volume.context)
        volume.engine.forget(status.ino, count: 1)
        try link(volume, "/files/sub/s", "/files/sub/t")
        try volume.recover()
        #expect(try volume.list("/files") == ["sub"])
        return volume
    }

    private func link(
        _ volume: TestVolume, _ path: String, _ new: String, _ context: RequestContext? = nil
    ) throws {
        let (parent, name) = try volume.split(new)
        let status = try volume.engine.link(
            try volume.resolve(path), as: name, in: parent, context ?? volume.context)
        volume.engine.forget(status.ino, count: 1)
    }

    /// Whether everything is there that was linked, before and since.
    private func expectAll(_ volume: TestVolume, _ when: String) throws {
        #expect(try volume.list("/files") == ["a", "b", "sub"], "\(when)")
        #expect(try volume.list("/files/sub") == ["s", "t", "x", "y"], "\(when)")
        for name in ["x", "y"] {
            let bytes = try volume.readFile("/files/sub/\(name)")
            #expect(same(bytes, pattern(70_000, seed: 1)), "\(when)")
        }
        #expect(try volume.readFile("/files/b") == [1, 2, 3], "\(when)")
        #expect(try volume.status("/files/b").linkCount == 2, "\(when)")
    }

    @Test("a link that is made before the table was seen leaves all older ones where they are")
    func linkFirst() throws {
        let volume = try recovered()
        try volume.writeFile("/files/a", [1, 2, 3])
        try link(volume, "/files/a", "/files/b")
        try volume.publish()
        try expectAll(volume, "here")
        try volume.recover()
        try expectAll(volume, "on a third machine")
        #expect(try volume.report("errors").isEmpty)
    }

    // SEMANTICS: The first hard link that a machine makes or meets in a volume that it recovered
    // waits for the store, which has the list of all of them; later ones never do.
    @Test("the first link waits for the table, and makes nothing without it")
    func waits() throws {
        let volume = try recovered()
        try volume.writeFile("/files/a", [1, 2, 3])
        let store = try held.get()
        store.pass(0, others: .unreachable(retryAfter: nil))
        let nobody = RequestContext(user: 1000, group: 1000)
        #expect(throws: FileError.wouldBlock) { try link(volume, "/files/a", "/files/b", nobody) }
        #expect(throws: FileError.inputOutput) { try link(volume, "/files/a", "/files/b") }
        #expect(try volume.list("/files") == ["a", "sub"])
        store.pass(nil)
        try link(volume, "/files/a", "/files/b")
        store.pass(0, others: .unreachable(retryAfter: nil))
        try volume.writeFile("/files/c", [4])
        try link(volume, "/files/c", "/files/d", nobody)
        #expect(try volume.status("/files/d").linkCount == 2)
    }

    /// Makes a link as it was made before the table had to be there first.
    private func linkBlindly(_ volume: TestVolume, _ path: String, _ new: String) throws {
        let (parent, name) = try volume.split(new)
        let shared = volume.engine.volume
        try shared.with(try volume.resolve(path)) { (inode) throws(FileError) in
            let row = try shared.row(inode.ino)
            try shared.query { (writer) throws(MetadataError) in
                let change = shared.nextChange()
                _ = try writer.insertDentry(
                    parent: Volume.hardLinkDirectory, name: Entry.hardLinkName(of: row.ino),
                    ino: row.ino, kind: row.kind)
                _ = try writer.insertDentry(
                    parent: parent, name: name, ino: row.ino, kind: row.kind)
                try writer.touch(parent, Array(path.utf8.dropFirst("/files/".count)), change)
                try writer.touch(parent, name, change)
            }
            try shared.change(inode) { (state) throws(FileError) in
                state.row.linkCount += 1
                state.row.isHardLinked = true
                state.isRowDirty = true
            }
        }
    }

    @Test("links that were made without the table are published with it, and not before")
    func madeWithout() throws {
        let volume = try recovered()
        try volume.writeFile("/files/a", [1, 2, 3])
        try linkBlindly(volume, "/files/a", "/files/b")
        let store = try held.get()
        store.pass(0, others: .unreachable(retryAfter: nil))
        let revision = volume.engine.engineStatus().revision
        #expect(throws: TestVolume.Unpublished.self) { try volume.publish() }
        #expect(try volume.report("errors").contains("this machine has not all names"))
        #expect(volume.engine.engineStatus().revision == revision)
        store.pass(nil)
        #expect(
            eventually {
                volume.engine.publisher.publishNow(until: .now + .seconds(20).scaled) == nil
            })
        try expectAll(volume, "here")
        try volume.recover()
        try expectAll(volume, "on a third machine")
    }

    @Test("what went from the table before it was loaded does not come back with it")
    func goneBefore() throws {
        let volume = try recovered()
        let shared = volume.engine.volume
        let table = try volume.published().entries.filter { $0.key.hasPrefix("links/") }
        #expect(table.count == 2)
        let gone = try #require(table.values.first { $0.kind == .symlink })
        try shared.query { (writer) throws(MetadataError) in
            try writer.touch(Volume.hardLinkDirectory, gone.name, shared.nextChange())
        }
        let patience = Patience(for: .seconds(60))
        try volume.engine.loader.loadHardLinks { patience }
        let inodes = try shared.query { (reader) throws(MetadataError) in
            try table.values.map { (entry) throws(MetadataError) in try reader.inode(entry.ino) }
        }
        #expect(inodes.compactMap { $0?.kind } == [.regular])
    }

    @Test("names whose file the revision does not have are counted in the log of errors")
    func lostNames() throws {
        let volume = try recovered()
        let x = try volume.resolve("/files/sub/x")
        let key = Entry.hardLinkName(of: x)
        let shared = volume.engine.volume
        try shared.query { (writer) throws(MetadataError) in
            try writer.removeDentry(parent: Volume.hardLinkDirectory, name: key)
            try writer.touch(Volume.hardLinkDirectory, key, shared.nextChange())
        }
        try volume.recover()
        #expect(try volume.list("/files/sub") == ["s", "t"])
        let lines = try volume.report("errors").split(separator: "\n")
        #expect(lines.count == 1)
        #expect(lines.first?.contains("page: a directory has hard links to files") == true)
        #expect(lines.first?.hasSuffix(": 2") == true)
    }
}
