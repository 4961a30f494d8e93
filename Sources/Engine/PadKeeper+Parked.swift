// SPDX-License-Identifier: Apache-2.0
//
// Identities whose name has no file at the moment: kept across a crash, and given back.

import Metadata
import Namespace
import Primitives

extension PadKeeper {
    /// Persists the parked identities; call it in the write that moves them.
    func saveParked(_ writer: borrowing MetadataWriter) throws(MetadataError) {
        let seconds = Timestamp.now().seconds
        let bytes = parked.withLock { $0.encoded(now: .now, seconds: seconds) }
        try writer.setValue("parked-pads", bytes)
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
                    parked.withLock {
                        $0.park(
                            entry.pad, parent: entry.parent, name: entry.name,
                            mover: entry.mover, now: now)
                    }
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
            assign(entry.pad, to: &state)
        }
    }
}
