// SPDX-License-Identifier: Apache-2.0
//
// A pad that another machine has written as well.
//
// Invariant: theirs is adopted, and so sealed over, only when its content is kept here. Until then
// our record is pending as it was, and is put again.

import Metadata
import Namespace
import Primitives
import Scratchpads
import Synchronization

extension PadKeeper {
    /// The store has a record that is not older than ours: another machine wrote this pad.
    ///
    /// - Returns: nil when ours may go over theirs, or there is nothing left to do; else why not.
    func meet(_ other: PadRecord, _ ino: UInt64, _ ours: PadRecord) -> FileError? {
        if other == ours { return acknowledge(ino, ours) }
        do throws(FileError) {
            let pending = ours.encoded()
            // A file that has another identity by now has no conflict either.
            if let (theirs, isKept) = try compared(other, ino, pending) {
                if !isKept {
                    volume.errors.add(
                        .conflict, "a pad was changed elsewhere; both contents are kept")
                    let keep = hooks.withLock { $0 }?.keepConflict
                    guard keep?(ino, theirs, other.encoding) == true else { return .inputOutput }
                }
                try adopt(other, theirs, ino, pending)
            }
        } catch {
            return error == .stale ? nil : error
        }
        note(ino, after: .zero)
        return nil
    }

    /// The content of the store's record, and whether nothing of it would be lost; nil if the
    /// file has nothing to do with it any more.
    private func compared(
        _ other: PadRecord, _ ino: UInt64, _ pending: [UInt8]
    ) throws(FileError) -> (content: [UInt8], isKept: Bool)? {
        try changeWaiting(ino, pending) { (state, pad) throws(FileError) in
            let content: [UInt8]
            do {
                content = try volume.capability(of: pad).open(other)
            } catch {
                volume.errors.add(.pad, "the store's record of a pad does not verify")
                throw .inputOutput
            }
            try volume.loadInline(&state)
            return (content, content.isEmpty || content == state.inline)
        }
    }

    /// Goes on from the store's record: the next of ours has a counter above it.
    private func adopt(
        _ other: PadRecord, _ content: [UInt8], _ ino: UInt64, _ pending: [UInt8]
    ) throws(FileError) {
        try changeWaiting(ino, pending) { (state, pad) in
            var pad = pad
            pad.counter = max(pad.counter, other.counter)
            pad.pendingRecord = nil
            pad.publishedDigest = PadDigest.of(content, encoding: other.encoding)
            state.pad = pad
            state.isPadDirty = true
            state.isPadUnsealed = true
        }
    }

    /// Runs `body` with the pad whose record still waits for the store; nil if it does not.
    private func changeWaiting<R>(
        _ ino: UInt64, _ pending: [UInt8],
        _ body: (inout InodeState, PadRow) throws(FileError) -> R?
    ) throws(FileError) -> R? {
        try volume.with(ino) { (inode) throws(FileError) in
            try volume.change(inode) { (state) throws(FileError) -> R? in
                try load(&state)
                guard let pad = state.pad, pad.pendingRecord == pending else { return nil }
                return try body(&state, pad)
            }
        }
    }
}

extension Engine {
    /// Names that are tried for the other version of a pad.
    private static let conflictNames = 100

    /// Keeps the store's version of a pad beside ours, under a name of its own.
    ///
    /// - Returns: false if it could not be kept; a line in the log says so.
    func keepConflict(_ ino: UInt64, _ content: [UInt8], _ encoding: UInt64) -> Bool {
        do throws(FileError) {
            let row = try volume.row(ino)
            let found = try volume.query { (reader) throws(MetadataError) in
                try reader.name(parent: row.parent, cookie: row.cookie)
            }
            guard let name = found else { return false }
            let now = Timestamp.now()
            for attempt in 0..<Engine.conflictNames {
                let suffix = Array(
                    " (conflict \(now.seconds)\(attempt == 0 ? "" : "-\(attempt)"))".utf8)
                let other = Array(name.prefix(Engine.maximumNameSize - suffix.count)) + suffix
                do throws(FileError) {
                    try keep(content, encoding, beside: row, as: other)
                } catch .exists {
                    continue
                }
                // The content is safe: without this line it is only harder to find.
                _ = try? volume.query { (writer) throws(MetadataError) in
                    try writer.addConflict(
                        ConflictRow(
                            number: 0, directory: row.parent, keptName: name, conflictName: other,
                            noticed: now))
                }
                return true
            }
        } catch {
            // Said below, as where no name was free.
        }
        volume.errors.add(.conflict, "the other version of a pad could not be kept")
        return false
    }

    /// Makes a pad beside another. What fails leaves no name behind.
    private func keep(
        _ content: [UInt8], _ encoding: UInt64, beside row: InodeRow, as name: [UInt8]
    ) throws(FileError) {
        let context = RequestContext(user: row.attributes.uid, group: row.attributes.gid)
        let status = try makeNode(
            name, in: row.parent, kind: .regular, mode: 0o600, device: 0, context)
        defer { forget(status.ino, count: 1) }
        do throws(FileError) {
            try volume.with(status.ino) { (inode) throws(FileError) in
                try volume.change(inode) { (state) throws(FileError) in
                    try pads.load(&state)
                    state.pad?.encoding = encoding
                    state.isPadDirty = true
                }
                // The quota is for what is written here: this is somebody else's work.
                _ = try writer.write(
                    inode, at: 0, content.span, isExempt: true, context.patience)
                pads.note(inode.ino, after: configuration.padDelay)
            }
        } catch {
            // The next attempt makes another: one name too many is no loss.
            try? unlink(name, in: row.parent, context)
            throw error
        }
    }
}
