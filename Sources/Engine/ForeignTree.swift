// SPDX-License-Identifier: Apache-2.0
//
// A tree beside the volume's own in the mount's root: what is public on the chunk store
// (`public/`), and what other parts add, some of it writable. A tree knows its nodes by numbers of
// its own; the engine makes inodes of them.

package import Namespace
package import Threading

/// A tree of things that are not the volume's.
///
/// Calls come from any thread. What would have to wait throws `wouldBlock` without patience, and is
/// asked again with it.
package protocol ForeignTree: Sendable {
    /// Its directory's name in the mount's root.
    var name: String { get }

    /// The engine runs, and hears what changes. Called once, before anything else is asked.
    func begin(_ host: ForeignHost)

    /// The engine ends: whoever waits is let go. What is kept here goes on at the next start.
    func end()

    /// What a node is. Node 0 is the tree's own directory, and is always there.
    ///
    /// - Throws: `stale` for a number that no node has, or has any more; `wouldBlock`.
    func status(of node: UInt64, _ patience: Patience?) throws(FileError) -> ForeignStatus

    /// The node under a name.
    ///
    /// - Throws: `notFound`, `notDirectory`, `stale`, `wouldBlock`; what fetching throws.
    func child(
        _ name: [UInt8], of node: UInt64, _ patience: Patience?
    ) throws(FileError) -> UInt64

    /// Names of a directory from position `start` on, at most `limit` of them; none at the end.
    /// Positions only grow within a listing, and a name that comes or goes meanwhile moves no
    /// other.
    ///
    /// - Throws: `notDirectory`, `stale`, `wouldBlock`; what fetching throws.
    func children(
        of node: UInt64, from start: Int, limit: Int, _ patience: Patience?
    ) throws(FileError) -> [ForeignChild]

    /// A file's content, for as long as it is open.
    ///
    /// - Throws: `isDirectory`, `stale`, `wouldBlock`; what fetching throws.
    func open(_ node: UInt64, _ patience: Patience?) throws(FileError) -> any ForeignContent

    /// What the tree tells of a node, by the whole names of extended attributes, without asking
    /// anybody.
    ///
    /// - Throws: `stale`.
    func attributes(of node: UInt64) throws(FileError) -> [String: String]

    /// The names of what it tells of a node: what `listxattr` shows, without asking anybody. What
    /// they are may be known only when somebody asks for one.
    ///
    /// - Throws: `stale`.
    func attributeNames(of node: UInt64) throws(FileError) -> [String]

    /// One attribute, also of those that are not listed; nil if there is none.
    ///
    /// - Throws: `stale`, `wouldBlock`; what fetching throws.
    func attribute(
        _ name: String, of node: UInt64, _ patience: Patience?
    ) throws(FileError) -> String?
}

extension ForeignTree {
    package func begin(_ host: ForeignHost) {}
    package func end() {}

    package func attributeNames(of node: UInt64) throws(FileError) -> [String] {
        Array(try attributes(of: node).keys)
    }

    package func attribute(
        _ name: String, of node: UInt64, _ patience: Patience?
    ) throws(FileError) -> String? {
        try attributes(of: node)[name]
    }
}

