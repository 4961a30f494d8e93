// SPDX-License-Identifier: Apache-2.0
//
// Extended attributes: the user's own, and those in which Cairn tells what it knows of a file.

import Metadata
import Namespace
import Primitives
import Scratchpads
import SelfEncryption
import Synchronization

extension Engine {
    /// What only Cairn writes starts with this.
    static let ownPrefix = "user.cairn."
    private static let ownPrefixBytes = Array(ownPrefix.utf8)

    private static let systemPrefix = Array("system.".utf8)

    /// Whether an attribute is of the system's namespace, and no access list. The kernel lets
    /// everybody through to those who can reach the file at all: what they mean is the filesystem's
    /// affair, and here they mean nothing.
    ///
    /// - Source: Linux, fs/xattr.c, xattr_permission.
    private static func isSystems(_ name: [UInt8]) -> Bool {
        name.starts(with: systemPrefix) && name != AccessList.accessName
            && name != AccessList.defaultName
    }

    /// The value of one attribute.
    package func extendedAttribute(
        _ name: [UInt8], of ino: UInt64, _ context: RequestContext
    ) throws(FileError) -> [UInt8] {
        if ForeignInodes.isForeign(ino) { return try foreignAttribute(name, of: ino, context) }
        if VirtualTree.isVirtual(ino) { throw .noAttribute }
        if name == Engine.identifierAttribute { return try contentIdentifier(of: ino, context) }
        if name.starts(with: Engine.ownPrefixBytes) {
            guard let value = try ownAttribute(name, ino) else { throw .noAttribute }
            return Array(value.utf8)
        }
        if Engine.isSystems(name) { throw .notSupported }
        // The kernel asks for one before the first write to a file.
        if volume.table.peek(ino, { $0.lacksAttributes }) == true { throw .noAttribute }
        let value = try volume.query { (reader) throws(MetadataError) in
            try reader.xattr(ino, name)
        }
        guard let value else { throw .noAttribute }
        return value
    }

    /// All names; Cairn's own last.
    package func extendedAttributeNames(
        of ino: UInt64, _ context: RequestContext
    ) throws(FileError) -> [[UInt8]] {
        if ForeignInodes.isForeign(ino) { return try foreignAttributeNames(of: ino) }
        if VirtualTree.isVirtual(ino) { return [] }
        let names = try volume.query { (reader) throws(MetadataError) in try reader.xattrNames(ino)
        }
        return names.filter { !Engine.isSystems($0) }
            + (try ownNames(ino)).map { Array((Engine.ownPrefix + $0).utf8) }
    }

    /// Sets an attribute.
    package func setExtendedAttribute(
        _ name: [UInt8], of ino: UInt64, to value: [UInt8], _ expectation: AttributeExpectation,
        _ context: RequestContext
    ) throws(FileError) {
        if ForeignInodes.isForeign(ino) {
            return try setForeignAttribute(name, of: ino, to: value, expectation, context)
        }
        try requireWritable()
        if !Engine.isOwn(ino) { throw .notPermitted }
        if name == Engine.identifierAttribute { throw .notSupported }
        if name.count > NamespaceLimits.maximumXattrNameSize { throw .outOfRange }
        if value.count > NamespaceLimits.maximumXattrValueSize { throw .argumentTooLong }
        if name == Array((Engine.ownPrefix + "encoding").utf8) {
            try setEncoding(value, ino, context)
            return
        }
        if name.starts(with: Engine.ownPrefixBytes) || Engine.isSystems(name) {
            throw .notSupported
        }
        let setsMode = try volume.with(ino) { (inode) throws(FileError) in
            try committer.withNames { () throws(FileError) in
                let known = try volume.query { (reader) throws(MetadataError) in
                    (
                        try reader.xattr(ino, name), try reader.xattrs(ino)
                    )
                }
                if expectation == .absent && known.0 != nil { throw .exists }
                if expectation == .present && known.0 == nil { throw .noAttribute }
                let others = known.1.reduce(0) { $1.name == name ? $0 : $0 + $1.value.count }
                let isNew = known.0 == nil
                if others + value.count > Engine.maximumAttributeBytes
                    || (isNew && known.1.count >= NamespaceLimits.maximumXattrCount)
                {
                    throw .noSpace
                }
                let access = try accessList(name, value, of: inode)
                inode.state.withLock { $0.lacksAttributes = false }
                try volume.query { (writer) throws(MetadataError) in
                    if access?.isPlainMode == true {
                        _ = try writer.removeXattr(ino, name)
                    } else {
                        try writer.setXattr(ino, name, value)
                    }
                }
                if let access { try apply(access, to: inode, context) }
                try touchInode(inode)
                return access != nil
            }
        }
        // A kernel that does not check the list does not know that it set the mode.
        if setsMode { invalidation(.attributes(ino)) }
        committer.keepBelowLimits()
    }

