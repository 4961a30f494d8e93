// SPDX-License-Identifier: Apache-2.0
//
// A store whose disk goes away and comes back.

import Foundation
import Primitives
import Stores
import Testing

@testable import RemoteStores

@Suite("Folder store that comes back")
struct ReturningFolderStoreTests {
    private let folder: TemporaryFolder
    private var path: String { folder.path + "/store" }

    init() throws {
        folder = try TemporaryFolder()
    }

    private func move() throws {
        try FileManager.default.moveItem(atPath: path, toPath: path + ".old")
    }

    private func moveBack() throws {
        try FileManager.default.moveItem(atPath: path + ".old", toPath: path)
    }

    private func makeEmptyFolder() throws {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
    }

    private var isAway: StoreError { .notAStore("there is no such folder") }
    private let isUnmarked = StoreError.notAStore("the folder has no file named cairn-store")

    /// Another folder at the store's path with the store's own marker, as after a disk was mounted
    /// anew.
    private func comeBack(with chunks: [TestChunk]) throws {
        try move()
        let other = try FolderStore(path: path, createIfMissing: true)
        let marker = "/cairn-store"
        try Data(contentsOf: URL(filePath: path + ".old" + marker))
            .write(to: URL(filePath: path + marker))
        for chunk in chunks { try other.put(chunk.digest, chunk.bytes) }
        try other.sync()
    }

    /// What the first store answers when its disk is gone; the others answer for themselves.
    private func failFirst(
        _ store: ReturningFolderStore, then body: (FolderStore) throws(StoreError) -> Void
    ) throws(StoreError) -> Int {
        var calls = 0
        try store.withStore { place throws(StoreError) in
            calls += 1
            if calls == 1 { throw .unreachable(retryAfter: nil) }
            try body(place)
        }
        return calls
    }

    @Test("a store is opened anew when its path leads elsewhere")
    func reopened() throws {
        defer { folder.remove() }
        let store = try ReturningFolderStore(path: path, createIfMissing: true)
        let chunk = TestChunk(seed: 1)
        try comeBack(with: [chunk])
        #expect(try store.get(chunk.digest) == chunk.bytes)
    }

    @Test("a store that is not there at the start is taken up when it is")
    func later() throws {
        defer { folder.remove() }
        let chunk = TestChunk(seed: 1)
        try FolderStore(path: path, createIfMissing: true).put(chunk.digest, chunk.bytes)
        try move()
        let store = try ReturningFolderStore(path: path, createIfMissing: false)
        #expect(throws: isAway) { try store.get(chunk.digest) }
        #expect(throws: isAway) { try store.put(chunk.digest, chunk.bytes) }
        #expect(throws: isAway) { try store.sync() }
        #expect(!FileManager.default.fileExists(atPath: path), "nothing was made there")
        try makeEmptyFolder()
        #expect(throws: isUnmarked) { try store.put(chunk.digest, chunk.bytes) }
        let names = try FileManager.default.contentsOfDirectory(atPath: path)
        #expect(names.isEmpty, "the empty folder of an unmounted disk stays empty")
        try FileManager.default.removeItem(atPath: path)
        try moveBack()
        #expect(try store.get(chunk.digest) == chunk.bytes)
        try store.sync()
    }

    @Test("a moved folder is not written on under its new name, and taken up when it is back")
    func moved() throws {
        defer { folder.remove() }
        let store = try ReturningFolderStore(path: path, createIfMissing: true)
        let (before, after) = (TestChunk(seed: 1), TestChunk(seed: 2))
        try store.put(before.digest, before.bytes)
        try move()
        #expect(throws: isAway) { try store.put(after.digest, after.bytes) }
        #expect(throws: isAway) { try store.sync() }
        let moved = try FolderStore(path: path + ".old", createIfMissing: false)
        #expect(throws: StoreError.missing(after.digest)) { try moved.get(after.digest) }
        try moveBack()
        try store.put(after.digest, after.bytes)
        try store.sync()
        #expect(try moved.get(after.digest) == after.bytes)
        #expect(try moved.get(before.digest) == before.bytes)
    }

    @Test("another store at the path is not taken for the volume's, now or at the next start")
    func stranger() throws {
        defer { folder.remove() }
        let known = folder.path + "/known-stores"
        let store = try ReturningFolderStore(
            path: path, createIfMissing: true, known: KnownStores(path: known))
        let chunk = TestChunk(seed: 1)
        try move()
        try FolderStore(path: path, createIfMissing: true).put(chunk.digest, chunk.bytes)
        #expect(throws: KnownStores.stranger) { try store.get(chunk.digest) }
        let next = try ReturningFolderStore(
            path: path, createIfMissing: false, known: KnownStores(path: known))
        #expect(throws: KnownStores.stranger) { try next.get(chunk.digest) }
        try FileManager.default.removeItem(atPath: path)
        try moveBack()
        #expect(throws: StoreError.missing(chunk.digest)) { try next.get(chunk.digest) }
    }

    @Test("a damaged note of known stores is no note", arguments: ["", "\0\n", "abc", " \n  \n"])
    func damagedNote(text: String) throws {
        defer { folder.remove() }
        let known = folder.path + "/known-stores"
        try Data(text.utf8).write(to: URL(filePath: known))
        _ = try ReturningFolderStore(
            path: path, createIfMissing: true, known: KnownStores(path: known))
        _ = try ReturningFolderStore(
            path: path, createIfMissing: false, known: KnownStores(path: known))
        let noted = try String(contentsOf: URL(filePath: known), encoding: .utf8)
        #expect(noted.hasSuffix(" \(path)\n"))
    }

    @Test("a failure of a store that is where it was is only told")
    func same() throws {
        defer { folder.remove() }
        let store = try ReturningFolderStore(path: path, createIfMissing: true)
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try failFirst(store) { _ in } }
    }

    @Test("what was not durable is written anew, or its loss is told until it is put again")
    func doubt() throws {
        defer { folder.remove() }
        let store = try ReturningFolderStore(path: path, createIfMissing: true)
        let kept = TestChunk(seed: 1)
        let lost = TestChunk(seed: 2)
        let durable = TestChunk(seed: 3)
        try store.put(durable.digest, durable.bytes)
        try store.sync()
        try store.put(kept.digest, kept.bytes)
        try store.put(lost.digest, lost.bytes)
        try comeBack(with: [kept])
        for _ in 0..<2 {
            #expect(throws: StoreError.missing(lost.digest)) { try store.sync() }
        }
        try store.put(lost.digest, lost.bytes)
        try store.sync()
        #expect(try store.get(kept.digest) == kept.bytes)
    }
}
