// SPDX-License-Identifier: Apache-2.0
//
// Where the database keeps which revision this machine knows.

import Metadata
import Namespace
import Primitives

/// The head in the settings table.
enum HeadStorage {
    static func save(
        _ head: Publisher.Head, _ writer: borrowing MetadataWriter
    ) throws(MetadataError) {
        try writer.setInteger("revision", Int64(bitPattern: head.revision))
        try writer.setInteger("published-change", Int64(bitPattern: head.change))
        try writer.setValue("hard-links", head.hardLinks.map(encoded))
        try writer.setValue("revision-log", head.revisionLog.map(encoded))
    }

    static func load<Reader: MetadataReader & ~Copyable>(
        _ reader: borrowing Reader
    ) throws(MetadataError) -> Publisher.Head? {
        guard let revision = try reader.integer("revision") else { return nil }
        return Publisher.Head(
            revision: UInt64(bitPattern: revision),
            change: UInt64(bitPattern: try reader.integer("published-change") ?? 0),
            hardLinks: try reader.value("hard-links").flatMap(decoded),
            revisionLog: try reader.value("revision-log").flatMap(decoded))
    }

    /// Keeps which inodes had something that was not stored when the head was published; their
    /// changes may be older than the head's.
    static func saveUnstored(
        _ inodes: Set<UInt64>, _ writer: borrowing MetadataWriter
    ) throws(MetadataError) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(inodes.count * 8)
        for ino in inodes.sorted() {
            for shift in stride(from: 0 as UInt64, to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: ino >> shift))
            }
        }
        try writer.setValue("unstored", bytes.isEmpty ? nil : bytes)
    }

    /// Those inodes; what is left of a number at the end is damage, and names none.
    static func loadUnstored<Reader: MetadataReader & ~Copyable>(
        _ reader: borrowing Reader
    ) throws(MetadataError) -> [UInt64] {
        let bytes = try reader.value("unstored") ?? []
        return stride(from: 0, to: bytes.count - bytes.count % 8, by: 8).map { start in
            bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
    }

    private static func encoded(_ reference: PageReference) -> [UInt8] {
        reference.address.bytes + reference.key
    }

    private static func decoded(_ bytes: [UInt8]) -> PageReference? {
        guard bytes.count == Digest.byteCount + PageReference.keySize,
            let address = Digest(Array(bytes[..<Digest.byteCount]))
        else { return nil }
        return PageReference(address: address, key: Array(bytes[Digest.byteCount...]))
    }
}
