// SPDX-License-Identifier: Apache-2.0
//
// CIDs of files and folders, against those of the reference tools.

import AlephProtocol
import Cryptography
import JSON
import Primitives
import TestSupport
import Testing

struct ContentIdentifierTests {
    /// 64 KiB of the generator of the vectors, after which it repeats: (31 i + ⌊i / 256⌋) mod 256.
    private static let period: [UInt8] = (0..<65_536).map {
        UInt8(truncatingIfNeeded: $0 * 31 + ($0 >> 8))
    }

    /// Hands out the first `size` bytes of the generator in pieces of at most `step`.
    private func generate(_ size: Int, step: Int = 65_536, _ body: (Span<UInt8>) -> Void) {
        var offset = 0
        while offset < size {
            let start = offset % 65_536
            let count = min(step, 65_536 - start, size - offset)
            body(ContentIdentifierTests.period.span.extracting(start..<start + count))
            offset += count
        }
    }

    private func root(_ size: Int, _ layout: UnixFSLayout, step: Int = 65_536) -> UnixFSLink {
        var hasher = UnixFSHasher(layout: layout)
        generate(size, step: step) { hasher.update($0) }
        return hasher.finalize()
    }

    @Test("every file of the vectors has its CID, in all three layouts, and its SHA-256")
    func files() throws {
        let vectors = try #require(try VectorFile.read("cids")["vectors"]?.array)
        #expect(vectors.count == 15)
        for vector in vectors {
            let literal = vector["literal_utf8"]?.string.map { Array($0.utf8) }
            let size = try #require(vector["size"]?.int)
            func root(_ layout: UnixFSLayout) -> UnixFSLink {
                guard let literal else { return self.root(size, layout) }
                var hasher = UnixFSHasher(layout: layout)
                hasher.update(literal.span)
                return hasher.finalize()
            }
            let plain = root(.version0)
            #expect(plain.cid.version0 == vector["cidv0"]?.string, "\(size)")
            #expect(plain.cid.version1 == vector["cidv0_reencoded_as_v1"]?.string, "\(size)")
            #expect(plain.fileSize == size)
            #expect(
                root(.version1).cid.version1 == vector["cidv1_raw_leaves"]?.string, "\(size)")
            // Two short ones lack this layout.
            if let expected = vector["cidv1_dagpb_leaves"]?.string {
                #expect(root(.version1WithHeads).cid.version1 == expected, "\(size)")
            }
            var hasher = SHA256Hasher()
            if let literal {
                hasher.update(literal.span)
            } else {
                generate(size) { hasher.update($0) }
            }
            #expect(Hex.encode(hasher.finalize()) == vector["sha256"]?.string, "\(size)")
            for (name, isTaken) in vector["valid_aleph_item_hash"]?.object?.fields.map({
                ($0.name, $0.value.bool)
            }) ?? [] {
                guard let text = vector[name]?.string else { continue }
                #expect((ItemHash(text) != nil) == isTaken, "\(size) \(name)")
            }
        }
    }

    @Test("the CID does not depend on how the bytes were cut", arguments: 1...20)
    func cuts(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let size = Int.random(in: 0...700_000, using: &random)
        let step = Int.random(in: 1...65_536, using: &random)
        #expect(root(size, .version0, step: max(step, 500)) == root(size, .version0))
    }

    @Test("a folder has its CID")
    func folder() throws {
        let vector = try VectorFile.read("folder_cid")
        var hasher = UnixFSHasher(layout: .version0)
        hasher.update(Array("a\n".utf8).span)
        for layout in [UnixFSLayout.version0, .version1] {
            var small = UnixFSHasher(layout: layout)
            small.update(Array("a\n".utf8).span)
            let inner = UnixFS.folder(["b.bin": root(300_000, layout)], layout: layout)
            let folder = UnixFS.folder(["sub": inner, "a.txt": small.finalize()], layout: layout)
            let text =
                layout == .version0 ? folder.cid.version0 : folder.cid.version1
            let name = layout == .version0 ? "root_cidv0" : "root_cidv1"
            #expect(text == (try vector.text(name)))
        }
    }

    @Test("both versions of a CID are read back, and name the same block")
    func readBack() throws {
        let cid = root(1000, .version0).cid
        #expect(ContentIdentifier(cid.version0) == cid)
        #expect(ContentIdentifier(cid.version1) == cid)
        let raw = root(1000, .version1).cid
        #expect(ContentIdentifier(raw.version1) == raw)
        #expect(raw.codec == .raw)
        for wrong in ["", "Qm", "b", cid.version0 + "1", String(cid.version1.dropLast()), "z123"] {
            #expect(ContentIdentifier(wrong) == nil)
        }
    }

    @Test("a CID tells its file from others, whichever layout it was made with")
    func isFile() {
        let bytes = Array(ContentIdentifierTests.period.prefix(1000))
        for layout in UnixFSLayout.allCases {
            let cid = root(1000, layout).cid
            #expect(cid.isFile(bytes))
            #expect(!cid.isFile(Array(bytes.dropLast())))
        }
    }
}