    /// The list that sets the mode, if `name` is its attribute.
    ///
    /// - Throws: `invalid` for a value that is no list; `accessDenied` for a default list of
    ///   something that nothing can be made in.
    private func accessList(
        _ name: [UInt8], _ value: [UInt8], of inode: Inode
    ) throws(FileError) -> AccessList? {
        guard name == AccessList.accessName || name == AccessList.defaultName else { return nil }
        guard let list = AccessList(decoding: value) else { throw .invalid }
        let kind = inode.state.withLock { $0.row.kind }
        if kind == .symlink { throw .notSupported }
        if name == AccessList.accessName { return list }
        if kind != .directory { throw .accessDenied }
        return nil
    }

    /// The mode that goes with a new access list. The kernel would have set-group-id dropped when
    /// the caller is not in the file's group, but tells so only in a field that libfuse 3.14 does
    /// not take: the caller's first group decides here, so that a member by another group loses
    /// the bit as well.
    private func apply(
        _ list: AccessList, to inode: Inode, _ context: RequestContext
    ) throws(FileError) {
        try volume.change(inode) { (state) throws(FileError) in
            let isForeign = context.user != 0 && context.group != state.row.attributes.gid
            if isForeign && state.row.kind != .directory {
                state.row.attributes.mode &= ~Engine.setGroupID
            }
            state.row.attributes.mode = state.row.attributes.mode & ~0o777 | list.mode
        }
    }

    /// Brings the access list, if there is one, in step with a mode that chmod is about to set.
    /// Names are locked.
    func rewriteAccessList(of ino: UInt64, for mode: UInt32) throws(FileError) {
        try volume.query { (writer) throws(MetadataError) in
            guard let value = try writer.xattr(ino, AccessList.accessName),
                var list = AccessList(decoding: value)
            else { return }
            list.setMode(mode)
            try writer.setXattr(ino, AccessList.accessName, list.encoded)
        }
    }

    /// Most bytes of all attribute values of one inode: they travel in its directory's page.
    static let maximumAttributeBytes = 128 * 1024

    /// Removes an attribute.
    package func removeExtendedAttribute(
        _ name: [UInt8], of ino: UInt64, _ context: RequestContext
    ) throws(FileError) {
        if ForeignInodes.isForeign(ino) {
            return try setForeignAttribute(name, of: ino, to: nil, .any, context)
        }
        try requireWritable()
        if VirtualTree.isVirtual(ino) || name.starts(with: Engine.ownPrefixBytes) {
            throw .notPermitted
        }
        if Engine.isSystems(name) { throw .notSupported }
        try volume.with(ino) { (inode) throws(FileError) in
            try committer.withNames { () throws(FileError) in
                let known = try volume.query { (reader) throws(MetadataError) in
                    try reader.xattr(ino, name)
                }
                if known == nil { throw .noAttribute }
                _ = try volume.query { (writer) throws(MetadataError) in
                    try writer.removeXattr(ino, name)
                }
                try touchInode(inode)
            }
        }
        committer.keepBelowLimits()
    }

    private func touchInode(_ inode: Inode) throws(FileError) {
        try volume.change(inode) { (state) throws(FileError) in
            state.row.attributes.changed = .now()
            state.isRowDirty = true
        }
    }

    // MARK: Cairn's own

    /// Listed for pads only. In `files/` they answer to their names but are not listed: `rsync -X`
    /// and others take what is listed for the user's own, and try to copy or remove it.
    private func ownNames(_ ino: UInt64) throws(FileError) -> [String] {
        let row = try volume.row(ino)
        guard row.kind == .regular, row.form == .pad, let pad = try pad(ino) else { return [] }
        let plain = ["address", "counter", "encoding", "owner", "state"]
        // What is listed must answer, or `getfattr -d` complains; an edit that is not sealed yet
        // has no signature.
        let isSealed =
            pad.pendingRecord != nil
            || (pad.counter > 0 && pad.address.scheme == .ed25519 && !pads.isPending(ino))
        return isSealed ? plain + ["signature"] : plain
    }

