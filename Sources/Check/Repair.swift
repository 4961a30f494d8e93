// SPDX-License-Identifier: Apache-2.0
//
// Has lost pages, pads and the root made anew by the next publication: it only marks rows. The
// engine, started afterwards, builds, seals and puts, as it does after any change.
//
// Invariants (docs/ARCHITECTURE.md §6):
// - A pad's counter only grows, and no counter is sealed over two contents: the new record stands
//   in the row, committed, before any store sees it.
// - All of a plan is marked in one commit, which is durable when `run` returns.

import Blocks
import Compression
import Engine
import Metadata
import Namespace
import Primitives
import Scratchpads

/// Marks what a plan names. Nobody else may use the state folder meanwhile.
package struct Repair {
    private let target: CheckTarget

    /// - Parameter target: the volume.
    package init(_ target: CheckTarget) { self.target = target }

    /// Marks everything, so that the next publication puts it back.
    ///
    /// - Throws: `state`.
    package func run(_ plan: RepairPlan) throws(CheckError) {
        if plan.isEmpty { return }
        do {
            let state = try LocalState(target)
            defer { state.close() }
            let content = LocalContent(state, quality: .fast)
            try state.database.write { (writer) throws(MetadataError) in
                let change = try nextChange(writer)
                for directory in plan.directories.sorted() {
                    try rebuild(directory, change, writer)
                }
                for (ino, counter) in plan.pads.sorted(by: { $0.key < $1.key }) {
                    guard let bytes = content.padContent(ino) else { continue }
                    try reseal(ino, bytes, above: counter, writer)
                }
                // A changed top directory is what makes a publication, whatever else changed.
                if var files = try writer.inode(Self.filesInode) {
                    files.change = change
                    try writer.updateInode(files)
                }
            }
            try state.database.commit()
            try state.database.syncLog()
        } catch {
            throw .state("\(error)")
        }
    }

    /// The directory `files`, whose entry stands in the root.
    private static let filesInode: UInt64 = 2

    /// - Source: docs/format.md §16, `change`.
    private func nextChange(_ writer: borrowing MetadataWriter) throws(MetadataError) -> UInt64 {
        let next = UInt64(bitPattern: try writer.integer("change") ?? 0) + 1
        try writer.setInteger("change", Int64(bitPattern: next))
        return next
    }

    /// Forgets a directory's pages, so that all of them are made anew, and touches a name so that
    /// they are.
    private func rebuild(
        _ directory: UInt64, _ change: UInt64, _ writer: borrowing MetadataWriter
    ) throws(MetadataError) {
        try writer.replaceLeaves(directory, [])
        if directory != PathNamer.hardLinkTable { try writer.setPage(directory, nil) }
        let first = try writer.entries(parent: directory, from: [], before: nil, limit: 1).first
        if let first { try writer.touch(directory, first.name, change) }
        guard let row = try writer.inode(directory),
            let name = try writer.name(parent: row.parent, cookie: row.cookie)
        else { return }
        // Of an empty directory only its own entry is left to be published.
        if row.parent != PathNamer.root { try writer.touch(row.parent, name, change) }
    }

    /// Seals a pad's content once more, with a counter above all that were seen.
    private func reseal(
        _ ino: UInt64, _ content: [UInt8], above counter: UInt64,
        _ writer: borrowing MetadataWriter
    ) throws(MetadataError) {
        // A record that waits to be sent has a counter above those already.
        guard var pad = try writer.pad(ino), pad.pendingRecord == nil else { return }
        guard let next = try? CounterRule.next(after: max(pad.counter, counter)),
            let record = try? target.keys.pad(identity: pad.identity, at: pad.address)?.seal(
                content.span, encoding: pad.encoding, counter: next)
        else { throw .corrupt("a pad is larger than one can be, has no key, or no counter left") }
        pad.counter = next
        pad.publishedDigest = PadDigest.of(content, encoding: pad.encoding)
        pad.pendingRecord = record.encoded()
        try writer.setPad(pad)
    }
}

/// Cached copies that do not open, of blocks that the store has: forgetting them loses nothing.
struct DamagedCopies {
    private var groups: [UInt64: Set<UInt64>] = [:]
    private var count = 0

    /// True when the rest is for the next run.
    var isFull: Bool { count >= CheckLimits.repairs }

    mutating func add(_ ino: UInt64, group: UInt64) {
        if groups[ino, default: []].insert(group).inserted { count += 1 }
    }

    /// Takes the copies that do not open out of their rows.
    ///
    /// - Parameter covered: blocks whose entries stay, because rows of the journal lie over them.
    func forget(_ state: LocalState, but covered: Set<BlockOwner>) throws(MetadataError) {
        if groups.isEmpty { return }
        guard let arena = state.arena else { return }
        try state.database.write { (writer) throws(MetadataError) in
            for (ino, numbers) in groups {
                for number in numbers {
                    guard let map = try writer.blockGroup(ino, number),
                        var group = BlockGroup(decoding: map)
                    else { continue }
                    for (index, entry) in group.entries.enumerated() {
                        guard case .clean(let reference) = entry else { continue }
                        let block = number * UInt64(BlockGroup.span) + UInt64(index)
                        if covered.contains(BlockOwner(ino: ino, block: block)) { continue }
                        if !Self.opens(reference, arena) { group[index] = .absent }
                    }
                    try writer.setBlockGroup(ino, number, group.isEmpty ? nil : group.encoded())
                }
            }
        }
        try state.database.commit()
        try state.database.syncLog()
    }

    private static func opens(_ reference: BlockReference, _ arena: Arena) -> Bool {
        var block = [UInt8](repeating: 0, count: Arena.blockSize)
        var out = block.mutableSpan
        do {
            try arena.read(reference, from: 0, into: &out)
            return true
        } catch {
            return false
        }
    }
}
