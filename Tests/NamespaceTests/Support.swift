// SPDX-License-Identifier: Apache-2.0
//
// Values drawn from a seed, and a chunk store that is a dictionary.

import Cryptography
import Primitives
import Scratchpads
import SelfEncryption
import TestSupport
import Testing

@testable import Namespace

extension SeededGenerator {
    mutating func digest(_ algorithm: DigestAlgorithm = .blake3) throws -> Digest {
        try #require(Digest(bytes(32), algorithm: algorithm))
    }

    mutating func reference() throws -> PageReference {
        PageReference(address: try digest(), key: bytes(32))
    }

    mutating func timestamp() -> Timestamp {
        Timestamp(
            seconds: Int64(truncatingIfNeeded: number()),
            nanoseconds: UInt32(below(Int(Timestamp.nanosecondsPerSecond))))
    }

    mutating func attributes() -> FileAttributes {
        FileAttributes(
            mode: UInt32(below(0o10000)), uid: UInt32(truncatingIfNeeded: number()),
            gid: UInt32(truncatingIfNeeded: number()), accessed: timestamp(),
            modified: timestamp(), changed: timestamp(), created: timestamp())
    }

    mutating func dataMap() throws -> DataMap {
        let version = chance(80) ? FormatVersion.v2 : .v1
        let algorithm = version.digestAlgorithm
        let chunks = try (0..<(chance(80) ? 3 : 3 + below(8))).map { index in
            ChunkDescriptor(
                index: UInt64(index), address: try digest(algorithm),
                source: try digest(algorithm), size: 1 + UInt64(below(4_000_000)))
        }
        return DataMap(version: version, chunks: chunks, child: chance(40) ? 1 : nil)
    }

    /// Segments with and without gaps, and a file size that has room for them.
    mutating func segments(_ count: Int) throws -> (segments: [Segment], fileSize: UInt64) {
        var segments: [Segment] = []
        var end: UInt64 = 0
        for _ in 0..<count {
            if chance(50) { end += 1 + UInt64(below(1 << 40)) }
            let map = try dataMap()
            let size = map.fileSize ?? 1 + UInt64(below(1 << 40))
            segments.append(Segment(offset: end, size: size, map: map))
            end += size
        }
        return (segments, end + UInt64(below(2) * below(1 << 30)))
    }

    mutating func pad() throws -> PadReference {
        let address = try #require(PadAddress(scheme: .ed25519, bytes: bytes(32)))
        return PadReference(
            identity: bytes(32), address: address, encoding: number(), counter: number(),
            size: number())
    }

    mutating func directoryBody() throws -> Body {
        let count = chance(30) ? 0 : 1 + number()
        return .directory(
            pages: count == 0 ? nil : try reference(), entryCount: count == 0 ? 0 : count,
            linkCount: UInt32(2 + below(1000)))
    }

    mutating func body() throws -> Body {
        switch below(8) {
        case 0:
            let (segments, size) = try segments(below(4))
            return .regular(size: size, .segments(segments))
        case 1:
            return .regular(size: number() >> 1, .indirect(try reference(), count: 1 + below(9)))
        case 2: return try directoryBody()
        case 3: return .symlink((0...below(40)).map { UInt8(65 + $0) })
        case 4: return .special([.fifo, .socket][below(2)], device: 0)
        case 5: return .special([.characterDevice, .blockDevice][below(2)], device: number())
        case 6: return .pad(try pad())
        default:
            let inline = bytes(chance(90) ? below(200) : below(20_000))
            return .regular(size: UInt64(inline.count), .inline(inline))
        }
    }

    mutating func xattrs() -> [ExtendedAttribute] {
        guard chance(20) else { return [] }
        let names = Set((0...below(4)).map { _ in Array("user.\(below(1000))".utf8) })
        return names.sorted(by: bytesPrecede).map { name in
            ExtendedAttribute(name: name, value: bytes(below(100)))
        }
    }

    mutating func entry(_ name: [UInt8]) throws -> Entry {
        let ino = 1 + number() & (NamespaceLimits.maximumInode >> 1)
        if chance(10) { return .link(name: name, ino: ino) }
        return Entry(
            name: name, ino: ino, attributes: attributes(), linkCount: 1, body: try body(),
            xattrs: xattrs())
    }

    /// Names as people give them, and names of arbitrary bytes.
    mutating func name() -> [UInt8] {
        if chance(80) { return Array("file-\(below(1 << 40)).txt".utf8) }
        let name = bytes(1 + below(NamespaceLimits.maximumNameSize)).filter { $0 != 0 && $0 != 47 }
        return Entry.isValidName(name) ? name : [200]
    }

    mutating func directory(_ count: Int) throws -> [Entry] {
        var names: Set<[UInt8]> = []
        while names.count < count { names.insert(name()) }
        return try names.sorted(by: bytesPrecede).map { try entry($0) }
    }

    mutating func topEntry(_ name: String) throws -> Entry {
        Entry(
            name: Array(name.utf8), ino: 1 + UInt64(below(1000)), attributes: attributes(),
            linkCount: 1, body: try directoryBody(), xattrs: xattrs())
    }