/// A tree in parts of which files are made, changed and removed.
///
/// Its files are flat and whole: it makes of them what they stand for when they are closed.
package protocol WritableForeignTree: ForeignTree {
    /// Makes an empty file.
    ///
    /// - Throws: `exists`; `notPermitted` where nothing can be made.
    func create(
        _ name: [UInt8], in node: UInt64, mode: UInt32, _ patience: Patience?
    ) throws(FileError) -> UInt64

    /// A file's content, to be written, and read.
    ///
    /// - Throws: `accessDenied` for what cannot be changed; otherwise as `open`.
    func openForWriting(
        _ node: UInt64, truncates: Bool, _ patience: Patience?
    ) throws(FileError) -> any WritableForeignContent

    /// Changes size, permissions, or the time of modification; what else a change has is passed
    /// over.
    func change(
        _ node: UInt64, _ change: AttributeChange, _ patience: Patience?
    ) throws(FileError)

    /// Removes a file.
    func remove(_ name: [UInt8], in node: UInt64, _ patience: Patience?) throws(FileError)

    /// Gives a file another name, in place of what has it.
    ///
    /// - Throws: `exists` with `noReplace`; `invalid` for an exchange.
    func rename(
        _ name: [UInt8], in node: UInt64, to newName: [UInt8], in newNode: UInt64,
        _ mode: RenameMode, _ patience: Patience?
    ) throws(FileError)

    /// Sets an attribute; nil removes it.
    ///
    /// - Throws: `notPermitted` for those that only tell; `invalid` for a value with no meaning.
    func setAttribute(
        _ name: String, of node: UInt64, to value: [UInt8]?, _ patience: Patience?
    ) throws(FileError)

    /// Returns when what was written to a file has become what it stands for.
    ///
    /// - Throws: why it has not.
    func synchronize(_ node: UInt64, _ patience: Patience?) throws(FileError)

    /// How many files are not yet what they stand for, or were refused.
    var pendingCount: Int { get }

    /// Waits for everything that was written; nil when nothing is left.
    ///
    /// - Parameter retrying: whether what failed is tried at once, and once more what was refused
    ///   for want of money: somebody asks for it, who may have paid meanwhile.
    /// - Returns: `wouldBlock` at the deadline; else why something failed for good.
    func flushAll(retrying: Bool, until deadline: WaitClock.Instant?) -> FileError?
}

/// What a tree tells the engine. Calls return at once, from any thread.
package struct ForeignHost: Sendable {
    /// A line for `.cairn/errors`: a sentence without names, keys or content.
    package let report: @Sendable (_ sentence: String) -> Void
    /// A name of a directory came, went, or leads elsewhere, and so the directory's listing is
    /// another: the kernel asks again. Without a name, only the listing is.
    package let nameChanged: @Sendable (_ directory: UInt64, _ name: [UInt8]?) -> Void
    /// A node's attributes are others; its bytes are as they were.
    package let statusChanged: @Sendable (_ node: UInt64) -> Void

    /// Names them.
    package init(
        report: @escaping @Sendable (String) -> Void,
        nameChanged: @escaping @Sendable (UInt64, [UInt8]?) -> Void,
        statusChanged: @escaping @Sendable (UInt64) -> Void
    ) {
        self.report = report
        self.nameChanged = nameChanged
        self.statusChanged = statusChanged
    }
}

/// The bytes of an open file of a foreign tree.
package protocol ForeignContent: Sendable {
    /// Whether the kernel may keep what it has read before: nil if its size is not what `status`
    /// says, so that it keeps nothing and asks for each read.
    var keepsCache: Bool? { get }

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

extension ForeignContent {
    package var keepsCache: Bool? { true }
}

/// The bytes of a file of a foreign tree that is open to be written.
package protocol WritableForeignContent: ForeignContent {
    /// Writes all of `bytes`.
    ///
    /// - Throws: `tooLarge`, `noSpace`.
    func write(at offset: UInt64, _ bytes: Span<UInt8>) throws(FileError)

    /// One of those who have it open closes it.
    ///
    /// - Throws: what `close` is to answer.
    func finish() throws(FileError)

    /// Nobody has it open any more.
    func close()
}

/// What `stat` shows of a node.
package struct ForeignStatus: Sendable, Hashable {
    /// Whether it has names in it; else it is a file.
    package var isDirectory: Bool
    /// Bytes of a file; 0 for a directory.
    package var size: UInt64
    /// Its only time; nil for the present.
    package var modified: Timestamp?
    /// Its permissions; nil for those of what nobody can change.
    package var mode: UInt32?

    /// Names them.
    package init(
        isDirectory: Bool, size: UInt64 = 0, modified: Timestamp? = nil, mode: UInt32? = nil
    ) {
        self.isDirectory = isDirectory
        self.size = size
        self.modified = modified
        self.mode = mode
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
    /// The position after it.
    package var next: Int

    /// Names them.
    package init(name: [UInt8], node: UInt64, isDirectory: Bool, next: Int) {
        self.name = name
        self.node = node
        self.isDirectory = isDirectory
        self.next = next
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

    /// Whether an inode is a foreign tree's own directory.
    static func isRoot(_ ino: UInt64) -> Bool { isForeign(ino) && split(ino).node == 0 }

    static func split(_ ino: UInt64) -> (tree: Int, node: UInt64) {
        (Int((ino & ~mark) >> nodeBits), ino & (1 << nodeBits - 1))
    }
}
