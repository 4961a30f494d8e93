// SPDX-License-Identifier: Apache-2.0
//
// The bytes of one entry: docs/format.md §7. One value has one encoding. What is read
// is put together only from lengths that were checked, and is judged whole by `fault(in:)`.

import Primitives
import Scratchpads

extension Entry {
    /// Bytes of attributes besides the two varints: mode and four times.
    private static let fixedAttributeSize = 2 + 4 * (8 + 4)
    /// Marks an entry whose extended attributes follow the body.
    private static let xattrFlag: UInt8 = 0x80

    /// What follows an entry's inode number. Written into pages: they never change.
    private enum Tag: UInt8 {
        case inline = 1
        case segments = 2
        case indirect = 3
        case directory = 4
        case symlink = 5
        case special = 6
        case pad = 7
        case link = 8
    }

    /// The bytes that `encode` writes, counted without writing them.
    package var encodedSize: Int {
        let head = Varint.prefixedSize(name.count) + Varint.size(ino) + 1
        if case .link = body { return head }
        var size = head + Self.fixedAttributeSize + Varint.size(UInt64(attributes.uid))
        size += Varint.size(UInt64(attributes.gid)) + Varint.size(UInt64(linkCount))
        size += body.encodedSize
        guard !xattrs.isEmpty else { return size }
        size += Varint.size(UInt64(xattrs.count))
        for xattr in xattrs {
            size += Varint.prefixedSize(xattr.name.count) + Varint.prefixedSize(xattr.value.count)
        }
        return size
    }

    /// Writes the entry, which the caller has found to be without fault.
    func encode(into writer: inout ByteWriter) {
        writer.lengthPrefixed(name)
        writer.varint(ino)
        writer.u8(tag.rawValue | (xattrs.isEmpty ? 0 : Self.xattrFlag))
        if case .link = body { return }
        attributes.encode(into: &writer)
        writer.varint(UInt64(linkCount))
        body.encode(into: &writer)
        guard !xattrs.isEmpty else { return }
        writer.varint(UInt64(xattrs.count))
        for xattr in xattrs {
            writer.lengthPrefixed(xattr.name)
            writer.lengthPrefixed(xattr.value)
        }
    }

    /// Reads one entry, and refuses it unless it may stand in a tree of `keys`.
    init(from reader: inout ByteReader, keys: KeySpace) throws(CodingError) {
        let start = reader.offset
        let name = try reader.lengthPrefixed(limit: NamespaceLimits.maximumNameSize)
        let ino = try reader.varint()
        let tagByte = try reader.u8()
        guard let tag = Tag(rawValue: tagByte & ~Self.xattrFlag) else {
            throw .malformed("an entry has an unknown tag")
        }
        if tag == .link {
            guard tagByte == Tag.link.rawValue else {
                throw .malformed("a link carries attributes of its own")
            }
            self = .link(name: name, ino: ino)
        } else {
            let attributes = try FileAttributes(from: &reader)
            let linkCount = try reader.varint32()
            let body = try Self.body(tag, from: &reader)
            let hasXattrs = tagByte & Self.xattrFlag != 0
            self.init(
                name: name, ino: ino, attributes: attributes, linkCount: linkCount, body: body,
                xattrs: hasXattrs ? try Self.xattrs(from: &reader) : [])
        }
        guard reader.offset - start <= NamespaceLimits.maximumEntrySize else {
            throw .tooLarge(limit: NamespaceLimits.maximumEntrySize)
        }
        if let fault = fault(in: keys) { throw .malformed(fault) }
    }

    private var tag: Tag {
        switch body {
        case .regular(_, .inline): .inline
        case .regular(_, .segments): .segments
        case .regular(_, .indirect): .indirect
        case .directory: .directory
        case .symlink: .symlink
        case .special: .special
        case .pad: .pad
        case .link: .link
        }
    }

    private static func xattrs(
        from reader: inout ByteReader
    ) throws(CodingError) -> [ExtendedAttribute] {
        let count = try reader.count(limit: NamespaceLimits.maximumXattrCount)
        guard count >= 1 else { throw .malformed("an empty list of extended attributes") }
        var xattrs: [ExtendedAttribute] = []
        for _ in 0..<count {
            let name = try reader.lengthPrefixed(limit: NamespaceLimits.maximumXattrNameSize)
            let value = try reader.lengthPrefixed(limit: NamespaceLimits.maximumXattrValueSize)
            xattrs.append(ExtendedAttribute(name: name, value: value))
        }
        return xattrs
    }

