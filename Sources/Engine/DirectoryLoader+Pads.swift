// SPDX-License-Identifier: Apache-2.0
//
// The pads of a directory that is loaded: their content is on the store of pads, not in pages.

import Metadata
import Namespace
import Primitives
import Scratchpads

extension DirectoryLoader {
    /// The pad's content as the store has it; counter and encoding go into `pad`.
    private func fetch(_ pad: inout PadRow, _ patience: Patience) throws(FileError) -> [UInt8] {
        let address = pad.address
        pads.begin([address])
        defer { pads.release([address]) }
        return try opened(try pads.record(address, patience), &pad)
    }

    /// The content of a record that proves to be the pad's; counter and encoding go into `pad`.
    func opened(_ record: PadRecord?, _ pad: inout PadRow) throws(FileError) -> [UInt8] {
        guard let record else {
            volume.errors.add(.pad, "the store has no record of a pad", detail: pad.address.hex)
            throw .inputOutput
        }
        guard record.counter >= pad.counter else {
            volume.errors.add(
                .pad,
                "rollback: the store offers counter \(record.counter) of a pad that has "
                    + "been at \(pad.counter)", detail: pad.address.hex)
            throw .inputOutput
        }
        do {
            let content = try volume.capability(of: pad).open(record)
            pad.counter = record.counter
            pad.encoding = record.encoding
            pad.publishedDigest = PadDigest.of(content, encoding: record.encoding)
            return content
        } catch {
            volume.errors.add(.pad, "a pad's record does not verify", detail: pad.address.hex)
            throw .inputOutput
        }
    }

    /// Brings the content of a pad whose directory was loaded without it.
    ///
    /// - Returns: whether the file has another size now than its row had.
    func ensureContent(_ inode: Inode, _ patience: Patience?) throws(FileError) -> Bool {
        let isPad = inode.state.withLock { state in
            state.row.form == .pad && state.row.kind == .regular && state.inline == nil
        }
        guard isPad else { return false }
        // Ends: a pad whose name got another file meanwhile is looked at anew, with less patience.
        while true {
            let missing = try inode.state.withLock { (state) throws(FileError) in
                try volume.unfetchedPad(&state)
            }
            guard var pad = missing else { return false }
            guard let patience else { throw .wouldBlock }
            let content = try fetch(&pad, patience)
            let found = pad
            let isResized = try volume.change(inode) { (state) throws(FileError) -> Bool? in
                guard try volume.unfetchedPad(&state)?.address == found.address else { return nil }
                let old = state.row.size
                state.inline = content
                state.isInlineDirty = true
                state.pad = found
                state.isPadDirty = true
                volume.quota.correct(old, to: UInt64(content.count))
                state.row.size = UInt64(content.count)
                state.row.allocated = UInt64(content.count)
                state.isRowDirty = true
                return old != UInt64(content.count)
            }
            if let isResized { return isResized }
        }
    }
}

extension Engine {
    /// Brings the content of a pad whose directory was loaded without it, and has the kernel forget
    /// the size that the directory had for it.
    func ensureContent(_ inode: Inode, _ patience: Patience?) throws(FileError) {
        if try loader.ensureContent(inode, patience) { invalidation(.attributes(inode.ino)) }
    }
}
