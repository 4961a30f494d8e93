// SPDX-License-Identifier: Apache-2.0
//
// Content against its seals: inline rows, data maps, extended attributes, pads, and every slot of
// the arena that a row names.

import Blocks
import Engine
import Metadata
import Namespace
import Scratchpads
import SelfEncryption

extension LocalCheck {
    /// Walks everything that is not in the arena.
    func checkContent(_ state: LocalState) throws(CheckError) {
        meter.begin(.content)
        let snapshot = state.snapshot
        let namer = PathNamer(snapshot)
        let keys = target.keys
        func found(_ ino: UInt64, _ problem: Problem, _ remedy: Remedy = .recover) {
            report.found(Finding(namer.place(of: ino), problem, remedy))
        }
        for table in IntegrityTable.allCases {
            try reading { () throws(MetadataError) in
                try snapshot.forEachStray(in: table) { found($0, .strayRows(table)) }
            }
        }
        try checkInlines(state, namer)
        for table in [IntegrityTable.contents, .pads, .pages, .leaves] {
            try reading { () throws(MetadataError) in
                try snapshot.forEachOwner(in: table) { (ino) throws(MetadataError) in
                    do throws(MetadataError) {
                        switch table {
                        case .contents:
                            guard let content = try snapshot.content(ino) else { return }
                            if !Self.isSound(content) { found(ino, .row(table)) }
                        case .pads:
                            guard let pad = try snapshot.pad(ino) else { return }
                            if let problem = Self.problem(of: pad, keys) { found(ino, problem) }
                        case .pages: _ = try snapshot.pageOf(ino)
                        default: _ = try snapshot.leaves(ino)
                        }
                    } catch {
                        guard case .corrupt = error else { throw error }
                        found(ino, .row(table))
                    }
                }
            }
        }
        try reading { () throws(MetadataError) in
            try snapshot.forEachAttribute { (ino, name, size) in
                let isFine =
                    !name.isEmpty && name.count <= NamespaceLimits.maximumXattrNameSize
                    && size <= UInt64(NamespaceLimits.maximumXattrValueSize)
                if !isFine { found(ino, .attribute) }
            }
        }
    }

    private func checkInlines(
        _ state: LocalState, _ namer: PathNamer
    ) throws(CheckError) {
        let sealer = state.sealer
        try reading { () throws(MetadataError) in
            try state.snapshot.forEachInline { (row) in
                meter.step()
                let plain = try? sealer?.open(row.sealed)
                guard let plain, UInt64(plain.count) == row.size else {
                    return report.found(
                        Finding(namer.place(of: row.ino), .inlineContent, .lostHere))
                }
            }
            try state.snapshot.forEachMissingInline {
                report.found(Finding(namer.place(of: $0), .inlineMissing, .lostHere))
            }
        }
    }

    /// Whether the list of segments can be a file's.
    private static func isSound(_ content: StoredContent) -> Bool {
        var end: UInt64 = 0
        for segment in content.segments {
            let (next, overflows) = segment.offset.addingReportingOverflow(segment.size)
            guard !overflows, segment.size > 0, segment.offset >= end, next <= content.size,
                !segment.map.chunks.isEmpty,
                segment.map.fileSize.map({ $0 == segment.size }) ?? true
            else { return false }
            end = next
        }
        return true
    }

    private static func problem(of pad: PadRow, _ keys: VolumeKeys) -> Problem? {
        guard pad.identity.count == PadReference.identitySize,
            let capability = keys.pad(identity: pad.identity, at: pad.address)
        else { return .padIdentity }
        guard let pending = pad.pendingRecord else { return nil }
        do {
            let record = try PadRecord(decoding: pending)
            _ = try capability.open(record)
            return record.counter == pad.counter ? nil : .padPending
        } catch {
            return .padPending
        }
    }

    // MARK: The arena

    /// Opens every slot that a row names.
    func checkBlocks(_ state: LocalState) throws(CheckError) {
        meter.begin(.blocks)
        var journal: JournalRows?
        try reading { () throws(MetadataError) in
            journal = try JournalRows(state, target.keys)
            for ino in (journal?.damaged ?? []).sorted() {
                let place = PathNamer(state.snapshot).place(of: ino)
                report.found(Finding(place, .journal, .lostHere))
            }
        }
        var walk = BlockWalk(
            state, report, meter, covered: journal?.covered ?? [],
            // What lies under the journal is not known: nothing may be forgotten.
            repairs: repairs && journal != nil)
        try reading { () throws(MetadataError) in
            try state.snapshot.forEachBlockGroup { (row) throws(MetadataError) in walk.check(row) }
            walk.finishFile()
            try walk.copies.forget(state, but: journal?.covered ?? [])
        }
    }
}

/// The walk over all block groups, file by file.
private struct BlockWalk {
    private let state: LocalState
    private let report: CheckReport
    private let namer: PathNamer
    private let meter: Meter
    private let repairs: Bool
    private let covered: Set<BlockOwner>
    private(set) var copies = DamagedCopies()
    private var tally = Tally(ino: 0)
    private var used: SlotUse
    private var buffer = [UInt8](repeating: 0, count: Arena.blockSize)

