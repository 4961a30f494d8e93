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

    /// Another folder at the store's path, as after a disk was mounted anew.
    private func comeBack(with chunks: [TestChunk]) throws {
        try move()
        let other = try FolderStore(path: path, createIfMissing: true)
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

    @Test("a store that does not answer is opened anew when its path leads elsewhere")
    func reopened() throws {
        defer { folder.remove() }
        let store = try ReturningFolderStore(path: path, createIfMissing: true)
        let chunk = TestChunk(seed: 1)
        try comeBack(with: [chunk])
        #expect(throws: StoreError.missing(chunk.digest)) { try store.get(chunk.digest) }
        #expect(try failFirst(store) { _ in } == 2)
        #expect(try store.get(chunk.digest) == chunk.bytes)
    }

    @Test("a failure of a store that is where it was is only told")
    func same() throws {
        defer { folder.remove() }
        let store = try ReturningFolderStore(path: path, createIfMissing: true)
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try failFirst(store) { _ in } }
    }

    @Test("while nothing is at the path, or no store, the failure is only told")
    func away() throws {
        defer { folder.remove() }
        let store = try ReturningFolderStore(path: path, createIfMissing: true)
        try move()
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try failFirst(store) { _ in } }
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
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
        #expect(try failFirst(store) { _ in } == 2)
        for _ in 0..<2 {
            #expect(throws: StoreError.missing(lost.digest)) { try store.sync() }
        }
        try store.put(lost.digest, lost.bytes)
        try store.sync()
        #expect(try store.get(kept.digest) == kept.bytes)
    }
}
