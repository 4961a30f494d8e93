// SPDX-License-Identifier: Apache-2.0
//
// Pads of the older Autonomi network among the volume's own: what they allow, and how they come in
// and go out.
//
// Invariant: a pad of which there is no key never changes here. Its identity stays with its file,
// whatever name that has, and no name hands it on.

package import Cryptography
import Metadata
import Namespace
import Primitives
package import Scratchpads
import Stores
import Synchronization

extension Volume {
    /// What can be done with a pad.
    ///
    /// - Throws: `inputOutput` for an identity that is not its address's: the row is damaged.
    func capability(of pad: PadRow) throws(FileError) -> any PadCapability {
        guard pad.identity.count == PadReference.identitySize,
            let capability = configuration.keys.pad(identity: pad.identity, at: pad.address)
        else {
            errors.add(
                .pad, "a pad's keys are not those of its address", detail: pad.address.hex)
            throw .inputOutput
        }
        return capability
    }
}

extension PadKeeper {
    /// The most bytes of a pad's content.
    static func contentLimit(_ pad: PadRow?) -> Int {
        pad?.address.scheme == .autonomi
            ? AutonomiPad.maximumContentSize : PadKeeper.maximumContentSize
    }

    /// Whether there is no key to write the pad with.
    func isKeyless(_ pad: PadRow) throws(FileError) -> Bool {
        guard pad.address.scheme == .autonomi else { return false }
        return try !volume.capability(of: pad).isWritable
    }

    /// Makes sure that an inode may be written to, and has its pad loaded if it is one.
    ///
    /// - Throws: `accessDenied` for a pad without its key.
    func requireKey(_ inode: Inode) throws(FileError) {
        guard inode.state.withLock({ $0.row.form == .pad && $0.row.kind == .regular }) else {
            return
        }
        let pad = try inode.state.withLock { (state) throws(FileError) in
            try load(&state)
            return state.pad
        }
        if let pad, try isKeyless(pad) { throw .accessDenied }
    }
}

extension Engine {
    /// Puts a pad of the older Autonomi network among the volume's, or brings one that is there up
    /// to a later state. Counts one kernel reference.
    ///
    /// The record goes to the volume's store of pads as it is, signature and all.
    ///
    /// - Parameters:
    ///   - record: one of `SignatureSchemeID.autonomi`; it is verified.
    ///   - key: the pad's secret key, if it is to be written here as well.
    ///   - name: a lasting name among the scratchpads.
    /// - Throws: `invalid` for a record that its owner did not sign, of another scheme, or with the
    ///   last counter there is, where it could be written;
    ///   `accessDenied` for the key of another pad; `busy` while it comes in by another call, or
    ///   has an edit that is not stored; `exists` for a name that something else has,
    ///   and for a pad that has another name here; `stale` if the store or this volume has a
    ///   later state; `notSupported` outside of the scratchpads.
    package func importPad(
        _ record: PadRecord, key: SecretBytes?, as name: [UInt8], in parent: UInt64,
        _ context: RequestContext
    ) throws(FileError) -> FileStatus {
        guard let patience = context.patience else { throw .wouldBlock }
        try requireWritable()
        try requireName(name)
        let directory = try requireParent(parent, context)
        if directory.form != .pad || pads.names.isTemporary(name) { throw .notSupported }
        let (pad, content) = try opened(record, key)
        guard pads.arriving.withLock({ $0.insert(pad.address).inserted }) else { throw .busy }
        defer { pads.arriving.withLock { _ = $0.remove(pad.address) } }
        // The rows are to have every pad that is known here: an identity is given once.
        try committer.commit()
        try loadPads(in: Engine.scratchpadsInode, patience)
        let standing = try target(pad, name, parent)
        if let standing {
            if standing.pad.counter > record.counter { throw refusedAsOld() }
            // An edit that is not sealed yet would be lost.
            if pads.isPending(standing.ino) { throw .busy }
        }
        let isWritable = standing?.isWritable == true || pad.isWritable
        if isWritable && record.counter == .max {
            volume.errors.add(.pad, "a scratchpad's counter is at its end: it cannot be written")
            throw .invalid
        }
        try store(record)
        if let standing, standing.pad.counter == record.counter, key == nil {
            volume.table.addReference(standing.ino)
            return try status(of: standing.ino, context)
        }
        var row = PadRow(
            ino: 0, identity: configuration.keys.identity(of: pad), address: pad.address,
            encoding: record.encoding, counter: record.counter,
            publishedDigest: PadDigest.of(content, encoding: record.encoding))
        var shown = content
        if let standing {
            if key == nil {
                // The key that is here already stays.
                row.identity = standing.pad.identity
                shown = try reading(record, as: standing.pad)
                row.publishedDigest = PadDigest.of(shown, encoding: record.encoding)
            }
            // A full disk lets a name be removed, and none be made: the pad would have none.
            try committer.withNames { () throws(FileError) in }
            // The kernel never forgets a file's size: the new state is a new file.
            try unlink(name, in: parent, context)
        }
        let made = try makeNode(
            name, in: parent, kind: .regular, mode: isWritable ? 0o600 : 0o400, device: 0, context)
        do throws(FileError) {
            try replace(made.ino, row, shown)
            invalidation(.entry(parent: parent, name: name))
            return try status(of: made.ino, context)
        } catch {
            forget(made.ino, count: 1)
            throw error
        }
    }

