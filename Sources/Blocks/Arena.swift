// SPDX-License-Identifier: Apache-2.0
//
// The arena: one sparse local file cut into slots, each holding one sealed block, or sealed pieces
// of several.
//
// Invariants this target keeps (docs/ARCHITECTURE.md §6):
// - 2: a dirty slot is never offered for eviction, and turns clean only by `setClean`.
// - 5: no byte leaves `read` that the reference's tag did not authenticate.
// - 8: a slot is written once and then only read, until `endCommit` of the epoch it was freed in;
//   a failed `sync` is never followed by a good one.
// - 9: a write that was reserved finds a slot; a failed write changes nothing.
//
// Locks: `table` is held for bookkeeping only, never over a system call or a seal. That of
// `writes` is held over fdatasync, so that one caller's error is seen by all who wait. Neither is
// taken while the other is held; the lanes' lock is a leaf.

package import Cryptography
internal import Glibc
internal import Primitives
internal import Synchronization

/// Sealed 16 KiB blocks in one local file, within a budget. Any thread may call anything, at once.
///
/// **References.** A slot lives as long as something names it: rows of the block map, each with
/// its owner, and pins (snapshots), which have none. `write` returns a slot with one row, or one
/// for each of the patches in it.
///
/// **Freeing.** The last `release` defers a slot. It is used again only after
/// `beginCommit` → the metadata commit, synced → `endCommit`. Rows that are to be in that commit
/// are forgotten, and their slots released, before `beginCommit`.
///
/// **Space.** Before a write is accepted the engine calls `reserve`. After writes, and in the
/// background, it asks `shortfall()` and, while that is not 0, takes `evictable(_:)`, drops those
/// rows that still name the slot and are clean, releases them, and commits. When `reserve` throws
/// `full` it does the same and tries again; when nothing was evicted and `usage().deferred` was 0,
/// the cache is full of dirty blocks, and the writer waits for a flush. A reserved write never
/// throws `full`: slots evicted and not yet committed are covered by an overshoot of the budget.
/// An unreserved write (a fetched block) throws it when the budget is used up; the block is then
/// handed to the reader without being kept.
///
/// **Reading.** The caller makes sure that the slot stays named meanwhile: by the lock its row is
/// under, or by a pin. A slot that was given away reads as `corrupt`.
package final class Arena: Sendable {
    /// Plaintext bytes of one block, and ciphertext bytes of one slot.
    package static let blockSize = 16_384
    /// Bytes before slot 0: the header's page, padded so that slots are aligned to their size.
    package static let firstSlotOffset: UInt64 = 16_384
    /// The most the arena may exceed its budget by while evicted slots wait for their commit.
    ///
    /// It is an eighth of the budget, within 8 MiB and this.
    package static let overshootLimit: UInt64 = 64 << 20
    private static let overshootFloor: UInt64 = 8 << 20
    /// The most of the budget that `shortfall` keeps free; it is a sixteenth of small ones.
    package static let lowWaterLimit: UInt64 = 256 << 20
    /// The largest budget: every slot has a 32-bit number.
    package static let budgetLimit: UInt64 = (UInt64(UInt32.max) + 1) * 16_384 - overshootLimit
    /// Slots for which the arena leaves the disk its room: the metadata must be able to commit.
    /// 32 MiB.
    static let diskMargin = 2048
    /// Slots for which the metadata may ask the disk at once, if it does not say for how many more:
    /// 14 MiB. A step of its log takes 8, its file may grow by 4, and 1 it leaves alone.
    static let commitRoom = 896
    /// Slots for which the disk should have room beyond that margin; clean ones are evicted for it:
    /// 8 MiB.
    static let lowDisk = 512
    /// Slots reserved before the free space of the disk is looked at again: 16 MiB.
    static let diskMeasureInterval = 1024

    /// The largest single transfer, in slots: 1 MiB.
    static let transferSlots = 64
    /// Bytes behind a large read or write that are left alone: requests that were made before it
    /// may come after it.
    private static let leftBehind: UInt64 = 2 << 20
    /// Bytes behind these that are done with, more than once all: the system drops no folio of
    /// which a part lies outside, and one may be larger than a read; and writes come in no order.
    private static let doneBehind: UInt64 = 8 << 20
    /// Runs shorter than this are not worth a hole of their own: 1 MiB.
    static let punchableRun = 64
    /// With more freed than this, every run is punched: 64 MiB.
    static let punchAllAbove = 4096
    /// Slots punched in one call of the system: 64 MiB.
    static let punchBatch = 4096
    /// Slots whose bookkeeping changes under one hold of the lock.
    static let lockBatch = 4096

    /// What tells this arena from any other: 16 bytes, fixed when it was created.
    package let identifier: [UInt8]

    let file: ArenaFile
    let lanes: LanePool
    let table: Lock<SlotTable>
    let referenced: ReferencedBits
    /// Finished writes, and what a sync has covered of them.
    let writes = SharedSync<ArenaError>(isSettled: true)
    /// Whether the filesystem has said that it cannot punch holes.
    let cannotPunch = Atomic<Bool>(false)

    /// Opens the arena at `path`, or makes it, and locks it until the last reference goes.
    ///
    /// Slots are unknown until they were adopted: `adopt` for each row, then `adoptionFinished`,
    /// come before the first reservation or write, also for a new arena.
    ///
    /// - Parameters:
    ///   - path: the file; its folder exists.
    ///   - key: 32 bytes. One key seals at most 2^32 blocks (64 TiB written) within the bounds
    ///     for random nonces.
    ///   - budget: bytes of slots to use, rounded down; one slot at least, `budgetLimit` at most.
    ///   - identifier: 16 bytes for a new arena, which an existing one must have; nil for random
    ///     ones, or any.
    /// - Throws: `locked`, `notAnArena`, `unsupportedFormat`, `wrongKey`, `foreign`, `diskFull`,
    ///   `io`.
    /// - Source: NIST SP 800-38D §8.3 for the bound on one key.
    package init(
        path: String, key: SecretBytes, budget: UInt64, identifier: [UInt8]? = nil
    ) throws(ArenaError) {
        do {
            lanes = try LanePool(key: key)
        } catch {
            throw .wrongKey
        }
        file = try ArenaFile(path: path)
        let header = try lanes.withLane(blocks: 1) { [file] cipher, _, _ throws(ArenaError) in
            try Self.openHeader(of: file, path: path, cipher: cipher, identifier: identifier)
        }
        self.identifier = header.identifier
        let size = UInt64(Self.blockSize)
        let budget = min(max(budget, size), Self.budgetLimit)
        let overshoot = min(max(budget / 8, Self.overshootFloor), Self.overshootLimit)
        let slots = SlotTable(
            budget: Int(budget / size), overshoot: Int(overshoot / size),
            lowWater: Int(min(budget / 16, Self.lowWaterLimit) / size))
        referenced = ReferencedBits(slotCount: slots.capacity)
        table = Lock(slots)
    }

    /// The identifier of the arena at `path`, unverified; nil if there is none yet.
    ///
    /// For deriving the key that then opens it, which proves the identifier.
    package static func identifier(ofFileAt path: String) throws(ArenaError) -> [UInt8]? {
        guard let page = try ArenaFile.firstPage(ofFileAt: path) else { return nil }
        return try ArenaHeader(unverified: page).identifier
    }

    private static func openHeader(
        of file: ArenaFile, path: String, cipher: BlockCipher, identifier: [UInt8]?
    ) throws(ArenaError) -> ArenaHeader {
        var page = [UInt8](repeating: 0, count: ArenaHeader.encodedSize)
        var span = page.mutableSpan
        let got = try file.read(into: &span, at: 0)
        // A crash between making the file and its first sync leaves it empty or zero.
        if try file.size() <= UInt64(ArenaHeader.encodedSize), page.allSatisfy({ $0 == 0 }) {
            let fresh = identifier ?? SystemRandom.bytes(ArenaHeader.identifierSize)
            let header = ArenaHeader(identifier: fresh)
            let bytes = header.encoded(cipher: cipher, nonce: SystemRandom.bytes(12))
            var count = 0
            try file.write(bytes.span, at: 0, count: &count)
            try file.sync()
            let code = syncFolder(of: path)
            if code != 0 { throw ArenaError(code) }
            return header
        }
        guard got == ArenaHeader.encodedSize else { throw .notAnArena }
        let header = try ArenaHeader(page, cipher: cipher)
        if let identifier, identifier != header.identifier { throw .foreign }
        return header
    }

    /// Slots that the file has room for as it is; a slot at or above has no bytes.
    package func slotCount() throws(ArenaError) -> UInt64 {
        let size = try file.size()
        let blocks = size - min(size, Self.firstSlotOffset)
        return (blocks + UInt64(Self.blockSize) - 1) / UInt64(Self.blockSize)
    }

    /// Whether blocks may be patched: a patch keeps what it lies over, so a volume that rewrites
    /// what no store has would need up to twice the room. So long as half of the budget is not
    /// dirty, and the disk is not short, it has that.
    package var hasRoomForPatches: Bool {
        table.withLock { table in
            let held = table.writing + table.dirty + table.reserved
            return 2 * held <= table.budget && !table.isDiskShort
        }
    }

    // MARK: Start

    /// Counts a row that the metadata had at the start.
    ///
    /// Rows that share a slot are adopted each. A slot beyond the end of the file, or damaged, is
    /// counted too, and reads as `corrupt`.
    package func adopt(_ reference: BlockReference, owner: BlockOwner, isDirty: Bool) {
        table.withLock { table in
            reference.forEachSlot { table.adopt($0, owner: owner, isDirty: isDirty) }
        }
    }

    /// Ends adoption: every slot that was not adopted is free, and its disk blocks can be punched.
    ///
    /// The metadata that was replayed must be durable by now (sync its log first): slots that
    /// only an older state of it names may be overwritten from here on.
    package func adoptionFinished() {
        let kept = table.withLock { $0.finishAdoption() }
        let end = Self.offset(of: UInt32(clamping: kept))
        // Both only serve the disk's space, and the arena works without: errors are let go.
        if let size = try? file.size(), size > end { try? file.truncate(to: end) }
        try? file.forEachDataRange { range in
            guard range.upperBound > Self.firstSlotOffset else { return }
            let size = UInt64(Self.blockSize)
            let first = max(range.lowerBound, Self.firstSlotOffset) / size - 1
            let last = (range.upperBound - 1) / size - 1
            let run = SlotRun(first: UInt32(clamping: first), count: Int(last - first) + 1)
            table.withLock { $0.markBacked(run) }
        }
    }

    // MARK: Space

    /// Promises `count` slots to writes with `usesReservation`.
    ///
    /// Clean slots that can be evicted count as free here: see the protocol at `Arena`.
    ///
    /// - Parameter usesMargin: for a start, before which nothing can be evicted: room of the disk
    ///   that is else left to the metadata is enough.
    /// - Throws: `full` when too much is dirty, pinned or deferred; `diskFull` when the disk has
    ///   no room for what is promised already and this.
    package func reserve(_ count: Int, usesMargin: Bool = false) throws(ArenaError) {
        let isStale = !table.withLock { $0.wantsDiskMeasure(count) }
        if !isStale { try measureDisk() }
        do throws(ArenaError) {
            try table.withLock { table throws(ArenaError) in
                try table.reserve(count, usesMargin: usesMargin)
            }
        } catch {
            guard isStale, error == .diskFull else { throw error }
            // Somebody may have made room since the disk was looked at.
            try measureDisk()
            try table.withLock { table throws(ArenaError) in
                try table.reserve(count, usesMargin: usesMargin)
            }
        }
    }

    /// Looks how much room the disk has by now: others may have taken some. `shortfall` knows then.
    ///
    /// - Parameter metadataNeed: bytes that the metadata must find free there; nil if it is not
    ///   known whether that has changed.
    /// - Throws: `io` when the system does not tell.
    package func measureDisk(metadataNeed: Int? = nil) throws(ArenaError) {
        let free = try file.freeDiskBytes()
        let slots = Int(clamping: free / UInt64(Self.blockSize))
        let asked = metadataNeed.map { max(Self.commitRoom, $0 / Self.blockSize + 1) }
        table.withLock { table in
            table.diskMeasured(slots - Self.diskMargin)
            if let asked { table.commitRoom = asked }
        }
    }

    /// Takes back `count` promised slots that will not be written.
    package func unreserve(_ count: Int) {
        table.withLock { $0.unreserve(count) }
    }

    /// How many slots should be evicted now to keep some free, of the budget and of the disk; 0
    /// also when none can be.
    package func shortfall() -> Int { table.withLock { $0.shortfall } }

    /// How the budget is spent.
    package func usage() -> ArenaUsage { table.withLock { $0.usage() } }

    /// About `count` rows of clean slots without a pin, those not read for longest first
    /// (second-chance clock). A slot that several rows share comes with all of them, so there may
    /// be a few more.
    ///
    /// Nothing is changed by it. The caller checks, under the lock of its rows, that the row still
    /// names the slot and is clean, drops the row, and releases the slot; a row it keeps is offered
    /// again after one more pass.
    package func evictable(_ count: Int) -> [(slot: UInt32, owner: BlockOwner)] {
        var victims: [(slot: UInt32, owner: BlockOwner)] = []
        // Two turns see every slot once without the bit that the first one may have found set.
        var left = 2 * table.withLock { $0.chunks.count * SlotChunk.wordCount }
        while left > 0, victims.count < count {
            let step = min(left, Self.lockBatch)
            table.withLock {
                $0.sweep(words: step, wanted: count, referenced: referenced, into: &victims)
            }
            left -= step
        }
        // Slots above the capacity, of a budget that was larger once, have no bits of the clock:
        // the second turn may have found them again.
        var seen: Set<BlockOwner> = []
        victims.removeAll { !seen.insert($0.owner).inserted }
        return victims
    }

    /// What somebody is done with who goes on from slot to slot and is at this one.
    static func done(behind slot: UInt32) -> Range<UInt64> {
        let start = offset(of: slot)
        let end = start - min(start, leftBehind)
        return end - min(end, doneBehind)..<end
    }

    /// Where `slot` begins in the file.
    static func offset(of slot: UInt32) -> UInt64 {
        firstSlotOffset + UInt64(slot) * UInt64(blockSize)
    }
}
