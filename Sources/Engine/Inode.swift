// SPDX-License-Identifier: Apache-2.0
//
// One inode while the engine works on it: its row, and of its content what is in memory.
//
// An inode is *resident* while somebody has it pinned: an open file, a dirty list, an operation.
// All others exist in the database only. The state is touched with its lock held, and nothing that
// waits for the store is called under that lock.
//
// Invariants:
// 1. `buffers` holds bytes that are newer than the group entry of the same block.
// 2. A slot leaves an entry only into `pendingReleases`; it is released after the row that forgot
//    it has been written, so no committed row names a slot that somebody else may have
//    (docs/ARCHITECTURE.md §6.8).
// 3. `buffers` and dirty entries exist only where `row.form` is `.blocks`.
// 4. Each buffer has one reserved slot in the arena.
// 5. An inode with a buffer, or with a journal row, is on the dirty list: it stays resident until
//    the row is gone.

import Blocks
import Primitives
import Metadata
import Namespace
import SelfEncryption
import Synchronization

/// A segment's data map with one entry per chunk of the file.
struct FullMap: Sendable {
    let segment: Segment
    let map: DataMap
}

/// What the engine keeps in memory of one inode.
struct InodeState: Sendable {
    /// The inode's row; newer than the database's when `isRowDirty`.
    var row: InodeRow
    var isRowDirty = false
    /// Only the row's access time is newer: to be kept, but no change to publish.
    var isAccessDirty = false
    /// The kernel does not know the newest access time. It had no pages of the file when it was
    /// opened, so it asks by itself after its first read; else it is told at the close.
    var isAccessUntold = false
    /// The kernel has read or written, and may have kept pages.
    var mayBeCached = false
    /// Removed from the database; everything else here is void.
    var isDeleted = false
    /// On the volume's dirty list, which holds a pin.
    var isListed = false

    /// Whole content of an inline file, a pad or a symlink; nil when not loaded.
    var inline: [UInt8]?
    var isInlineDirty = false
    /// Its bytes that `Volume.unwrittenInline` has.
    var unwrittenInline = 0

    /// What the chunk store has of a file in blocks; meaningful when `isBaseLoaded`.
    var base: StoredContent? {
        didSet { baseChange &+= 1 }
    }
    /// How often `base` changed in memory: what was read of it is of use until the next time.
    private(set) var baseChange: UInt64 = 0
    var isBaseLoaded = false
    var isBaseDirty = false
    /// Root-level maps of the base's segments by offset, as far as they were needed.
    var fullMaps: [UInt64: FullMap] = [:]

    /// Groups read from the database or made here. A group that is not here may be in the database.
    var groups: [UInt64: BlockGroup] = [:]
    var dirtyGroups: Set<UInt64> = []
    /// Blocks written and not yet sealed into the arena, and what the journal has of them.
    var buffers = BlockBuffers()
    /// Slots that these blocks do not name any more, to be released once the rows are written.
    var pendingReleases: [(slot: UInt32, owner: BlockOwner)] = []
    /// Where the last write ended: sequential writers are sealed early.
    var lastWriteEnd: UInt64 = 0
    /// Writes in a row until then, each a little behind the one before.
    var ascendingWrites: UInt32 = 0
    /// A block that was sealed with others, and its slot: those near it would best lie near that.
    var lastSealed: (block: UInt64, slot: UInt32)?

    /// Set while a flush reads a snapshot: how far the content was truncated meanwhile.
    var flushTruncation: UInt64?
    /// What the base will have bytes of when that flush ends; empty when none runs.
    var flushRuns: [Range<UInt64>] = []
    /// That flush read its snapshot before the file took the name it has.
    var isFlushHeld = false
    /// When bytes last changed; a flush waits for quiet.
    var lastModified: ContinuousClock.Instant?

    /// A pad's identity and counters; nil when not loaded or not a pad.
    var pad: PadRow?
    var isPadDirty = false
    /// Content or encoding changed since the pad was last sealed.
    var isPadUnsealed = false

    /// It was made, or looked at, and has no extended attributes. Changed under the lock of names.
    var lacksAttributes = false

