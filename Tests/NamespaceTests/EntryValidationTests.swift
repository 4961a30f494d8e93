// SPDX-License-Identifier: Apache-2.0
//
// What may not stand in a page: every rule, broken one at a time, on both ways.

import Primitives
import SelfEncryption
import TestSupport
import Testing

@testable import Namespace

@Suite("Entries")
struct EntryValidationTests {
    @Test(
        "names are 1 to 255 bytes without slash and NUL, and not the two dots",
        arguments: [
            ("a", true), ("...", true), (".a", true), ("..a", true), ("", false), (".", false),
            ("..", false), ("a/b", false), ("/", false), ("a\0", false), ("\0", false),
            (String(repeating: "x", count: 255), true),
            (String(repeating: "x", count: 256), false),
        ])
    func names(name: String, isValid: Bool) {
        #expect(Entry.isValidName(Array(name.utf8)) == isValid)
        #expect(Entry.isValidName(Array(name.utf8)) == (faults(file(name)) == nil))
    }

    @Test("keys of the hard-link table are never names, and names never keys")
    func keySpaces() throws {
        for ino in [1, 255, 1 << 20, NamespaceLimits.maximumInode] {
            let key = Entry.hardLinkName(of: ino)
            #expect(Entry.inode(ofHardLinkName: key) == ino)
            #expect(!Entry.isValidName(key))
        }
        #expect(Entry.inode(ofHardLinkName: Array("12345678".utf8)) == nil)
        #expect(Entry.inode(ofHardLinkName: [UInt8](repeating: 0, count: 8)) == nil)
        var entry = file("a", ino: 5)
        entry.name = Entry.hardLinkName(of: 5)
        #expect(entry.fault(in: .inodes) == nil)
        #expect(entry.fault(in: .names) != nil)
        entry.ino = 6
        #expect(entry.fault(in: .inodes) != nil)
        #expect(throws: NamespaceError.self) {
            try Page.leaf([.link(name: Entry.hardLinkName(of: 5), ino: 5)]).encoded()
        }
        entry.ino = 5
        #expect(throws: NamespaceError.self) { try Page.leaf([entry, file("a")]).encoded() }
    }

    @Test("numbers, modes, times and links out of range are refused")
    func scalars() {
        expectFault { $0.ino = 0 }
        expectFault { $0.ino = NamespaceLimits.maximumInode + 1 }
        expectFault { $0.linkCount = 0 }
        expectFault { $0.attributes.mode = 0o10000 }
        expectFault { $0.attributes.created.nanoseconds = 1_000_000_000 }
        expectFault { $0.attributes.accessed.nanoseconds = .max }
        // A link with anything of its own would be a second truth.
        expectFault { $0.body = .link }
        var link = Entry.link(name: [65], ino: 1)
        #expect(faults(link) == nil)
        link.linkCount = 2
        #expect(faults(link) != nil)
    }

    @Test("bodies that contradict themselves are refused")
    func bodies() throws {
        var random = SeededGenerator(seed: 4)
        let reference = try random.reference()
        let bodies: [Body] = [
            .regular(size: 1, .inline([])),
            .regular(
                size: 65_537, .inline([UInt8](repeating: 0, count: 65_537))),
            .regular(size: NamespaceLimits.maximumFileSize + 1, .segments([])),
            .regular(size: 5, .indirect(reference, count: 0)),
            .regular(
                size: 5, .indirect(reference, count: NamespaceLimits.maximumSegmentCount + 1)),
            .directory(pages: nil, entryCount: 1, linkCount: 2),
            .directory(pages: reference, entryCount: 0, linkCount: 2),
            .symlink([]), .symlink([65, 0]), .symlink([UInt8](repeating: 65, count: 4096)),
            .special(.regular, device: 0), .special(.directory, device: 0),
            .special(.fifo, device: 1), .special(.socket, device: 1),
        ]
        for body in bodies { expectFault { $0.body = body } }
        var pad = try random.pad()
        pad.identity.removeLast()
        expectFault { $0.body = .pad(pad) }
    }

    @Test("segments are sorted, apart, not empty, and inside their file and maps")
    func segments() throws {
        var random = SeededGenerator(seed: 5)
        let map = DataMap(version: .v2, chunks: try random.descriptors(3, size: 10))
        func body(_ runs: [(UInt64, UInt64)], size: UInt64 = 1000) -> Body {
            .regular(
                size: size, .segments(runs.map { Segment(offset: $0.0, size: $0.1, map: map) }))
        }
        var entry = file("a")
        entry.body = body([(0, 30), (30, 30), (70, 29)])
        #expect(faults(entry) == nil)
        let broken: [Body] = [
            body([(0, 30), (29, 30)]), body([(30, 30), (0, 30)]), body([(0, 0)]),
            body([(0, 31)]), body([(980, 30)]), body([(UInt64.max - 5, 30)]),
            body((0..<65).map { ($0 * 40, 30) }, size: 10_000),
        ]
        for body in broken { expectFault { $0.body = body } }
    }

    @Test("data maps are in order, of one version, with plausible sizes")
    func dataMaps() throws {
        var random = SeededGenerator(seed: 6)
        let chunks = try random.descriptors(3, size: 10)
        let foreign = ChunkDescriptor(
            index: 2, address: try random.digest(.sha3), source: chunks[2].source, size: 10)
        let huge = ChunkDescriptor(
            index: 2, address: chunks[2].address, source: chunks[2].source, size: 4_190_210)
        let maps = [
            DataMap(version: .v2, chunks: []), DataMap(version: .v2, chunks: Array(chunks[..<2])),
            DataMap(version: .v2, chunks: chunks.reversed()),
            DataMap(version: .v2, chunks: Array(chunks[..<2]) + [foreign]),
            DataMap(version: .v2, chunks: Array(chunks[..<2]) + [huge]),
            DataMap(version: .v1, chunks: chunks),
            DataMap(version: .v2, chunks: chunks, child: 0),
            DataMap(version: .v2, chunks: chunks, child: 9),
            DataMap(version: .v2, chunks: try random.descriptors(1025, size: 10)),
        ]
        for map in maps {
            expectFault {
                $0.body = .regular(size: 5, .segments([Segment(offset: 0, size: 5, map: map)]))
            }
        }
    }

    @Test("extended attributes are sorted, each once, and limited")
    func xattrs() {
        func xattr(_ name: String, _ size: Int = 1) -> ExtendedAttribute {
            ExtendedAttribute(name: Array(name.utf8), value: [UInt8](repeating: 1, count: size))
        }
        var entry = file("a")
        entry.xattrs = [
            xattr("a", 65_536), xattr("b", 0), xattr(String(repeating: "c", count: 255)),
        ]
        #expect(faults(entry) == nil)
        expectFault { $0.xattrs = [xattr("b"), xattr("a")] }
        expectFault { $0.xattrs = [xattr("a"), xattr("a")] }
        expectFault { $0.xattrs = [xattr("")] }
        expectFault { $0.xattrs = [xattr("a\0")] }
        expectFault { $0.xattrs = [xattr(String(repeating: "c", count: 256))] }
        expectFault { $0.xattrs = [xattr("a", 65_537)] }
        expectFault { $0.xattrs = (0..<257).map { xattr("user.\(1000 + $0)") } }
    }

    @Test("an entry over its limit is refused, however it got there")
    func entrySize() {
        var entry = file("a")
        entry.xattrs = (0..<17).map { index in
            ExtendedAttribute(
                name: Array("user.\(100 + index)".utf8),
                value: [UInt8](repeating: 1, count: 65_536))
        }
        #expect(throws: NamespaceError.tooLarge(limit: NamespaceLimits.maximumEntrySize)) {
            try Page.leaf([entry]).encoded()
        }
        entry.xattrs.removeLast(2)
        #expect(throws: Never.self) { try Page.leaf([entry]).encoded() }
    }

    @Test("entries out of order, twice, or none at all make no page")
    func order() {
        for entries in [[], [file("b"), file("a")], [file("a"), file("a")]] {
            #expect(throws: NamespaceError.self) { try Page.leaf(entries).encoded() }
        }
    }

    @Test("moments are ordered, and never have a thousand million nanoseconds")
    func moments() async {
        let early = Timestamp(seconds: -5, nanoseconds: 999_999_999)
        #expect(early < Timestamp(seconds: -4, nanoseconds: 0))
        #expect(Timestamp(seconds: -5, nanoseconds: 0) < early)
        await #expect(processExitsWith: .failure) {
            _ = Timestamp(seconds: 0, nanoseconds: 1_000_000_000)
        }
    }

    /// The rule that both the writer and, if the bytes could be written, the reader find broken.
    private func faults(_ entry: Entry) -> String? {
        let fault = entry.fault(in: .names)
        if let fault {
            #expect(throws: NamespaceError.invalid(fault)) {
                try Page.leaf([entry]).encoded()
            }
            var writer = ByteWriter()
            writer.u8(1)
            writer.u8(1)
            writer.varint(1)
            entry.encode(into: &writer)
            // Some faults have no bytes of their own; whatever is read then is another entry.
            if let page = try? Page(decoding: writer.bytes) { #expect(page != .leaf([entry])) }
        } else {
            #expect(throws: Never.self) {
                try Page(decoding: try Page.leaf([entry]).encoded())
            }
        }
        return fault
    }

    private func expectFault(
        _ change: (inout Entry) -> Void, at location: SourceLocation = #_sourceLocation
    ) {
        var entry = file("a")
        change(&entry)
        #expect(faults(entry) != nil, sourceLocation: location)
    }
}

extension SeededGenerator {
    fileprivate mutating func descriptors(
        _ count: Int, size: UInt64
    ) throws -> [ChunkDescriptor] {
        try (0..<count).map { index in
            ChunkDescriptor(
                index: UInt64(index), address: try digest(), source: try digest(), size: size)
        }
    }
}
