// SPDX-License-Identifier: Apache-2.0
//
// Identities whose name has no file at the moment: kept across a crash, and given back.

import Metadata
import Namespace
import Primitives
import Scratchpads

extension PadKeeper {
    /// Persists the parked identities; call it in the write that moves them.
    func saveParked(_ writer: borrowing MetadataWriter) throws(MetadataError) {
        var list = parked.withLock { $0 }
        let (added, left) = list.separateRecords()
        for address in left { try writer.setValue(PadKeeper.recordKey(address), nil) }
        for (address, record) in added {
            try writer.setValue(PadKeeper.recordKey(address), record)
        }
        let bytes = list.encoded(now: .now, seconds: Timestamp.now().seconds)
        try writer.setValue("parked-pads", bytes)
        // Names are locked: nobody has changed the list meanwhile.
        parked.withLock { $0 = list }
    }

    /// The setting that has the record of a parked identity.
    ///
    /// - Source: docs/format.md §20.
    static func recordKey(_ address: PadAddress) -> String { "parked-record-" + address.hex }

    /// The identity left at a name, which it leaves now: `saveParked` is to follow. Names are
    /// locked.
    func takeParked(parent: UInt64, name: [UInt8]) throws(FileError) -> PadRow? {
        guard let entry = parked.withLock({ $0.entry(parent: parent, name: name) }) else {
            return nil
        }
        let pad = try whole(entry)
        _ = parked.withLock { $0.take(parent: parent, name: name) }
        return pad
    }

    /// A parked identity with the record that waits for the store.
    private func whole(_ entry: ParkedPads.Parked) throws(FileError) -> PadRow {
        var pad = entry.pad
        guard entry.isRecordApart else { return pad }
        let key = PadKeeper.recordKey(pad.address)
        pad.pendingRecord = try volume.query { (reader) throws(MetadataError) in
            try reader.value(key)
        }
        // What was sealed is not on the store: it is sealed again.
        if pad.pendingRecord == nil { pad.publishedDigest = PadDigest.replaced }
        return pad
    }

    /// Identities nobody came for: the file that went away takes its own along, others are gone.
    ///
    /// Names are locked for it: a commit between the two would have the identity with the file and
    /// parked as well, and after a crash the next file of that name would take it from under it.
    func expireParked(at now: ContinuousClock.Instant) {
        guard parked.withLock({ $0.isOver(at: now) }) else { return }
        // Where there is no room for it, it waits: the next tick tries again.
        try? committer.withNames(frees: true) { () throws(FileError) in
            for entry in parked.withLock({ $0.expire(now: now) }) where entry.mover != 0 {
                do throws(FileError) {
                    try giveBack(entry)
                } catch {
                    // An identity is never given up for a failure: it has its time once more.
                    parked.withLock { $0.park(entry, now: now) }
                }
            }
            try volume.query { (writer) throws(MetadataError) in try saveParked(writer) }
        }
    }

    /// The file that went away has its identity again, unless it has another or is gone.
    private func giveBack(_ entry: ParkedPads.Parked) throws(FileError) {
        guard let inode = try volume.pinIfPresent(entry.mover) else { return }
        defer { volume.table.unpin(inode) }
        try volume.change(inode) { (state) throws(FileError) in
            try load(&state)
            guard state.pad == nil, !state.isDeleted, state.row.linkCount > 0 else { return }
            assign(try whole(entry), to: &state)
        }
    }
}
