// SPDX-License-Identifier: Apache-2.0
//
// A read-only tree beside the volume's own in the mount's root: what is public on the chunk store
// (`public/`), and what other parts add. A tree knows its nodes by numbers of its own; the engine
// makes inodes of them.

package import Namespace

/// A tree of things that are not the volume's.
///
/// Calls come from any thread. What would have to wait throws `wouldBlock` without patience, and is
/// asked again with it.
package protocol ForeignTree: Sendable {
    /// Its directory's name in the mount's root.
    var name: String { get }

    /// What a node is. Node 0 is the tree's own directory, and is always there.
    ///
    /// - Throws: `stale` for a number that no node has, or has any more.
    func status(of node: UInt64) throws(FileError) -> ForeignStatus

    /// The node under a name.
    ///
    /// - Throws: `notFound`, `notDirectory`, `stale`, `wouldBlock`; what fetching throws.
    func child(
        _ name: [UInt8], of node: UInt64, _ patience: Patience?
    ) throws(FileError) -> UInt64

    /// Names of a directory from position `start` on, at most `limit` of them. Positions are
    /// those of the last listing; a name that comes meanwhile may or may not be in it.
    ///
    /// - Throws: `notDirectory`, `stale`.
    func children(
        of node: UInt64, from start: Int, limit: Int
    ) throws(FileError) -> [ForeignChild]

    /// A file's content, for as long as it is open.
    ///
    /// - Throws: `isDirectory`, `stale`, `wouldBlock`; what fetching throws.
    func open(_ node: UInt64, _ patience: Patience?) throws(FileError) -> any ForeignContent

    /// What the tree tells of a node as `user.cairn.KEY`, by key; empty if nothing.
    ///
    /// - Throws: `stale`.
    func attributes(of node: UInt64) throws(FileError) -> [String: String]
}

/// The bytes of an open file of a foreign tree.
package protocol ForeignContent: Sendable {
    /// Fills `out` from `offset` on.
    ///
    /// - Returns: bytes given; fewer than asked only at the end.
    /// - Throws: `wouldBlock` without patience; what fetching throws.
    func read(
        at offset: UInt64, into out: inout MutableSpan<UInt8>, _ patience: Patience?
    ) throws(FileError) -> Int

    /// Nobody reads it any more: what was begun ahead of its reader may be left.
    func close()
}

extension ForeignContent {
    /// For content that begins nothing ahead.
    package func close() {}
}

/// What `stat` shows of a node.
package struct ForeignStatus: Sendable, Hashable {
    /// Whether it has names in it; else it is a file.
    package var isDirectory: Bool
    /// Bytes of a file; 0 for a directory.
    package var size: UInt64
    /// Its only time; nil for the present.
    package var modified: Timestamp?

    /// Names them.
    package init(isDirectory: Bool, size: UInt64 = 0, modified: Timestamp? = nil) {
        self.isDirectory = isDirectory
        self.size = size
        self.modified = modified
    }
}

/// One name in a directory of a foreign tree.
package struct ForeignChild: Sendable, Hashable {
    /// The bytes of the name.
    package var name: [UInt8]
    /// The node it names.
    package var node: UInt64
    /// Whether that is a directory.
    package var isDirectory: Bool

    /// Names them.
    package init(name: [UInt8], node: UInt64, isDirectory: Bool) {
        self.name = name
        self.node = node
        self.isDirectory = isDirectory
    }
}

/// How nodes of foreign trees are numbered among inodes: far above any inode of a volume, which are
/// counted from 64 on.
enum ForeignInodes {
    /// Bits of a node's number.
    static let nodeBits: UInt64 = 48
    /// Set in every inode of a foreign tree.
    static let mark: UInt64 = 1 << 55
    /// The most trees there can be.
    static let treeLimit = 1 << 7

    static func isForeign(_ ino: UInt64) -> Bool { ino >= mark }

    static func ino(tree: Int, node: UInt64) -> UInt64 {
        precondition(tree < treeLimit && node < 1 << nodeBits, "a node without an inode")
        return mark | UInt64(tree) << nodeBits | node
    }

    static func split(_ ino: UInt64) -> (tree: Int, node: UInt64) {
        (Int((ino & ~mark) >> nodeBits), ino & (1 << nodeBits - 1))
    }
}
