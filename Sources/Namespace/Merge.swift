// SPDX-License-Identifier: Apache-2.0
//
// The three-way merge of one directory: docs/format.md §12 has the rules. Pure and
// deterministic, so that a merge that was interrupted comes out the same when it is done again.
//
// Laws (tested over seeds), where = is equality of entries:
// 1. merge(b, b, t) = t, merge(b, o, b) = o, merge(b, x, x) = x.
// 2. Swapping ours and theirs changes who keeps a name, and nothing else of content.
// 3. Content of either side is absent only if it is base's and the other side let it go, or if it
//    is an older state of the same pad.
// 4. What results is sorted, each name once.

/// Puts together what two machines did to one directory since their last common state.
///
/// Only one side changed: its state. Both did the same: that. One removed what the other changed:
/// the change survives. Both changed: field by field where they changed different fields, else two
/// names, of which theirs has the old one. A rename within the directory is recognised by its
/// inode number, so that a change on the other side follows it. A directory changed on both sides
/// is left to the caller, as `MergeResult.recursions` says.
///
/// Hard-link tables merge alike. So that an inode can not end up both in a directory and in the
/// table, the table keeps an inode that once had two names until it has none.
///
/// - Parameters:
///   - base: the last state both sides had; sorted, each name once, as the other two.
///   - ours: this machine's state. A directory's entry must have its present pages, or its number
///     must be in `unpublished`.
///   - theirs: the published state.
///   - device: this machine's name, for the second names of its files.
///   - theirDevice: the publishing machine's; theirs needs a second name if ours is a directory.
///   - moment: the time written into second names, as UTC.
///   - unpublished: inode numbers of directories of ours that changed, whatever pages their
///     entries name.
package func merge(
    base: [Entry], ours: [Entry], theirs: [Entry], device: String, theirDevice: String,
    moment: Timestamp, unpublished: Set<UInt64> = []
) -> MergeResult {
    if theirs == base || unpublished.isEmpty && ours == theirs { return MergeResult(entries: ours) }
    if unpublished.isEmpty && ours == base { return MergeResult(entries: theirs) }
    let sample = (base.first ?? ours.first ?? theirs.first)?.name ?? []
    var sides = MergeSides(base: base, ours: ours, theirs: theirs)
    if KeySpace.of(sample) == .names { sides.followRenames() }
    var merger = DirectoryMerger(keys: .of(sample), unpublished: unpublished)
    sides.forEachName { merger.decide($0) }
    return merger.finish(devices: (device, theirDevice), moment: moment, sides: sides)
}

/// One name in three states of a directory.
struct MergeSlot {
    let name: [UInt8]
    let base: Entry?
    let ours: Entry?
    let theirs: Entry?
}

/// Decides name after name, then names what lost its name.
private struct DirectoryMerger {
    let keys: KeySpace
    let unpublished: Set<UInt64>
    private var result = MergeResult()
    private var displaced: [(kept: [UInt8], entry: Entry, side: MergeSide)] = []

    init(keys: KeySpace, unpublished: Set<UInt64>) {
        self.keys = keys
        self.unpublished = unpublished
    }

    mutating func decide(_ slot: MergeSlot) {
        let isDirty = slot.ours.map(isUnpublished) ?? false
        if slot.theirs == slot.base || slot.ours == slot.theirs && !isDirty {
            keep(slot.ours)
        } else if slot.ours == slot.base && !isDirty {
            keep(slot.theirs)
        } else {
            settle(slot)
        }
    }

    /// Both sides differ from base, and from each other.
    private mutating func settle(_ slot: MergeSlot) {
        switch (slot.ours, slot.theirs) {
        case (nil, nil):
            break
        case (let one?, nil), (nil, let one?):
            guard survivesRemoval(one, slot) else { return }
            keep(one)
            recurseIfShared(slot, one)
        case (let ours?, let theirs?):
            switch (ours.kind == .directory, theirs.kind == .directory) {
            case (true, true): mergeDirectories(slot, ours, theirs)
            case (true, false): settle(slot, directory: ours, other: theirs, otherSide: .theirs)
            case (false, true): settle(slot, directory: theirs, other: ours, otherSide: .ours)
            case (false, false): mergeFiles(slot, ours, theirs)
            }
        }
    }

