// SPDX-License-Identifier: Apache-2.0
//
// The first format stays readable for ever, and what is written today is that format.

import Cryptography
import Primitives
import Scratchpads
import SelfEncryption
import Testing

@testable import Namespace

@Suite("The first format")
struct FrozenFormatTests {
    @Test("pages of the first format are read, and written to the same bytes")
    func pages() throws {
        let cases: [(Page, [UInt8])] = [
            (.leaf(try Self.entries()), FrozenBytes.leafOfNames),
            (.leaf(Self.hardLinks()), FrozenBytes.leafOfInodes),
            (
                .index([
                    PageLink(
                        first: Array("alpha".utf8), reference: try Self.reference(0x60),
                        entryCount: 1000),
                    PageLink(
                        first: Array("beta".utf8), reference: try Self.reference(0x62),
                        entryCount: 1),
                ]), FrozenBytes.indexOfNames
            ),
            (
                .index([
                    PageLink(
                        first: Entry.hardLinkName(of: 77), reference: try Self.reference(0x64),
                        entryCount: 200)
                ]), FrozenBytes.indexOfInodes
            ),
            (.segments(try Self.segments()), FrozenBytes.segments),
            (
                .revisions(
                    [try Self.record(7), try Self.record(9, hardLinks: Self.reference(0x32))],
                    older: [
                        RevisionSpan(
                            newest: try Self.reference(0x70), firstRevision: 5, pageCount: 1),
                        RevisionSpan(
                            newest: try Self.reference(0x72), firstRevision: 1, pageCount: 3),
                    ]), FrozenBytes.revisions
            ),
        ]
        for (page, bytes) in cases {
            #expect(try Page(decoding: bytes) == page)
            #expect(try page.encoded() == bytes)
        }
    }

    @Test("a root of the first format is read, and written to the same bytes")
    func root() throws {
        let root = Root(
            volumeID: VolumeKeysTests.keys.volumeID, revision: 9, files: try Self.files(),
            scratchpads: Self.scratchpads(), hardLinks: try Self.reference(0x32),
            totals: Totals(fileCount: 10, directoryCount: 3, byteCount: 1 << 40), nextInode: 400,
            device: "Käthe", published: Timestamp(seconds: 1_700_000_009, nanoseconds: 5),
            revisionLog: try Self.reference(0x74), compression: 2, maximumChunkSize: 4_190_208)
        #expect(try Root(decoding: FrozenBytes.root) == root)
        #expect(try root.encoded() == FrozenBytes.root)
    }

    @Test("a chunk of the first format opens")
    func chunk() throws {
        let address = try #require(Digest(FrozenBytes.sealedAddress))
        let reference = PageReference(address: address, key: FrozenBytes.sealedKey)
        let page = try PageCodec.open(FrozenBytes.sealed, reference: reference)
        #expect(page == .leaf(try Self.entries()))
    }

    @Test("a page that compression makes no shorter is sealed to the same chunk for ever")
    func sealing() throws {
        let nothing: [UInt8] = []
        let bytes = Blake3.deriveKey(
            context: "cairn frozen format test", material: nothing.span, count: 200)
        let page = Page.leaf([Self.entry("r", 11, .regular(size: 200, .inline(bytes)))])
        let sealed = try PageCodec.seal(page, secret: VolumeKeysTests.keys.pageSecret)
        #expect(sealed.bytes == FrozenBytes.plainSealed)
        #expect(sealed.reference.key == FrozenBytes.plainKey)
        #expect(sealed.reference.address.bytes == FrozenBytes.plainAddress)
        #expect(try PageCodec.open(sealed.bytes, reference: sealed.reference) == page)
    }

    // MARK: The values

    private static func attributes(_ mode: UInt32 = 0o644) -> FileAttributes {
        FileAttributes(
            mode: mode, uid: 1000, gid: 100,
            accessed: Timestamp(seconds: 1_000_000_001, nanoseconds: 1),
            modified: Timestamp(seconds: 1_000_000_002, nanoseconds: 2),
            changed: Timestamp(seconds: -3, nanoseconds: 999_999_999),
            created: Timestamp(seconds: 1_000_000_004, nanoseconds: 4))
    }

    private static func digest(_ byte: UInt8, _ algorithm: DigestAlgorithm) throws -> Digest {
        try #require(Digest([UInt8](repeating: byte, count: 32), algorithm: algorithm))
    }

