// SPDX-License-Identifier: Apache-2.0
//
// The plaintext of a page: docs/format.md §8. A page that breaks any rule, also one
// of an entry in it, is neither written nor read.

import Primitives

extension Page {
    /// The version of the plaintext written now.
    private static let version: UInt8 = 1

    /// The second byte of every page. Written: the values never change.
    private enum Kind: UInt8 {
        case leafOfNames = 1
        case leafOfInodes = 2
        case indexOfNames = 3
        case indexOfInodes = 4
        case segments = 5
        case revisions = 6
    }

    /// Bytes a page has besides its items: version, kind, and the longest count.
    static let maximumHeadSize = 2 + 5

    /// The canonical plaintext.
    ///
    /// - Throws: `invalid` if something in the page breaks a rule, `tooLarge` if it would not fit
    ///   into a chunk.
    func encoded() throws(NamespaceError) -> [UInt8] {
        var writer = ByteWriter(capacity: PageCodec.targetSize + PageCodec.targetSize / 4)
        writer.u8(Self.version)
        switch self {
        case .leaf(let entries):
            try Self.encode(entries, into: &writer)
        case .index(let links):
            try Self.encode(links, into: &writer)
        case .segments(let segments):
            writer.u8(Kind.segments.rawValue)
            if let fault = Self.fault(of: segments) { throw .invalid(fault) }
            Segment.encode(segments, into: &writer)
        case .revisions(let records, let older):
            writer.u8(Kind.revisions.rawValue)
            if let fault = RevisionRecord.fault(of: records, older: older) {
                throw .invalid(fault)
            }
            RevisionRecord.encode(records, older: older, into: &writer)
        }
        guard writer.count <= NamespaceLimits.maximumPagePlaintextSize else {
            throw .tooLarge(limit: NamespaceLimits.maximumPagePlaintextSize)
        }
        return writer.bytes
    }

    /// Reads a plaintext, and everything in it.
    ///
    /// - Throws: `unsupportedVersion`, `malformed` or `tooLarge`.
    init(decoding bytes: [UInt8]) throws(NamespaceError) {
        var reader = ByteReader(bytes)
        let version = try NamespaceError.translating { () throws(CodingError) in
            try reader.u8()
        }
        guard version == Self.version else { throw .unsupportedVersion(Int(version)) }
        self = try NamespaceError.translating { () throws(CodingError) in
            let page = try Self.body(from: &reader)
            try reader.expectEnd()
            return page
        }
    }

    private static func body(from reader: inout ByteReader) throws(CodingError) -> Page {
        guard let kind = Kind(rawValue: try reader.u8()) else {
            throw .malformed("a page of unknown kind")
        }
        switch kind {
        case .leafOfNames: return .leaf(try entries(from: &reader, keys: .names))
        case .leafOfInodes: return .leaf(try entries(from: &reader, keys: .inodes))
        case .indexOfNames: return .index(try links(from: &reader, keys: .names))
        case .indexOfInodes: return .index(try links(from: &reader, keys: .inodes))
        case .segments:
            let limit = NamespaceLimits.maximumSegmentCount
            let segments = try Segment.list(from: &reader, limit: limit)
            if let fault = fault(of: segments) { throw .malformed(fault) }
            return .segments(segments)
        case .revisions:
            let (records, older) = try RevisionRecord.list(from: &reader)
            if let fault = RevisionRecord.fault(of: records, older: older) {
                throw .malformed(fault)
            }
            return .revisions(records, older: older)
        }
    }

    // MARK: Leaves

    private static func encode(
        _ entries: [Entry], into writer: inout ByteWriter
    ) throws(NamespaceError) {
        guard let first = entries.first else { throw .invalid("a page is empty") }
        let keys = KeySpace.of(first.name)
        writer.u8((keys == .names ? Kind.leafOfNames : .leafOfInodes).rawValue)
        writer.varint(UInt64(entries.count))
        for (index, entry) in entries.enumerated() {
            if let fault = entry.fault(in: keys) { throw .invalid(fault) }
            guard index == 0 || bytesPrecede(entries[index - 1].name, entry.name) else {
                throw .invalid("a page is not sorted")
            }
            let start = writer.count
            entry.encode(into: &writer)
            guard writer.count - start <= NamespaceLimits.maximumEntrySize else {
                throw .tooLarge(limit: NamespaceLimits.maximumEntrySize)
            }
        }
    }