    /// Whether what one side changed outweighs that the other removed or replaced it.
    private func survivesRemoval(_ entry: Entry, _ slot: MergeSlot) -> Bool {
        guard let base = slot.base else { return true }
        if base.kind == .directory && entry.kind == .directory {
            // New permissions are no reason to keep a directory that somebody emptied.
            return entry.pages != base.pages || isUnpublished(entry)
        }
        return entry.isModified(since: base)
    }

    /// A directory that the other side removed keeps only what was changed in it.
    private mutating func recurseIfShared(_ slot: MergeSlot, _ survivor: Entry) {
        guard let base = slot.base, base.kind == .directory, survivor.kind == .directory else {
            return
        }
        let isOurs = slot.ours?.kind == .directory
        result.recursions.append(
            DirectoryMerge(
                name: slot.name, base: base, ours: isOurs ? survivor : nil,
                theirs: isOurs ? nil : survivor))
    }

    private mutating func settle(
        _ slot: MergeSlot, directory: Entry, other: Entry, otherSide: MergeSide
    ) {
        guard survivesRemoval(directory, slot) else { return keep(other) }
        keep(directory)
        recurseIfShared(slot, directory)
        let isReplaced = slot.base.map { $0.kind != .directory } ?? false
        if isReplaced, let base = slot.base, !other.isModified(since: base) { return }
        displaced.append((slot.name, other, otherSide))
    }

    private mutating func mergeDirectories(_ slot: MergeSlot, _ ours: Entry, _ theirs: Entry) {
        let base = slot.base?.kind == .directory ? slot.base : nil
        var merged = theirs
        merged.mergeFields(base: base, ours: ours, theirs: theirs)
        let isDirty = isUnpublished(ours)
        if !isDirty, ours.pages == theirs.pages || ours.pages == base?.pages && base != nil {
            merged.body = theirs.body
        } else if let base, theirs.pages == base.pages {
            merged.body = ours.body
        } else {
            result.recursions.append(
                DirectoryMerge(name: slot.name, base: base, ours: ours, theirs: theirs))
        }
        keep(merged)
    }

    private mutating func mergeFiles(_ slot: MergeSlot, _ ours: Entry, _ theirs: Entry) {
        let base = slot.base?.kind == .directory ? nil : slot.base
        if let merged = Entry(merging: ours, theirs, base: base) {
            keep(merged)
            return
        }
        keep(theirs)
        displaced.append((slot.name, ours, .ours))
    }

    private mutating func keep(_ entry: Entry?) {
        if let entry { result.entries.append(entry) }
    }

    private func isUnpublished(_ entry: Entry) -> Bool {
        entry.kind == .directory && unpublished.contains(entry.ino)
    }

    /// Gives second names, which none of the three states has, and sorts them in.
    consuming func finish(
        devices: (ours: String, theirs: String), moment: Timestamp, sides: MergeSides
    ) -> MergeResult {
        guard !displaced.isEmpty else { return result }
        if keys == .inodes {
            result.displaced = displaced.map(\.entry)
            return result
        }
        var given: Set<[UInt8]> = []
        for (kept, entry, side) in displaced {
            let name = conflictName(
                for: kept, device: side == .ours ? devices.ours : devices.theirs, moment: moment
            ) { given.contains($0) || sides.hasName($0) }
            given.insert(name)
            var renamed = entry
            renamed.name = name
            result.entries.append(renamed)
            result.conflicts.append(
                MergeConflict(keptName: kept, conflictName: name, displaced: side))
        }
        result.entries.sort { bytesPrecede($0.name, $1.name) }
        return result
    }
}
