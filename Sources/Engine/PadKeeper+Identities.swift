// SPDX-License-Identifier: Apache-2.0
//
// Which file has which identity as a pad.

import Cryptography
import Metadata
import Namespace
import Scratchpads

extension PadKeeper {
    /// A new identity, which no name has had.
    func newIdentity(for ino: UInt64) -> PadRow {
        let identity = SystemRandom.bytes(PadReference.identitySize)
        let capability = volume.configuration.keys.pad(identity: identity)
        return PadRow(
            ino: ino, identity: identity, address: capability.address, encoding: 0, counter: 0,
            publishedDigest: nil, pendingRecord: nil, isLocalOnly: false)
    }

    /// Gives the inode the identity; its content is compared with what was sealed last, later.
    func assign(_ pad: PadRow?, to state: inout InodeState) {
        if var pad {
            pad.ino = state.ino
            // What the file has is the pad's content now, whatever its record has.
            if pad.isUnseen { pad.publishedDigest = PadDigest.replaced }
            state.pad = pad
            state.isPadDirty = true
            state.isPadUnsealed = true
            note(state.ino, after: volume.configuration.padDelay)
        } else {
            state.pad = nil
            state.isPadUnsealed = false
            forget(state.ino)
        }
        state.isRowDirty = true
    }

    /// Makes `state.pad` present, if the inode has an identity.
    func load(_ state: inout InodeState) throws(FileError) {
        try volume.loadPad(&state)
    }
}

extension Volume {
    /// As `PadKeeper.load`.
    func loadPad(_ state: inout InodeState) throws(FileError) {
        guard state.pad == nil, state.row.form == .pad, state.row.kind == .regular else { return }
        let ino = state.ino
        state.pad = try query { (reader) throws(MetadataError) in try reader.pad(ino) }
    }

    /// The pad of an inode whose content never came from the store, and was not replaced here; nil
    /// for every other inode.
    func unfetchedPad(_ state: inout InodeState) throws(FileError) -> PadRow? {
        guard state.inline == nil, !state.isDeleted else { return nil }
        try loadPad(&state)
        guard let pad = state.pad, pad.isUnseen else { return nil }
        let ino = state.ino
        let isHere = try query { (reader) throws(MetadataError) in try reader.inline(ino) != nil }
        return isHere ? nil : pad
    }
}