    /// Made without a name (O_TMPFILE), and not given one yet.
    var isLinkable = false

    var openCount = 0
    var writerCount = 0

    /// The size the volume's totals have for this file.
    var countedSize: UInt64

    init(row: InodeRow) {
        self.row = row
        countedSize = row.kind == .regular ? row.size : 0
    }

    var ino: UInt64 { row.ino }

    /// The root-level map of this very segment, if it is known.
    func fullMap(of segment: Segment) -> DataMap? {
        // One that was not packed has no other.
        if segment.map.child == nil { return segment.map }
        guard let known = fullMaps[segment.offset], known.segment == segment else { return nil }
        return known.map
    }

    /// Anything a commit has to write, or to keep in memory after it.
    var isDirty: Bool { isAccessDirty || isChanged }

    /// The same, but for the access time.
    var isChanged: Bool {
        isRowDirty || isInlineDirty || isBaseDirty || isPadDirty || !dirtyGroups.isEmpty
            || !buffers.isEmpty || buffers.hasStaleRows || !pendingReleases.isEmpty
    }

    /// Something that a program changed, and that is in no transaction yet.
    var hasChangesOfPrograms: Bool { isRowDirty || isInlineDirty || buffers.changedCount > 0 }

    /// Times after a change of bytes.
    ///
    /// - Parameter now: nil where the kernel keeps the times, and sends them.
    mutating func noteChange(_ now: Timestamp?) {
        if let now {
            row.attributes.modified = now
            row.attributes.changed = now
        }
        isRowDirty = true
        lastModified = .now
        if row.form == .pad { isPadUnsealed = true }
    }

    /// Forgets inline content, which may never have been here. A pad's identity is loaded.
    mutating func replaceInline() {
        inline = []
        if pad?.isUnseen == true {
            pad?.publishedDigest = PadDigest.replaced
            isPadDirty = true
        }
    }

    /// Bytes from the end of one write to the begin of the next that goes on from it, at most.
    private static let nearness: UInt64 = 2 << 20

    /// Notes where a write was.
    mutating func follow(_ range: Range<UInt64>) {
        let (from, last) = (range.lowerBound, lastWriteEnd)
        let goesOn = from >= last && from - last <= InodeState.nearness
        ascendingWrites = goesOn ? ascendingWrites &+ 1 : 0
        lastWriteEnd = range.upperBound
    }

    /// Limit of the base's valid bytes; 0 without a base.
    var baseLimit: UInt64 { base?.baseLimit ?? 0 }

    /// What `stat` shows.
    var status: FileStatus { FileStatus(row) }
}

extension FileStatus {
    /// The size `stat` shows for a directory: entries are no bytes, and programs expect a block.
    static let directorySize: UInt64 = 4096

    init(_ row: InodeRow) {
        let isDirectory = row.kind == .directory
        self.init(
            ino: row.ino, kind: row.kind, attributes: row.attributes,
            size: isDirectory ? FileStatus.directorySize : row.size, linkCount: row.linkCount,
            device: row.device,
            allocated: isDirectory ? FileStatus.directorySize : row.allocated)
    }
}

/// A resident inode.
final class Inode: Sendable {
    let ino: UInt64
    /// Order: after `Committer.structure`, before the table's shard, the database and the arena.
    let state: Lock<InodeState>
    /// How many want it to stay in memory: see `InodeTable.unpin`. Relaxed: it counts, and what is
    /// read of an inode passes through locks.
    fileprivate let pins = Atomic<Int>(1)

    init(row: InodeRow) {
        ino = row.ino
        state = Lock(InodeState(row: row))
    }
}

/// All resident inodes, and the kernel's references to inodes resident or not.
///
/// Invariant: at most one `Inode` per number exists. It is in its shard for as long as it has pins;
/// the first pin and the last are counted under the shard's lock, so nobody finds one without.
final class InodeTable: Sendable {
    private struct Shard: ~Copyable {
        let resident = Lock<[UInt64: Inode]>([:])
        let references = Lock<[UInt64: Hold]>([:])
    }