    private static func reference(_ byte: UInt8) throws -> PageReference {
        PageReference(
            address: try digest(byte, .blake3), key: [UInt8](repeating: byte + 1, count: 32))
    }

    private static func map(
        _ version: FormatVersion, _ byte: UInt8, sizes: [UInt64], child: UInt64? = nil
    ) throws -> DataMap {
        let algorithm = version.digestAlgorithm
        return DataMap(
            version: version,
            chunks: try sizes.enumerated().map { index, size in
                ChunkDescriptor(
                    index: UInt64(index), address: try digest(byte + UInt8(index), algorithm),
                    source: try digest(byte + 0x10 + UInt8(index), algorithm), size: size)
            }, child: child)
    }

    private static func segments() throws -> [Segment] {
        let large = try map(.v1, 0xC0, sizes: [UInt64](repeating: 4_194_304, count: 4))
        return [
            Segment(
                offset: 0, size: 303, map: try map(.v2, 0xA0, sizes: [100, 101, 102], child: 1)),
            Segment(offset: 1_000_000, size: 16_777_216, map: large),
        ]
    }

    private static func entry(
        _ name: String, _ ino: UInt64, _ body: Body, mode: UInt32 = 0o644,
        xattrs: [(String, [UInt8])] = []
    ) -> Entry {
        Entry(
            name: Array(name.utf8), ino: ino, attributes: attributes(mode), linkCount: 1,
            body: body,
            xattrs: xattrs.map { ExtendedAttribute(name: Array($0.0.utf8), value: $0.1) })
    }

    private static func entries() throws -> [Entry] {
        let address = try #require(
            PadAddress(scheme: .ed25519, bytes: [UInt8](repeating: 0x55, count: 32)))
        let pad = PadReference(
            identity: [UInt8](repeating: 0x44, count: 32), address: address, encoding: 42,
            counter: 7, size: 1234)
        let pages = try reference(0x30)
        return [
            entry("block", 7, .special(.blockDevice, device: 0x801)),
            entry("dir", 2, .directory(pages: pages, entryCount: 12, linkCount: 3), mode: 0o1755),
            entry("empty", 3, .directory(pages: nil, entryCount: 0, linkCount: 2), mode: 0o755),
            entry("fifo", 8, .special(.fifo, device: 0)),
            entry(
                "inline", 4, .regular(size: 12, .inline(Array("hello, cairn".utf8))),
                xattrs: [("user.a", [0, 0xFF]), ("user.b", [])]),
            .link(name: Array("link".utf8), ino: NamespaceLimits.maximumInode),
            entry("pad", 9, .pad(pad)),
            entry("segmented", 5, .regular(size: 20_000_000, .segments(try segments()))),
            entry(
                "sparse", 6,
                .regular(
                    size: NamespaceLimits.maximumFileSize,
                    .indirect(try reference(0x50), count: 65))),
            entry("ünïcode 語", 10, .symlink(Array("../target".utf8))),
        ]
    }

    private static func hardLinks() -> [Entry] {
        var twice = entry("", 77, .regular(size: 5, .inline(Array("twice".utf8))))
        twice.name = Entry.hardLinkName(of: 77)
        twice.linkCount = 2
        var symlink = entry("", 300, .symlink(Array("x".utf8)))
        symlink.name = Entry.hardLinkName(of: 300)
        symlink.linkCount = 5
        return [twice, symlink]
    }

    private static func files() throws -> Entry {
        let body = Body.directory(pages: try reference(0x30), entryCount: 12, linkCount: 3)
        return entry("files", 1, body, mode: 0o1755)
    }

    private static func scratchpads() -> Entry {
        let body = Body.directory(pages: nil, entryCount: 0, linkCount: 2)
        return entry(
            "scratchpads", 2, body, mode: 0o700, xattrs: [("user.a", Array("1".utf8))])
    }

    private static func record(
        _ revision: UInt64, hardLinks: PageReference? = nil
    ) throws -> RevisionRecord {
        RevisionRecord(
            revision: revision,
            published: Timestamp(seconds: 1_700_000_000 + Int64(revision), nanoseconds: 5),
            device: "Käthe", files: try files(), scratchpads: scratchpads(), hardLinks: hardLinks)
    }
}