    private static func entries(
        from reader: inout ByteReader, keys: KeySpace
    ) throws(CodingError) -> [Entry] {
        let count = try reader.itemCount(minimumSize: Entry.minimumEncodedSize)
        var entries: [Entry] = []
        entries.reserveCapacity(count)
        for index in 0..<count {
            let entry = try Entry(from: &reader, keys: keys)
            guard index == 0 || bytesPrecede(entries[index - 1].name, entry.name) else {
                throw .malformed("a page is not sorted")
            }
            entries.append(entry)
        }
        return entries
    }

    // MARK: Index pages

    private static func encode(
        _ links: [PageLink], into writer: inout ByteWriter
    ) throws(NamespaceError) {
        guard let first = links.first else { throw .invalid("a page is empty") }
        let keys = KeySpace.of(first.first)
        writer.u8((keys == .names ? Kind.indexOfNames : .indexOfInodes).rawValue)
        writer.varint(UInt64(links.count))
        for (index, link) in links.enumerated() {
            let previous = index == 0 ? nil : links[index - 1]
            if let fault = link.fault(after: previous, keys: keys) { throw .invalid(fault) }
            link.encode(into: &writer)
        }
    }

    private static func links(
        from reader: inout ByteReader, keys: KeySpace
    ) throws(CodingError) -> [PageLink] {
        let count = try reader.itemCount(minimumSize: PageLink.minimumEncodedSize)
        var links: [PageLink] = []
        links.reserveCapacity(count)
        for _ in 0..<count {
            let link = try PageLink(from: &reader)
            if let fault = link.fault(after: links.last, keys: keys) { throw .malformed(fault) }
            links.append(link)
        }
        return links
    }

    /// A segments page does not know its file; whoever follows the reference checks the size.
    private static func fault(of segments: [Segment]) -> String? {
        guard (1...NamespaceLimits.maximumSegmentCount).contains(segments.count) else {
            return "a segments page is empty or too long"
        }
        return Segment.fault(of: segments, fileSize: NamespaceLimits.maximumFileSize)
    }
}

extension Entry {
    /// A name of one byte, an inode number of one, and the tag of a link.
    fileprivate static let minimumEncodedSize = 4
}

extension PageLink {
    /// A name of one byte, a reference, and a count of one.
    fileprivate static let minimumEncodedSize = 2 + PageReference.encodedSize + 1

    /// The bytes that `encode` writes.
    var encodedSize: Int {
        Varint.prefixedSize(first.count) + PageReference.encodedSize + Varint.size(entryCount)
    }

    fileprivate func encode(into writer: inout ByteWriter) {
        writer.lengthPrefixed(first)
        reference.encode(into: &writer)
        writer.varint(entryCount)
    }

    fileprivate init(from reader: inout ByteReader) throws(CodingError) {
        self.init(
            first: try reader.lengthPrefixed(limit: NamespaceLimits.maximumNameSize),
            reference: try PageReference(from: &reader), entryCount: try reader.varint())
    }

    fileprivate func fault(after previous: PageLink?, keys: KeySpace) -> String? {
        guard keys.isValid(first) else { return "a name is not allowed" }
        guard entryCount >= 1 else { return "a page below an index is empty" }
        guard let previous else { return nil }
        return bytesPrecede(previous.first, first) ? nil : "a page is not sorted"
    }
}

extension ByteReader {
    /// Reads how many items follow, at least one, and no more than the bytes left can hold: so
    /// that memory is never taken for items that are not there.
    mutating func itemCount(minimumSize: Int) throws(CodingError) -> Int {
        let count = try varint()
        guard count >= 1 else { throw .malformed("a page is empty") }
        guard count <= UInt64(remaining / minimumSize) else { throw .truncated }
        return Int(count)
    }
}

extension NamespaceError {
    /// Runs a decoder, and says what went wrong as this target says it.
    static func translating<Value>(
        _ decode: () throws(CodingError) -> Value
    ) throws(NamespaceError) -> Value {
        do {
            return try decode()
        } catch {
            switch error {
            case .truncated: throw .malformed("bytes end too early")
            case .tooLarge(let limit): throw .tooLarge(limit: limit)
            case .malformed(let rule): throw .malformed(rule)
            }
        }
    }
}