    /// The record of a pad as the store has it, verified.
    ///
    /// - Throws: `notSupported` for what is no pad of the older Autonomi network; `busy` while its
    ///   newest content is not in the store; `notFound` if the store has none.
    package func exportPad(
        _ ino: UInt64, _ context: RequestContext
    ) throws(FileError) -> PadRecord {
        guard context.patience != nil else { throw .wouldBlock }
        guard let pad = try pad(ino), pad.address.scheme == .autonomi else { throw .notSupported }
        if pads.isPending(ino) { throw .busy }
        let record: PadRecord?
        do throws(StoreError) {
            record = try configuration.pads.get(pad.address)
        } catch {
            throw volume.reportStore(error)
        }
        guard let record else { throw .notFound }
        _ = try opened(record, nil)
        return record
    }

    private func opened(
        _ record: PadRecord, _ key: SecretBytes?
    ) throws(FileError) -> (AutonomiPad, [UInt8]) {
        guard record.address.scheme == .autonomi else { throw .invalid }
        do throws(ScratchpadError) {
            try record.verify()
        } catch {
            volume.errors.add(.pad, "a scratchpad's signature is not that of its owner")
            throw .invalid
        }
        let pad: AutonomiPad
        if let key {
            guard let own = AutonomiPad(key: key, record: record) else {
                volume.errors.add(.pad, "the key is not that of the scratchpad")
                throw .accessDenied
            }
            pad = own
        } else {
            pad = AutonomiPad(address: record.address)
        }
        do throws(ScratchpadError) {
            return (pad, try pad.open(record))
        } catch {
            volume.errors.add(.pad, "a scratchpad does not open", detail: "\(error)")
            throw .invalid
        }
    }

    /// The content of a verified record in the eyes of a pad that is here.
    private func reading(_ record: PadRecord, as pad: PadRow) throws(FileError) -> [UInt8] {
        let capability = try volume.capability(of: pad)
        do throws(ScratchpadError) {
            return try capability.open(record)
        } catch {
            volume.errors.add(.pad, "a scratchpad does not open", detail: "\(error)")
            throw .invalid
        }
    }

    /// Names of pads that are asked for at once.
    private static let padPageSize = 256

    /// Brings in all directories of pads: no other name may have the same pad.
    private func loadPads(in directory: UInt64, _ patience: Patience) throws(FileError) {
        var waiting = [directory]
        while let next = waiting.popLast() {
            try loader.ensureLoaded(try volume.row(next), patience)
            var cookie: UInt64 = 0
            while true {
                let from = cookie
                let items = try volume.query { (reader) throws(MetadataError) in
                    try reader.entries(
                        parent: next, after: from, limit: Engine.padPageSize)
                }
                guard let last = items.last else { break }
                waiting += items.filter { $0.kind == .directory }.map(\.ino)
                cookie = last.cookie
            }
        }
    }

    /// The pad that is there already, if it is the same one under the same name.
    private func target(
        _ pad: AutonomiPad, _ name: [UInt8], _ parent: UInt64
    ) throws(FileError) -> (ino: UInt64, pad: PadRow, isWritable: Bool)? {
        let known = try volume.query { (reader) throws(MetadataError) in
            (
                try reader.lookup(parent: parent, name: name),
                try reader.pads().filter { $0.address == pad.address }
            )
        }
        guard let row = known.0 else {
            if known.1.isEmpty { return nil }
            volume.errors.add(.pad, "this scratchpad has another name in the volume already")
            throw .exists
        }
        guard let standing = try self.pad(row.ino), standing.address == pad.address else {
            throw .exists
        }
        return (row.ino, standing, try volume.capability(of: standing).isWritable)
    }

    private func store(_ record: PadRecord) throws(FileError) {
        let outcome: PadPutOutcome
        do throws(StoreError) {
            outcome = try configuration.pads.put(record)
        } catch {
            throw volume.reportStore(error)
        }
        if case .standing(let other) = outcome, other != record { throw refusedAsOld() }
    }

    private func refusedAsOld() -> FileError {
        volume.errors.add(.pad, "a later state of this scratchpad is here already")
        return .stale
    }

    /// Makes a record's content and identity those of an inode.
    private func replace(
        _ ino: UInt64, _ pad: PadRow, _ content: [UInt8]
    ) throws(FileError) {
        try volume.with(ino) { (inode) throws(FileError) in
            try volume.change(inode) { (state) throws(FileError) in
                var pad = pad
                pad.ino = ino
                state.pad = pad
                state.isPadDirty = true
                state.inline = content
                state.isInlineDirty = true
                // Its owner made it so large elsewhere: no quota refuses that.
                volume.quota.correct(state.row.size, to: UInt64(content.count))
                state.row.size = UInt64(content.count)
                state.row.allocated = UInt64(content.count)
                state.noteChange(.now())
                // It is what its owner signed: there is nothing to seal.
                state.isPadUnsealed = false
            }
        }
        pads.forget(ino)
        room.askIfShort()
    }
}
