// SPDX-License-Identifier: Apache-2.0
//
// The root as bytes: round trips, hostile bytes, limits.

import Primitives
import TestSupport
import Testing

@testable import Namespace

@Suite("The root")
struct RootTests {
    @Test("what is encoded decodes to the same root", arguments: 0..<60)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let root = try random.root()
        #expect(try Root(decoding: try root.encoded()) == root, "seed \(seed)")
    }

    @Test("bytes that decode are the only bytes of their root", arguments: 0..<40)
    func mutations(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let bytes = try random.root().encoded()
        for _ in 0..<200 {
            var mutated = bytes
            for _ in 0...random.below(2) {
                mutated[random.below(mutated.count)] = UInt8(random.below(256))
            }
            if random.chance(20) { mutated.remove(at: random.below(mutated.count)) }
            // Most are refused, as they should be; those that are not must be canonical.
            guard let root = try? Root(decoding: mutated) else { continue }
            #expect(try root.encoded() == mutated, "seed \(seed)")
        }
        for count in bytes.indices {
            #expect(throws: NamespaceError.self) {
                try Root(decoding: Array(bytes.prefix(count)))
            }
        }
        #expect(throws: NamespaceError.self) { try Root(decoding: bytes + [0]) }
    }

    @Test("a root of a later version is told apart from a broken one")
    func laterVersion() throws {
        var random = SeededGenerator(seed: 1)
        var root = try random.root()
        var bytes = try root.encoded()
        bytes[0] = 2
        #expect(throws: NamespaceError.unsupportedVersion(2)) { try Root(decoding: bytes) }
        root.formatVersion = 3
        #expect(throws: NamespaceError.unsupportedVersion(3)) { try root.encoded() }
    }

    @Test("roots that break a rule are not written")
    func faults() throws {
        func refuses(_ change: (inout Root) -> Void) throws {
            var random = SeededGenerator(seed: 2)
            var root = try random.root()
            change(&root)
            #expect(throws: NamespaceError.self) { try root.encoded() }
        }
        try refuses { $0.volumeID.removeLast() }
        try refuses { $0.device = String(repeating: "d", count: 129) }
        try refuses { $0.published.nanoseconds = 1_000_000_000 }
        try refuses { $0.maximumChunkSize = 0 }
        try refuses { $0.maximumChunkSize = 4_194_305 }
        try refuses { $0.nextInode = 0 }
        try refuses { $0.nextInode = NamespaceLimits.maximumInode + 2 }
        try refuses { $0.nextInode = $0.files.ino }
        try refuses { $0.files.name = Array("other".utf8) }
        try refuses { swap(&$0.files, &$0.scratchpads) }
        try refuses { $0.files.body = .symlink([65]) }
        try refuses { $0.files.xattrs = attributes(size: NamespaceLimits.maximumTopEntrySize) }
    }

    /// Extended attributes of about `size` bytes.
    private func attributes(size: Int) -> [ExtendedAttribute] {
        let limit = NamespaceLimits.maximumXattrValueSize
        return stride(from: 0, to: size, by: limit).map { start in
            ExtendedAttribute(
                name: Array("user.\(1_000_000 + start)".utf8),
                value: [UInt8](repeating: 0, count: min(limit, size - start)))
        }
    }

    @Test("the largest root fits into its limit, and bytes over the limit are not looked at")
    func size() throws {
        var random = SeededGenerator(seed: 3)
        var root = try random.root()
        root.device = String(repeating: "d", count: NamespaceLimits.maximumDeviceSize)
        root.hardLinks = try random.reference()
        root.revisionLog = try random.reference()
        root.revision = .max
        root.totals = Totals(fileCount: .max, directoryCount: .max, byteCount: .max)
        let large = attributes(size: NamespaceLimits.maximumTopEntrySize - 500)
        root.files.xattrs = large
        root.scratchpads.xattrs = large
        let bytes = try root.encoded()
        #expect(bytes.count <= NamespaceLimits.maximumRootSize)
        #expect(try Root(decoding: bytes) == root)
        let limit = NamespaceLimits.maximumRootSize
        #expect(throws: NamespaceError.tooLarge(limit: limit)) {
            try Root(decoding: [UInt8](repeating: 1, count: limit + 1))
        }
    }

    @Test("an ordinary root is smaller than a kibibyte")
    func ordinarySize() throws {
        var random = SeededGenerator(seed: 4)
        var root = try random.root()
        root.files.xattrs = []
        root.scratchpads.xattrs = []
        #expect(try root.encoded().count < 1024)
    }
}
