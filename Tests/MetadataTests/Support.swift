// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the metadata database share: folders that go away, rows, dice.

import Foundation
import Namespace
import Primitives
import Scratchpads
import SelfEncryption
import TestSupport
import Testing

@testable import Metadata

/// A folder for one test, removed when the last reference goes.
final class TestFolder: Sendable {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "cairn-metadata-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        // A folder that can not be removed fails no test: the system empties its own place.
        try? FileManager.default.removeItem(atPath: path)
    }

    var database: String { path + "/metadata.db" }

    func open() throws -> MetadataDatabase { try MetadataDatabase(path: database) }

    /// A database with a COMMIT behind it, from which on it may record.
    ///
    /// - Parameter isWritten: its redo file has its whole length, as some seconds after a mount:
    ///   where the disk can do it, records go past the cache then.
    func committed(isWritten: Bool = false) throws -> MetadataDatabase {
        let database = try open()
        if isWritten {
            if DirectWriter(path: self.database + "-redo") == nil {
                try Test.cancel("this filesystem does not write in place from memory")
            }
            while try database.lengthenLog() {}
        }
        try database.write { try $0.insertInode(file(1)) }
        try database.commit()
        try database.syncLog()
        return database
    }

    /// What a power cut would leave if every write so far had reached the disk: a copy of database
    /// and log, opened anew.
    func crashCopy(name: String, logBytes: Int? = nil) throws -> MetadataDatabase {
        let copy = path + "/" + name
        try copyRedoFile(to: copy)
        try FileManager.default.copyItem(atPath: database, toPath: copy)
        try FileManager.default.copyItem(atPath: database + "-wal", toPath: copy + "-wal")
        if let logBytes {
            let handle = try #require(FileHandle(forWritingAtPath: copy + "-wal"))
            try handle.truncate(atOffset: UInt64(logBytes))
            try handle.close()
        }
        return try MetadataDatabase(path: copy)
    }

    /// First of the files: one that is older than its database is no harm.
    func copyRedoFile(to copy: String) throws {
        guard FileManager.default.fileExists(atPath: database + "-redo") else { return }
        try FileManager.default.copyItem(atPath: database + "-redo", toPath: copy + "-redo")
    }

    func size(of suffix: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: database + suffix)
        return try #require(attributes[.size] as? Int)
    }
}

extension MetadataDatabase {
    /// Records, and waits until that is on the disk.
    func promise() throws(MetadataError) {
        try record()
        try syncLog()
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

let noon = Timestamp(seconds: 1_780_000_000, nanoseconds: 123_456_789)

let ordinary = FileAttributes(
    mode: 0o644, uid: 1000, gid: 100, accessed: noon, modified: noon, changed: noon,
    created: noon)

func file(_ ino: UInt64, size: UInt64 = 0, change: UInt64 = 0) -> InodeRow {
    InodeRow(ino: ino, kind: .regular, attributes: ordinary, size: size, change: change)
}

func digest(_ byte: UInt8, _ algorithm: DigestAlgorithm = .blake3) throws -> Digest {
    try #require(Digest([UInt8](repeating: byte, count: 32), algorithm: algorithm))
}

func reference(_ byte: UInt8) throws -> PageReference {
    PageReference(address: try digest(byte), key: [UInt8](repeating: byte ^ 0xff, count: 32))
}

/// An address no key was made for: nothing is signed here.
func padAddress(_ byte: UInt8) throws -> PadAddress {
    try #require(PadAddress(scheme: .ed25519, bytes: [UInt8](repeating: byte, count: 32)))
}
