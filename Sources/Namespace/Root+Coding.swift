// SPDX-License-Identifier: Apache-2.0
//
// The bytes of the root: docs/format.md §10. They are the plaintext of the root pad,
// so whoever can write them has the volume's secret; they are checked all the same.

import Primitives

extension Root {
    /// The canonical bytes.
    ///
    /// - Throws: `invalid` if a field breaks a rule of the format; `unsupportedVersion` if
    ///   `formatVersion` is not the version this code writes.
    package func encoded() throws(NamespaceError) -> [UInt8] {
        guard formatVersion == Self.currentFormatVersion else {
            throw .unsupportedVersion(Int(formatVersion))
        }
        if let fault { throw .invalid(fault) }
        var writer = ByteWriter(capacity: 1024)
        writer.u16le(formatVersion)
        writer.raw(volumeID)
        writer.varint(revision)
        published.encode(into: &writer)
        writer.lengthPrefixed(Array(device.utf8))
        writer.u8(compression)
        writer.varint(UInt64(maximumChunkSize))
        writer.varint(nextInode)
        writer.varint(totals.fileCount)
        writer.varint(totals.directoryCount)
        writer.varint(totals.byteCount)
        files.encode(into: &writer)
        scratchpads.encode(into: &writer)
        PageReference.encode(hardLinks, into: &writer)
        PageReference.encode(revisionLog, into: &writer)
        return writer.bytes
    }

    /// Reads a root.
    ///
    /// - Throws: `unsupportedVersion` if a newer Cairn wrote it, otherwise `malformed` or
    ///   `tooLarge`.
    package init(decoding bytes: [UInt8]) throws(NamespaceError) {
        guard bytes.count <= NamespaceLimits.maximumRootSize else {
            throw .tooLarge(limit: NamespaceLimits.maximumRootSize)
        }
        var reader = ByteReader(bytes)
        let version = try NamespaceError.translating { () throws(CodingError) in
            try reader.u16le()
        }
        guard version == Self.currentFormatVersion else {
            throw .unsupportedVersion(Int(version))
        }
        self = try NamespaceError.translating { () throws(CodingError) in
            let root = try Root(from: &reader)
            try reader.expectEnd()
            return root
        }
        if let fault { throw .malformed(fault) }
    }

    private init(from reader: inout ByteReader) throws(CodingError) {
        let volumeID = try reader.raw(Self.volumeIDSize)
        let revision = try reader.varint()
        let published = try Timestamp(from: &reader)
        let device = try reader.deviceName()
        let compression = try reader.u8()
        let maximumChunkSize = try reader.varint32()
        let nextInode = try reader.varint()
        let totals = Totals(
            fileCount: try reader.varint(), directoryCount: try reader.varint(),
            byteCount: try reader.varint())
        let files = try Entry(from: &reader, keys: .names)
        let scratchpads = try Entry(from: &reader, keys: .names)
        let hardLinks = try PageReference.optional(from: &reader)
        let revisionLog = try PageReference.optional(from: &reader)
        self.init(
            volumeID: volumeID, revision: revision, files: files, scratchpads: scratchpads,
            hardLinks: hardLinks, totals: totals, nextInode: nextInode, device: device,
            published: published, revisionLog: revisionLog, compression: compression,
            maximumChunkSize: maximumChunkSize)
    }

    private var fault: String? {
        guard volumeID.count == Self.volumeIDSize else { return "a volume id has 16 bytes" }
        guard device.utf8.count <= NamespaceLimits.maximumDeviceSize else {
            return "the name of a device is too long"
        }
        guard published.nanoseconds < Timestamp.nanosecondsPerSecond else {
            return "nanoseconds make a second"
        }
        guard (1...UInt32(NamespaceLimits.maximumSealedPageSize)).contains(maximumChunkSize) else {
            return "the chunk size is out of range"
        }
        guard (1...NamespaceLimits.maximumInode + 1).contains(nextInode),
            files.ino < nextInode, scratchpads.ino < nextInode
        else { return "the next inode number is in use or out of range" }
        return TopEntry.files.fault(of: files) ?? TopEntry.scratchpads.fault(of: scratchpads)
    }
}