    /// What is wrong with the blocks of one file.
    private struct Tally {
        let ino: UInt64
        var dirty: (damaged: UInt64, missing: UInt64) = (0, 0)
        var cached: (damaged: UInt64, missing: UInt64) = (0, 0)
        var firstDirtyOffset: UInt64?
        var sharedSlot: UInt64?
        var hasBrokenRow = false
        var isForgotten = true
    }

    init(
        _ state: LocalState, _ report: CheckReport, _ meter: Meter, covered: Set<BlockOwner>,
        repairs: Bool
    ) {
        self.state = state
        self.report = report
        self.meter = meter
        self.covered = covered
        // Without an arena nothing opens, and that is no reason to forget everything.
        self.repairs = repairs && state.arena != nil
        namer = PathNamer(state.snapshot)
        used = SlotUse(slotCount: state.slotCount)
    }

    mutating func check(_ row: BlockGroupRow) {
        if row.ino != tally.ino {
            finishFile()
            tally = Tally(ino: row.ino)
        }
        meter.step()
        let groupLimit = BlockOwner.blockLimit / UInt64(BlockGroup.span)
        guard row.group < groupLimit, let group = BlockGroup(decoding: row.map) else {
            tally.hasBrokenRow = true
            return
        }
        for (index, entry) in group.entries.enumerated() {
            guard let reference = entry.reference else { continue }
            let state = condition(of: reference)
            meter.add(1)
            let named = used.insert(reference)
            if case .damaged(let slot) = state, named.contains(slot) {
                tally.sharedSlot = tally.sharedSlot ?? UInt64(slot)
            }
            if state == .sound { continue }
            let isMissing: UInt64 = state == .missing ? 1 : 0
            let block = row.group * UInt64(BlockGroup.span) + UInt64(index)
            let isCovered = covered.contains(BlockOwner(ino: row.ino, block: block))
            if entry.differsFromBase || isCovered {
                tally.dirty.missing += isMissing
                tally.dirty.damaged += 1 - isMissing
                tally.firstDirtyOffset = tally.firstDirtyOffset ?? block * UInt64(Arena.blockSize)
            } else {
                tally.cached.missing += isMissing
                tally.cached.damaged += 1 - isMissing
                if repairs {
                    tally.isForgotten = tally.isForgotten && !copies.isFull
                    if !copies.isFull { copies.add(row.ino, group: row.group) }
                }
            }
        }
    }

    private enum Condition: Equatable {
        case sound, missing
        /// This slot does not open.
        case damaged(slot: UInt32)
    }

    private mutating func condition(of reference: BlockReference) -> Condition {
        var isMissing = state.arena == nil
        reference.forEachSlot { isMissing = isMissing || UInt64($0) >= state.slotCount }
        guard !isMissing, let arena = state.arena else { return .missing }
        var out = buffer.mutableSpan
        do {
            try arena.read(reference, from: 0, into: &out)
            return .sound
        } catch .corrupt(let slot) {
            return .damaged(slot: slot)
        } catch {
            return .damaged(slot: reference.slot)
        }
    }

    /// Says what was wrong with the file that was walked last.
    mutating func finishFile() {
        let place = namer.place(of: tally.ino)
        if tally.hasBrokenRow {
            report.found(Finding(place, .row(.blockGroups), .recover))
        }
        if tally.dirty != (0, 0) {
            let (damaged, missing) = tally.dirty
            report.found(
                Finding(
                    place,
                    .dirtyBlocks(
                        damaged: damaged, missing: missing,
                        firstOffset: tally.firstDirtyOffset ?? 0), .lostHere))
        }
        if tally.cached != (0, 0) {
            let (damaged, missing) = tally.cached
            report.found(
                Finding(
                    place, .cachedBlocks(damaged: damaged, missing: missing),
                    repairs && tally.isForgotten ? .forgotten : .forgettable))
        }
        if let slot = tally.sharedSlot {
            report.found(Finding(place, .sharedSlot(slot), .lostHere))
        }
        tally = Tally(ino: 0)
    }
}

/// What of each slot some row has named: a bit for each piece. Two rows may share one only as equal
/// copies, of which both open; who finds the second owner of what does not open has found the
/// thief. Patches of several blocks lie beside each other in a slot, which is no sharing.
private struct SlotUse {
    private static let perWord = UInt32(UInt64.bitWidth / Arena.pieceCount)
    private var words: [UInt64]

    init(slotCount: UInt64) {
        words = Array(repeating: 0, count: Int(slotCount / UInt64(Self.perWord) + 1))
    }

    /// Notes the slots of a block.
    ///
    /// - Returns: those of which some of it was named before. Those beyond the arena's end are
    ///   nobody's.
    mutating func insert(_ reference: BlockReference) -> [UInt32] {
        var named: [UInt32] = []
        if !insert(reference.slot, Arena.allPieces) { named.append(reference.slot) }
        if let patch = reference.patch {
            let run: BlockPatch.Pieces = 1 << patch.pieces.nonzeroBitCount &- 1
            if !insert(patch.sealed.slot, run << patch.place) { named.append(patch.sealed.slot) }
        }
        return named
    }

    private mutating func insert(_ slot: UInt32, _ pieces: BlockPatch.Pieces) -> Bool {
        let word = Int(slot / Self.perWord)
        guard word < words.count else { return true }
        let bits = UInt64(pieces) << UInt64(slot % Self.perWord * UInt32(Arena.pieceCount))
        defer { words[word] |= bits }
        return words[word] & bits == 0
    }
}
