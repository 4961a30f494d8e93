// SPDX-License-Identifier: Apache-2.0
//
// The bytes of an archive.
//
//   {"V0": {"map": {path: [content, metadata], …}}}
//   metadata = {"created": s, "modified": s, "size": n, "extra": text or nil}
//
// Content is 32 numbers, the address, in a public archive; binary, the data map, in a private one.

import Primitives

extension Archive {
    /// What every archive begins with: the two names around the list.
    private static let opening: [UInt8] =
        [0x81, 0xA2] + Array("V0".utf8) + [0x81, 0xA3] + Array("map".utf8)

    /// The fewest bytes an entry takes: a path of one byte, a pair, an address, an empty map.
    private static let minimumEntrySize = 2 + 1 + 3 + PublicAddress.byteCount + 1

    /// How many first bytes `isMeant(by:)` looks at.
    package static let openingSize = opening.count

    /// Whether `bytes`, or as many of the first as there are, begin as every archive does.
    ///
    /// Ordinary content does not: two of these bytes are in no text, and no known file type has
    /// them.
    package static func isMeant(by bytes: [UInt8]) -> Bool { bytes.starts(with: opening) }

    /// This archive as clients store it. Equal archives are equal bytes.
    package func encoded() -> [UInt8] {
        var writer = MessagePack.Writer(capacity: 64 + entries.count * 160)
        writer.map(count: 1)
        writer.string("V0")
        writer.map(count: 1)
        writer.string("map")
        writer.map(count: entries.count)
        for entry in entries {
            writer.string(entry.path.text)
            writer.array(count: 2)
            switch entry.content {
            case .address(let address):
                writer.array(count: PublicAddress.byteCount)
                for byte in address.bytes { writer.uint(UInt64(byte)) }
            case .dataMap(let bytes):
                writer.binary(bytes)
            }
            writer.map(count: 4)
            writer.string("created")
            writer.uint(entry.created)
            writer.string("modified")
            writer.uint(entry.modified)
            writer.string("size")
            writer.uint(entry.size)
            writer.string("extra")
            if let extra = entry.extra { writer.string(extra) } else { writer.null() }
        }
        return writer.bytes
    }

    /// The archive that `bytes` hold. Bytes after it are ignored, as the reference readers do.
    ///
    /// Memory is bounded by `ArchiveLimits`, whatever the bytes claim.
    ///
    /// - Throws: `ArchiveError`, for the first entry that is wrong.
    package init(decoding bytes: [UInt8]) throws(ArchiveError) {
        guard bytes.count <= ArchiveLimits.size else {
            throw .tooLarge(what: "bytes", limit: ArchiveLimits.size)
        }
        guard Self.isMeant(by: bytes) else { throw .malformed("it does not begin like one") }
        var reader = MessagePack.Reader(bytes)
        let count = try Self.count(&reader)
        var entries: [ArchiveEntry] = []
        entries.reserveCapacity(min(count, bytes.count / Self.minimumEntrySize))
        for number in 1...max(count, 1) where number <= count {
            entries.append(try Self.entry(&reader, number: number))
        }
        try self.init(entries)
    }

    /// Steps to the list, and gives how many entries it says it has.
    private static func count(_ reader: inout MessagePack.Reader) throws(ArchiveError) -> Int {
        do throws(CodingError) {
            _ = try reader.map(limit: 1)
            _ = try reader.string(limit: 2)
            _ = try reader.map(limit: 1)
            _ = try reader.string(limit: 3)
            return try reader.map(limit: ArchiveLimits.entryCount)
        } catch .tooLarge {
            throw .tooLarge(what: "files", limit: ArchiveLimits.entryCount)
        } catch {
            throw .malformed("its list is cut off")
        }
    }

    private static func entry(
        _ reader: inout MessagePack.Reader, number: Int
    ) throws(ArchiveError) -> ArchiveEntry {
        let text: String
        do throws(CodingError) {
            text = try reader.string(limit: ArchiveLimits.pathSize)
        } catch .tooLarge {
            throw .path(entry: number, .tooLong)
        } catch {
            throw .malformed("entry \(number) has no path")
        }
        let path: ArchivePath
        do throws(ArchivePathError) {
            path = try ArchivePath(text)
        } catch {
            throw .path(entry: number, error)
        }
        do throws(CodingError) {
            guard try reader.array(limit: 2) == 2 else { throw .truncated }
            let content = try content(&reader)
            return try metadata(&reader, path: path, content: content)
        } catch .tooLarge(let limit) {
            throw .malformed("a field of entry \(number) is larger than \(limit)")
        } catch {
            throw .malformed("entry \(number) is not as entries are")
        }
    }

    private static func content(
        _ reader: inout MessagePack.Reader
    ) throws(CodingError) -> ArchiveEntry.Content {
        if try reader.peek() == .binary {
            let bytes = try reader.binary(limit: ArchiveLimits.dataMapSize)
            // No data map is so short; a writer that has addresses as binary means this.
            return PublicAddress(bytes).map { .address($0) } ?? .dataMap(bytes)
        }
        let count = try reader.array(limit: PublicAddress.byteCount)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for _ in 0..<count {
            guard let byte = UInt8(exactly: try reader.uint()) else {
                throw .malformed("an address holds a number above 255")
            }
            bytes.append(byte)
        }
        guard let address = PublicAddress(bytes) else {
            throw .malformed("an address is not 32 bytes")
        }
        return .address(address)
    }

    /// Fields in any order; unknown ones are stepped over, missing ones are 0 or none.
    private static func metadata(
        _ reader: inout MessagePack.Reader, path: ArchivePath, content: ArchiveEntry.Content
    ) throws(CodingError) -> ArchiveEntry {
        var numbers: [String: UInt64] = [:]
        var extra: String?
        for _ in 0..<(try reader.map(limit: ArchiveLimits.fieldCount)) {
            let name = try reader.string(limit: ArchiveLimits.nameSize)
            switch (name, try reader.peek()) {
            case ("created", .uint), ("modified", .uint), ("size", .uint):
                guard numbers.updateValue(try reader.uint(), forKey: name) == nil else {
                    throw .malformed("a field is there twice")
                }
            case ("extra", .string):
                guard extra == nil else { throw .malformed("a field is there twice") }
                extra = try reader.string(limit: ArchiveLimits.extraSize)
            case ("created", _), ("modified", _), ("size", _):
                throw .malformed("a number is something else")
            default:
                try reader.skip()
            }
        }
        return ArchiveEntry(
            path: path, content: content, created: numbers["created"] ?? 0,
            modified: numbers["modified"] ?? 0, size: numbers["size"] ?? 0, extra: extra)
    }
}