    private func ownAttribute(_ name: [UInt8], _ ino: UInt64) throws(FileError) -> String? {
        let row = try volume.row(ino)
        guard row.kind == .regular else { return nil }
        let key = name.dropFirst(Engine.ownPrefix.utf8.count)
        let text = String(decoding: key, as: UTF8.self)
        if text == "state" { return state(of: row).rawValue }
        if row.form == .pad {
            guard let pad = try pad(ino) else { return nil }
            switch text {
            case "address", "owner": return pad.address.hex
            case "counter": return String(pad.counter)
            case "encoding": return String(pad.encoding)
            case "signature": return try signature(of: pad, ino)
            default: return nil
            }
        }
        guard row.form == .blocks else { return nil }
        switch text {
        case "chunks": return String(try dataMaps(of: ino).reduce(0) { $0 + $1.map.chunks.count })
        case "datamap":
            let maps = try dataMaps(of: ino)
            guard maps.count == 1, let only = maps.first else { return nil }
            return Hex.encode(only.map.encodedMessagePack())
        default: return nil
        }
    }

    /// Where a file stands on its way to the store.
    func state(of row: InodeRow) -> FileState {
        let isPadPending = row.form == .pad && pads.isPending(row.ino)
        if let state = flusher.state(of: row.ino) { return state }
        if isPadPending { return .dirty }
        let isDirty = volume.table.peek(row.ino) { $0.isRowDirty || $0.isInlineDirty } ?? false
        let published = publisher.head.withLock { $0.change }
        if !isDirty && row.change <= published { return .published }
        return row.form == .inline ? .dirty : .stored
    }

    func pad(_ ino: UInt64) throws(FileError) -> PadRow? {
        try volume.with(ino) { (inode) throws(FileError) in
            try inode.state.withLock { (state) throws(FileError) in
                try pads.load(&state)
                return state.pad
            }
        }
    }

    func dataMaps(of ino: UInt64) throws(FileError) -> [Segment] {
        try volume.with(ino) { (inode) throws(FileError) in
            try inode.state.withLock { (state) throws(FileError) in
                try volume.loadBase(&state)
                return state.base?.segments ?? []
            }
        }
    }

    /// Sealing is deterministic: the signature of what was sent is made again instead of kept. That
    /// of a pad from elsewhere was made by somebody else, and is known to the store alone.
    private func signature(of pad: PadRow, _ ino: UInt64) throws(FileError) -> String? {
        if let pending = pad.pendingRecord, let record = try? PadRecord(decoding: pending) {
            return Hex.encode(record.signature)
        }
        guard pad.counter > 0, pad.address.scheme == .ed25519 else { return nil }
        let content = try volume.with(ino) { (inode) throws(FileError) in
            try inode.state.withLock { (state) throws(FileError) in
                try volume.loadInline(&state)
                return state.inline ?? []
            }
        }
        guard pad.publishedDigest == PadDigest.of(content, encoding: pad.encoding)
        else { return nil }
        let record = try? volume.capability(of: pad).seal(
            content.span, encoding: pad.encoding, counter: pad.counter)
        return record.map { Hex.encode($0.signature) }
    }

    private func setEncoding(
        _ value: [UInt8], _ ino: UInt64, _ context: RequestContext
    ) throws(FileError) {
        guard let encoding = UInt64(String(decoding: value, as: UTF8.self)) else { throw .invalid }
        try volume.with(ino) { (inode) throws(FileError) in
            try pads.requireKey(inode)
            // A record that came later would have its own.
            try ensureContent(inode, context.patience)
            try volume.change(inode) { (state) throws(FileError) in
                try pads.load(&state)
                guard var pad = state.pad else { throw .notSupported }
                if pad.encoding == encoding { return }
                pad.encoding = encoding
                state.pad = pad
                state.isPadDirty = true
                state.isPadUnsealed = true
                state.row.attributes.changed = .now()
                state.isRowDirty = true
            }
        }
        pads.note(ino, after: configuration.padDelay)
    }
}