    /// What the kernel has of an inode until it forgets it.
    private struct Hold {
        var count: UInt64 = 0
        /// It may have pages of the content: it forgets them with the inode at the latest.
        var mayBeCached = false
    }

    private final class ShardBox: Sendable {
        let shard = Shard()
    }

    private static let shardCount = 16
    private let shards = (0..<InodeTable.shardCount).map { _ in ShardBox() }

    private func box(_ ino: UInt64) -> ShardBox {
        shards[Int(ino % UInt64(InodeTable.shardCount))]
    }

    /// The inode pinned once more; `load` reads its row when it is not resident.
    ///
    /// - Returns: nil when `load` finds no row.
    func pin(
        _ ino: UInt64, load: (UInt64) throws(FileError) -> InodeRow?
    ) throws(FileError) -> Inode? {
        try box(ino).shard.resident.withLock { (resident) throws(FileError) -> Inode? in
            if let inode = resident[ino] {
                pinAgain(inode)
                return inode
            }
            guard let row = try load(ino) else { return nil }
            let inode = Inode(row: row)
            resident[ino] = inode
            return inode
        }
    }

    /// The inode of a row just written, pinned once more: somebody may have found the row already.
    func pin(_ row: InodeRow) -> Inode {
        box(row.ino).shard.resident.withLock { resident in
            if let inode = resident[row.ino] {
                pinAgain(inode)
                return inode
            }
            let inode = Inode(row: row)
            resident[row.ino] = inode
            return inode
        }
    }

    /// One more pin of an inode that is pinned already.
    func pinAgain(_ inode: Inode) {
        inode.pins.add(1, ordering: .relaxed)
    }

    /// Takes one pin back; the last one drops the inode from memory.
    func unpin(_ inode: Inode) {
        var pins = inode.pins.load(ordering: .relaxed)
        while pins > 1 {
            let (isTaken, now) = inode.pins.compareExchange(
                expected: pins, desired: pins - 1, ordering: .relaxed)
            if isTaken { return }
            pins = now
        }
        box(inode.ino).shard.resident.withLock { resident in
            let left = inode.pins.subtract(1, ordering: .relaxed).newValue
            assert(left >= 0, "unpinned more often than it was pinned")
            if left == 0 { resident[inode.ino] = nil }
        }
    }

    /// The inode if it is resident, pinned for the time of `body`.
    func peek<R>(_ ino: UInt64, _ body: (inout InodeState) -> R) -> R? {
        let found = box(ino).shard.resident.withLock { resident -> Inode? in
            guard let inode = resident[ino] else { return nil }
            pinAgain(inode)
            return inode
        }
        guard let found else { return nil }
        defer { unpin(found) }
        return found.state.withLock { body(&$0) }
    }

    /// Counts one reference of the kernel.
    func addReference(_ ino: UInt64) {
        box(ino).shard.references.withLock { $0[ino, default: Hold()].count += 1 }
    }

    /// Takes `count` references back.
    ///
    /// - Returns: true when none is left.
    func dropReferences(_ ino: UInt64, count: UInt64) -> Bool {
        box(ino).shard.references.withLock { references in
            guard let held = references[ino] else { return true }
            if held.count > count {
                references[ino]?.count = held.count - count
                return false
            }
            references[ino] = nil
            return true
        }
    }

    /// True while the kernel holds the inode.
    func isReferenced(_ ino: UInt64) -> Bool {
        box(ino).shard.references.withLock { $0[ino] != nil }
    }

    /// The kernel may have pages of an inode, as long as it holds it.
    func noteCached(_ ino: UInt64) {
        box(ino).shard.references.withLock { $0[ino]?.mayBeCached = true }
    }

    /// Whether the kernel may have pages of an inode, from before it was last opened.
    func mayBeCached(_ ino: UInt64) -> Bool {
        box(ino).shard.references.withLock { $0[ino]?.mayBeCached ?? false }
    }

    /// How many inodes are resident.
    var residentCount: Int {
        shards.reduce(0) { $0 + $1.shard.resident.withLock { $0.count } }
    }
}