    mutating func record(_ revision: UInt64) throws -> RevisionRecord {
        RevisionRecord(
            revision: revision, published: timestamp(), device: "machine \(below(9)) ü",
            files: try topEntry("files"), scratchpads: try topEntry("scratchpads"),
            hardLinks: chance(50) ? try reference() : nil)
    }

    mutating func root() throws -> Root {
        Root(
            volumeID: bytes(16), revision: number(), files: try topEntry("files"),
            scratchpads: try topEntry("scratchpads"),
            hardLinks: chance(50) ? try reference() : nil,
            totals: Totals(fileCount: number(), directoryCount: number(), byteCount: number()),
            nextInode: 1001 + UInt64(below(1 << 50)), device: "desk", published: timestamp(),
            revisionLog: chance(50) ? try reference() : nil, compression: UInt8(below(2)),
            maximumChunkSize: 4_190_208)
    }

    mutating func page() throws -> Page {
        switch below(6) {
        case 0:
            let names = try directory(1 + below(30)).map(\.name)
            return .index(
                try names.map {
                    PageLink(first: $0, reference: try reference(), entryCount: 1 + number() / 2)
                })
        case 1: return .segments(try segments(1 + below(20)).segments)
        case 2:
            let records = try (0...below(6)).map { try record(1000 + UInt64($0) * 3) }
            let older = try (0..<below(5)).map {
                RevisionSpan(
                    newest: try reference(), firstRevision: 900 - 100 * UInt64($0),
                    pageCount: 1 + number() / 2)
            }
            return .revisions(records, older: older)
        case 3:
            return .leaf(try hardLinkTable(1 + below(30)))
        default: return .leaf(try directory(1 + below(40)))
        }
    }

    mutating func hardLinkTable(_ count: Int) throws -> [Entry] {
        let inodes = Set((0..<count).map { _ in 1 + number() >> 9 }).sorted()
        return try inodes.map { ino in
            var entry = try entry(Entry.hardLinkName(of: ino))
            entry.ino = ino
            entry.linkCount = 2 + UInt32(below(5))
            switch entry.body {
            case .link, .directory, .pad:
                entry.body = .symlink([65])
                entry.attributes = attributes()
            case .regular, .symlink, .special: break
            }
            return entry
        }
    }
}

/// The secret all tests seal with, but where two are compared.
func testSecret(_ byte: UInt8 = 7) -> PageSecret {
    PageSecret(SecretBytes([UInt8](repeating: byte, count: 32)))
}

/// Chunks by address, and how many were asked for.
final class ChunkBox {
    struct Missing: Error, Equatable {}

    private(set) var chunks: [Digest: [UInt8]] = [:]
    private(set) var fetches: [Digest] = []

    func put(_ page: SealedPage) { chunks[page.reference.address] = page.bytes }

    func fetch(_ address: Digest) throws(Missing) -> [UInt8] {
        fetches.append(address)
        guard let chunk = chunks[address] else { throw Missing() }
        return chunk
    }

    func forgetFetches() { fetches = [] }

    func lose(_ address: Digest) { chunks[address] = nil }

    /// Stores a directory, and gives its root and the links to its leaves.
    func build(
        _ entries: [Entry], secret: PageSecret = testSecret()
    ) throws -> (root: PageReference?, leaves: [PageLink]) {
        var leaves: [PageLink] = []
        for run in PageBuilder.leaves(of: entries) {
            let (link, page) = try PageBuilder.seal(leaf: run, secret: secret)
            put(page)
            leaves.append(link)
        }
        let (root, pages) = try PageBuilder.index(over: leaves, secret: secret)
        pages.forEach(put)
        return (root, leaves)
    }

    func walk(_ walker: PageWalker) throws -> [Entry] {
        var walker = walker
        var entries: [Entry] = []
        while let leaf = try walker.nextLeaf(fetch) { entries += leaf.entries }
        return entries
    }
}

/// A plain file with these bytes.
func file(
    _ name: String, ino: UInt64 = 10, _ content: String = "", mode: UInt32 = 0o644,
    modified: Int64 = 100
) -> Entry {
    let bytes = Array(content.utf8)
    var attributes = FileAttributes.none
    attributes.mode = mode
    attributes.modified = Timestamp(seconds: modified, nanoseconds: 0)
    return Entry(
        name: Array(name.utf8), ino: ino, attributes: attributes, linkCount: 1,
        body: .regular(size: UInt64(bytes.count), .inline(bytes)))
}

/// The merge of three states by two machines with names, at a fixed moment.
func merged(
    _ base: [Entry], _ ours: [Entry], _ theirs: [Entry], unpublished: Set<UInt64> = []
) -> MergeResult {
    merge(
        base: base, ours: ours, theirs: theirs, device: "DESK", theirDevice: "LAPTOP",
        moment: Timestamp(seconds: 1_795_269_909, nanoseconds: 5), unpublished: unpublished)
}

extension Entry {
    /// What must not be lost: bytes, and for what has none, what it is.
    var content: Content {
        Content(body: body, xattrs: xattrs, ino: body == .link ? ino : 0)
    }

    struct Content: Hashable {
        let body: Body
        let xattrs: [ExtendedAttribute]
        let ino: UInt64
    }
}
