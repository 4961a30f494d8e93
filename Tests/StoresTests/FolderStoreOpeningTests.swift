// SPDX-License-Identifier: Apache-2.0
//
// Which folders are stores, which become stores, and which are left alone.

import Foundation
import Primitives
import RemoteStores
import Scratchpads
import Stores
import Testing

@Suite("Opening a folder store")
struct FolderStoreOpeningTests {
    private let folder: TemporaryFolder
    private let path: String
    private let files = FileManager.default

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/store"
    }

    private func contents(_ path: String) throws -> Set<String> {
        Set(try files.contentsOfDirectory(atPath: path))
    }

    private func makeFolder(_ path: String) throws {
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    private func write(_ text: String, to path: String) throws {
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }

    /// What opening the store throws.
    private func failure(create: Bool = false, at other: String? = nil) -> StoreError? {
        do throws(StoreError) {
            _ = try FolderStore(path: other ?? path, createIfMissing: create)
            return nil
        } catch {
            return error
        }
    }

    private func isNotAStore(_ error: StoreError?) -> Bool {
        if case .notAStore = error { true } else { false }
    }

    @Test("a new store has its marker and folders, and is its owner's alone")
    func newStore() throws {
        defer { folder.remove() }
        _ = try FolderStore(path: path, createIfMissing: true)
        #expect(try contents(path) == ["cairn-store", "chunks", "pads", "tmp"])
        let marker = try String(contentsOfFile: path + "/cairn-store", encoding: .utf8)
        let lines = marker.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 4 && lines[..<2] == ["cairn folder store", "format 1"])
        #expect(lines[2].hasPrefix("id ") && lines[2].count == 3 + 32 && lines[3].isEmpty)
        let mode = try files.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o700)
        #expect(try contents(path + "/tmp").isEmpty)
    }

    @Test("a store opens again with and without leave to make one")
    func openAgain() throws {
        defer { folder.remove() }
        _ = try FolderStore(path: path, createIfMissing: true)
        #expect(failure(create: true) == nil)
        #expect(failure(create: false) == nil)
        #expect(failure(create: false, at: path + "/") == nil)
    }

    @Test("a path with nothing there is no store, and nothing is made without leave")
    func missing() throws {
        defer { folder.remove() }
        #expect(isNotAStore(failure(create: false)))
        #expect(try contents(folder.path).isEmpty)
        #expect(isNotAStore(failure(create: true, at: "")))
        #expect(isNotAStore(failure(create: true, at: path + "\0tail")))
    }

    @Test("a store is not made where its parent is missing: the disk may be unplugged")
    func missingParent() throws {
        defer { folder.remove() }
        #expect(isNotAStore(failure(create: true, at: folder.path + "/disk/store")))
        #expect(try contents(folder.path).isEmpty)
    }

    @Test("a file is no store, nor is a path through one")
    func file() throws {
        defer { folder.remove() }
        try write("text", to: path)
        #expect(isNotAStore(failure(create: true)))
        #expect(isNotAStore(failure(create: true, at: path + "/below")))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "text")
    }

    @Test("somebody's folder is left alone, with and without leave")
    func foreignFolder() throws {
        defer { folder.remove() }
        try makeFolder(path)
        try write("text", to: path + "/letter.txt")
        #expect(isNotAStore(failure(create: true)))
        #expect(isNotAStore(failure(create: false)))
        #expect(try contents(path) == ["letter.txt"])
    }

    @Test("an empty folder becomes a store, also a fresh filesystem's")
    func emptyFolder() throws {
        defer { folder.remove() }
        try makeFolder(path + "/lost+found")
        #expect(isNotAStore(failure(create: false)))
        #expect(failure(create: true) == nil)
        #expect(failure(create: false) == nil)
    }

    @Test("a store whose making was interrupted is made to the end")
    func halfMade() throws {
        defer { folder.remove() }
        try makeFolder(path + "/chunks")
        try makeFolder(path + "/tmp")
        #expect(isNotAStore(failure(create: false)))
        #expect(failure(create: true) == nil)
        #expect(try contents(path) == ["cairn-store", "chunks", "pads", "tmp"])
    }

    @Test("a newer format is refused, whatever else the marker says")
    func newerFormat() throws {
        defer { folder.remove() }
        _ = try FolderStore(path: path, createIfMissing: true)
        try write("cairn folder store\nformat 2\nlayout deep\n", to: path + "/cairn-store")
        #expect(failure() == .newerFormat(found: 2, supported: 1))
        #expect(failure(create: true) == .newerFormat(found: 2, supported: 1))
        let huge = String(repeating: "x", count: 10_000)
        try write("cairn folder store\nformat 1\n\(huge)", to: path + "/cairn-store")
        #expect(failure() == nil)
    }

    @Test(
        "a marker that says nothing is no marker, and is not overwritten",
        arguments: [
            "", "cairn folder store", "cairn folder store\n", "cairn folder store\nformat \n",
            "cairn folder store\nformat 0\n", "cairn folder store\nformat -1\n",
            "cairn folder store\nformat one\n", "another store\nformat 1\n",
            "cairn folder store\nformat 99999999999999999999\n",
        ])
    func damagedMarker(text: String) throws {
        defer { folder.remove() }
        _ = try FolderStore(path: path, createIfMissing: true)
        try write(text, to: path + "/cairn-store")
        #expect(isNotAStore(failure(create: true)))
        #expect(try String(contentsOfFile: path + "/cairn-store", encoding: .utf8) == text)
    }

    @Test("a part of a store that is a symbolic link is not followed")
    func symbolicLink() throws {
        defer { folder.remove() }
        _ = try FolderStore(path: path, createIfMissing: true)
        try files.removeItem(atPath: path + "/chunks")
        try makeFolder(folder.path + "/elsewhere")
        try files.createSymbolicLink(
            atPath: path + "/chunks", withDestinationPath: folder.path + "/elsewhere")
        #expect(isNotAStore(failure()))
    }

    @Test("a store reached through a symbolic link is that store")
    func linkToStore() throws {
        defer { folder.remove() }
        _ = try FolderStore(path: path, createIfMissing: true)
        let link = folder.path + "/link"
        try files.createSymbolicLink(atPath: link, withDestinationPath: path)
        #expect(failure(at: link) == nil)
    }

    @Test("eight who make the same store at once all have it")
    func madeConcurrently() throws {
        defer { folder.remove() }
        let path = path
        let errors = onThreads(8) { thread in
            let store = try FolderStore(path: path, createIfMissing: true)
            let chunk = TestChunk(seed: UInt64(thread))
            try store.put(chunk.digest, chunk.bytes)
        }
        #expect(errors.isEmpty, "\(errors)")
        let store = try FolderStore(path: path, createIfMissing: false)
        for thread in 0..<8 as Range<UInt64> {
            let chunk = TestChunk(seed: thread)
            #expect(try store.get(chunk.digest) == chunk.bytes)
        }
    }

    @Test("old temporary files are swept up; young ones and other people's are not")
    func sweeping() throws {
        defer { folder.remove() }
        _ = try FolderStore(path: path, createIfMissing: true)
        let ages = ["put-old": 25.0, "put-young": 23.0, "letter.txt": 25.0]
        for (name, hours) in ages {
            let file = "\(path)/tmp/\(name)"
            try write("half a chu", to: file)
            let date = Date(timeIntervalSinceNow: -hours * 60 * 60)
            try files.setAttributes([.modificationDate: date], ofItemAtPath: file)
        }
        _ = try FolderStore(path: path, createIfMissing: false)
        #expect(try contents(path + "/tmp") == ["put-young", "letter.txt"])
    }

    @Test("the files of a store get the permissions of its folder, less the umask")
    func permissions() throws {
        defer { folder.remove() }
        try makeFolder(path)
        try files.setAttributes([.posixPermissions: 0o750], ofItemAtPath: path)
        let store = try FolderStore(path: path, createIfMissing: true)
        let chunk = TestChunk(seed: 1)
        try store.put(chunk.digest, chunk.bytes)
        let file = FolderPaths.chunk(chunk.digest, in: path)
        let fileMode = try files.attributesOfItem(atPath: file)[.posixPermissions] as? Int
        let partMode = try files.attributesOfItem(atPath: path + "/tmp")[.posixPermissions] as? Int
        let umask = try #require(try currentUmask())
        #expect(fileMode == 0o640 & ~umask)
        #expect(partMode == 0o750 & ~umask)
    }

    /// Read rather than set and set back, which other threads' files would notice.
    private func currentUmask() throws -> Int? {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("Umask:") }
        return line.flatMap { Int($0.dropFirst(6).drop { $0 == "\t" }, radix: 8) }
    }
}
