// SPDX-License-Identifier: Apache-2.0
//
// The CID of a file, computed while its bytes pass by.
//
// Invariant: `levels[n]` holds fewer than `maximumLinkCount` links; whatever filled a level was
// folded into one link of the next.

import Primitives

/// Which blocks a file is cut into.
package enum UnixFSLayout: Sendable, CaseIterable {
    /// What the network's nodes make, and IPFS tools by default: leaves with a head, version 0.
    case version0
    /// `--cid-version=1`: leaves of bytes alone.
    case version1
    /// `--cid-version=1 --raw-leaves=false`.
    case version1WithHeads

    fileprivate var linkVersion: Int { self == .version0 ? 0 : 1 }
}

/// A block, as a tree links to it.
package struct UnixFSLink: Sendable, Equatable {
    /// The block's name.
    package let cid: ContentIdentifier
    /// Bytes of the block and of all below it.
    package let treeSize: Int
    /// Bytes of the file that is below it.
    package let fileSize: Int
    /// Bytes of the CID's version with which it is linked to.
    fileprivate let linkVersion: Int

    fileprivate init(cid: ContentIdentifier, treeSize: Int, fileSize: Int, linkVersion: Int) {
        self.cid = cid
        self.treeSize = treeSize
        self.fileSize = fileSize
        self.linkVersion = linkVersion
    }

    /// The link's bytes within a node.
    ///
    /// - Source: the dag-pb specification.
    fileprivate func encoded(name: String = "") -> [UInt8] {
        var link: [UInt8] = []
        Protobuf.bytes(1, cid.bytes(version: linkVersion), into: &link)
        Protobuf.bytes(2, Array(name.utf8), into: &link)
        Protobuf.number(3, treeSize, into: &link)
        return link
    }
}

/// Computes the CID of a file in constant memory.
///
/// - Source: kubo's defaults: pieces of 262 144 bytes, 174 links a node; the UnixFS and dag-pb
///   specifications of IPLD.
package struct UnixFSHasher: Sendable {
    /// Bytes of file in a leaf.
    package static let leafSize = 262_144
    /// Links of a node.
    package static let maximumLinkCount = 174

    private let layout: UnixFSLayout
    private var piece = ByteWriter(capacity: UnixFSHasher.leafSize)
    private var levels: [[UnixFSLink]] = []
    private var leafCount = 0

    /// Begins a file.
    package init(layout: UnixFSLayout = .version0) {
        self.layout = layout
    }

    /// Takes in more of the file.
    package mutating func update(_ bytes: Span<UInt8>) {
        var offset = 0
        while offset < bytes.count {
            // A full piece waits for the next byte: a file of one piece is that leaf.
            if piece.count == UnixFSHasher.leafSize { addLeaf() }
            let count = min(UnixFSHasher.leafSize - piece.count, bytes.count - offset)
            piece.raw(bytes.extracting(offset..<offset + count))
            offset += count
        }
    }

    /// The root of the file's tree. Nothing may follow.
    package consuming func finalize() -> UnixFSLink {
        if piece.count > 0 || leafCount == 0 { addLeaf() }
        var level = 0
        while true {
            let links = levels[level]
            if level == levels.count - 1, links.count == 1 { return links[0] }
            if !links.isEmpty {
                levels[level] = []
                add(node(links), at: level + 1)
            }
            level += 1
        }
    }

    private mutating func addLeaf() {
        let block: [UInt8]
        let codec: ContentIdentifier.Codec
        switch layout {
        case .version1:
            block = piece.bytes
            codec = .raw
        case .version0, .version1WithHeads:
            var data: [UInt8] = []
            Protobuf.number(1, UnixFS.file, into: &data)
            if piece.count > 0 { Protobuf.bytes(2, piece.bytes, into: &data) }
            Protobuf.number(3, piece.count, into: &data)
            var node: [UInt8] = []
            Protobuf.bytes(1, data, into: &node)
            block = node
            codec = .dagPB
        }
        let leaf = UnixFSLink(
            cid: ContentIdentifier(codec: codec, block: block), treeSize: block.count,
            fileSize: piece.count, linkVersion: layout.linkVersion)
        piece = ByteWriter(capacity: UnixFSHasher.leafSize)
        leafCount += 1
        add(leaf, at: 0)
    }

    private mutating func add(_ link: UnixFSLink, at level: Int) {
        if level == levels.count { levels.append([]) }
        levels[level].append(link)
        guard levels[level].count == UnixFSHasher.maximumLinkCount else { return }
        let links = levels[level]
        levels[level] = []
        add(node(links), at: level + 1)
    }

    private func node(_ links: [UnixFSLink]) -> UnixFSLink {
        var data: [UInt8] = []
        Protobuf.number(1, UnixFS.file, into: &data)
        let fileSize = links.reduce(0) { $0 + $1.fileSize }
        Protobuf.number(3, fileSize, into: &data)
        for link in links { Protobuf.number(4, link.fileSize, into: &data) }
        return UnixFS.node(
            links.map { $0.encoded() }, data: data, fileSize: fileSize,
            below: links.reduce(0) { $0 + $1.treeSize }, linkVersion: layout.linkVersion)
    }
}

/// Nodes of UnixFS.
package enum UnixFS {
    fileprivate static let directory = 1
    fileprivate static let file = 2

    /// The node of a folder.
    ///
    /// - Parameters:
    ///   - entries: names, each once, and what they are.
    ///   - layout: as that of the files.
    package static func folder(
        _ entries: [String: UnixFSLink], layout: UnixFSLayout = .version0
    ) -> UnixFSLink {
        var data: [UInt8] = []
        Protobuf.number(1, directory, into: &data)
        let sorted = entries.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        return node(
            sorted.map { $0.value.encoded(name: $0.key) }, data: data,
            fileSize: entries.values.reduce(0) { $0 + $1.fileSize },
            below: entries.values.reduce(0) { $0 + $1.treeSize },
            linkVersion: layout.linkVersion)
    }

    /// A node: its links first, then its data, though the fields are numbered the other way.
    fileprivate static func node(
        _ links: [[UInt8]], data: [UInt8], fileSize: Int, below: Int, linkVersion: Int
    ) -> UnixFSLink {
        var block: [UInt8] = []
        for link in links { Protobuf.bytes(2, link, into: &block) }
        Protobuf.bytes(1, data, into: &block)
        return UnixFSLink(
            cid: ContentIdentifier(codec: .dagPB, block: block),
            treeSize: block.count + below, fileSize: fileSize, linkVersion: linkVersion)
    }
}

/// The two kinds of protobuf fields that nodes have.
private enum Protobuf {
    static func number(_ field: UInt8, _ value: Int, into output: inout [UInt8]) {
        output.append(field << 3)
        varint(UInt64(value), into: &output)
    }

    static func bytes(_ field: UInt8, _ value: [UInt8], into output: inout [UInt8]) {
        output.append(field << 3 | 2)
        varint(UInt64(value.count), into: &output)
        output += value
    }

    private static func varint(_ value: UInt64, into output: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(truncatingIfNeeded: rest))
    }
}
