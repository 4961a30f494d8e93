// SPDX-License-Identifier: Apache-2.0
//
// The root's way to the store, and what is done when its answer does not come. The invariants are
// those at the head of Publisher.swift.

import Metadata
import Namespace
import Primitives
import Scratchpads
import Stores
import Synchronization

extension Publisher {
    /// The log as the head has it. A page that is gone or damaged costs the older history, not the
    /// new revision.
    func revisionLog(_ before: Head) throws(StoreError) -> RevisionLog {
        guard let reference = before.revisionLog else { return RevisionLog() }
        let known = log.withLock { $0 }
        if known.newest == reference { return known }
        do {
            let chunk = try volume.configuration.chunks.get(reference.address)
            return try RevisionLog(
                page: try PageCodec.open(chunk, reference: reference), reference: reference)
        } catch let error as StoreError {
            switch error {
            case .missing, .corrupt: break
            default: throw error
            }
        } catch {
            // It does not verify: the same as a page that is not there.
        }
        volume.errors.add(
            .page,
            "the log of revisions is damaged on the store: it begins anew, and history up to "
                + "revision \(before.revision) is no longer listed", detail: reference.address.hex)
        return RevisionLog()
    }

    func put(_ record: PadRecord, _ before: Head) throws(FileError) {
        let bytes = record.encoded()
        try volume.query { (writer) throws(MetadataError) in
            try writer.setValue("pending-root", bytes)
        }
        unanswered.withLock { $0 = record }
        try committer.commit()
        try offer(record, before)
    }

    /// Offers a root to the store. A failure leaves open whether the store has it.
    private func offer(_ record: PadRecord, _ before: Head) throws(FileError) {
        let outcome: PadPutOutcome
        do throws(StoreError) {
            outcome = try volume.configuration.pads.put(record)
        } catch {
            throw volume.reportStore(error)
        }
        volume.counters.storeAnswered()
        guard case .standing(let other) = outcome, other != record else { return }
        halt(at: other.counter)
        throw .stale
    }

    /// Puts a root again whose answer never came. It becomes the head; what it says is published
    /// once more with the next one, which costs little and needs nothing remembered.
    func settleUnanswered() throws(FileError) {
        guard let record = unanswered.withLock({ $0 }) else { return }
        let before = head.withLock { $0 }
        guard record.counter > before.revision else {
            unanswered.withLock { $0 = nil }
            return
        }
        try offer(record, before)
        let root: Root
        do {
            root = try Root(decoding: try volume.configuration.keys.rootPad.reading.open(record))
        } catch {
            volume.errors.add(.root, "the last root does not open: the state folder is damaged")
            throw .inputOutput
        }
        var next = before
        next.revision = record.counter
        next.hardLinks = root.hardLinks
        next.revisionLog = root.revisionLog
        let settled = next
        try volume.query { (writer) throws(MetadataError) in
            try HeadStorage.save(settled, writer)
            try writer.setValue("pending-root", nil)
        }
        head.withLock { $0 = settled }
        unanswered.withLock { $0 = nil }
        try committer.commit()
    }

    /// True for a root that this machine put, or may just be putting.
    func isOwn(_ record: PadRecord) -> Bool {
        // In this order: a root is in the head before it is no longer unanswered.
        if unanswered.withLock({ $0 }) == record { return true }
        return head.withLock { $0.revision } >= record.counter
    }
}