    private static func body(
        _ tag: Tag, from reader: inout ByteReader
    ) throws(CodingError) -> Body {
        switch tag {
        case .inline:
            let bytes = try reader.lengthPrefixed(limit: NamespaceLimits.maximumInlineSize)
            return .regular(size: UInt64(bytes.count), .inline(bytes))
        case .segments:
            let size = try reader.varint()
            let limit = NamespaceLimits.maximumEntrySegmentCount
            return .regular(size: size, .segments(try Segment.list(from: &reader, limit: limit)))
        case .indirect:
            let size = try reader.varint()
            let reference = try PageReference(from: &reader)
            let count = try reader.count(limit: NamespaceLimits.maximumSegmentCount)
            return .regular(size: size, .indirect(reference, count: count))
        case .directory:
            let entryCount = try reader.varint()
            let pages = entryCount > 0 ? try PageReference(from: &reader) : nil
            return .directory(
                pages: pages, entryCount: entryCount, linkCount: try reader.varint32())
        case .symlink:
            return .symlink(
                try reader.lengthPrefixed(limit: NamespaceLimits.maximumSymlinkSize))
        case .special:
            guard let kind = FileKind(rawValue: try reader.u8()) else {
                throw .malformed("an entry has an unknown kind")
            }
            return .special(kind, device: try reader.varint())
        case .pad:
            return .pad(try PadReference(from: &reader))
        case .link:
            return .link
        }
    }
}

extension Body {
    fileprivate var encodedSize: Int {
        switch self {
        case .regular(_, .inline(let bytes)):
            return Varint.prefixedSize(bytes.count)
        case .regular(let size, .segments(let segments)):
            return segments.reduce(Varint.size(size) + Varint.size(UInt64(segments.count))) {
                $0 + $1.encodedSize
            }
        case .regular(let size, .indirect(_, let count)):
            return Varint.size(size) + PageReference.encodedSize + Varint.size(UInt64(count))
        case .directory(let pages, let entryCount, let linkCount):
            return Varint.size(entryCount) + (pages == nil ? 0 : PageReference.encodedSize)
                + Varint.size(UInt64(linkCount))
        case .symlink(let target):
            return Varint.prefixedSize(target.count)
        case .special(_, let device):
            return 1 + Varint.size(device)
        case .pad(let pad):
            return pad.encodedSize
        case .link:
            return 0
        }
    }

    fileprivate func encode(into writer: inout ByteWriter) {
        switch self {
        case .regular(_, .inline(let bytes)):
            writer.lengthPrefixed(bytes)
        case .regular(let size, .segments(let segments)):
            writer.varint(size)
            Segment.encode(segments, into: &writer)
        case .regular(let size, .indirect(let reference, let count)):
            writer.varint(size)
            reference.encode(into: &writer)
            writer.varint(UInt64(count))
        case .directory(let pages, let entryCount, let linkCount):
            writer.varint(entryCount)
            pages?.encode(into: &writer)
            writer.varint(UInt64(linkCount))
        case .symlink(let target):
            writer.lengthPrefixed(target)
        case .special(let kind, let device):
            writer.u8(kind.rawValue)
            writer.varint(device)
        case .pad(let pad):
            pad.encode(into: &writer)
        case .link:
            break
        }
    }
}

extension FileAttributes {
    func encode(into writer: inout ByteWriter) {
        writer.u16le(UInt16(truncatingIfNeeded: mode))
        writer.varint(UInt64(uid))
        writer.varint(UInt64(gid))
        for time in [accessed, modified, changed, created] { time.encode(into: &writer) }
    }

    init(from reader: inout ByteReader) throws(CodingError) {
        self.init(
            mode: UInt32(try reader.u16le()), uid: try reader.varint32(),
            gid: try reader.varint32(), accessed: try Timestamp(from: &reader),
            modified: try Timestamp(from: &reader), changed: try Timestamp(from: &reader),
            created: try Timestamp(from: &reader))
    }
}
