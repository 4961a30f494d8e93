// SPDX-License-Identifier: Apache-2.0
//
// The merge of two versions of one inode, field by field.

extension Entry {
    /// One version with the changes of both; nil if both changed the bytes, or an extended
    /// attribute, to different values.
    ///
    /// - Parameters:
    ///   - ours: anything but a directory, and so the other two.
    ///   - theirs: the version whose name and number the result has.
    ///   - base: the last common version; nil if both made the name.
    init?(merging ours: Entry, _ theirs: Entry, base: Entry?) {
        if ours.body == .link || theirs.body == .link {
            // A link's fields are in the table: it can only be kept or replaced whole.
            guard let base else { return nil }
            if !ours.isModified(since: base) {
                self = theirs
            } else if !theirs.isModified(since: base) {
                self = ours
            } else {
                return nil
            }
            return
        }
        guard let body = Body.merging(ours.body, theirs.body, base: base?.body) else { return nil }
        guard Self.xattrsMerge(ours.xattrs, theirs.xattrs, base: base?.xattrs ?? []) else {
            return nil
        }
        self = theirs
        self.body = body
        mergeFields(base: base?.body == .link ? nil : base, ours: ours, theirs: theirs)
    }

    /// Sets everything but name and body. Of an extended attribute that both changed, and of
    /// permissions and owners that both changed, theirs stands.
    mutating func mergeFields(base: Entry?, ours: Entry, theirs: Entry) {
        ino = pick(base?.ino, ours.ino, theirs.ino)
        attributes = FileAttributes(
            merging: ours.attributes, theirs.attributes, base: base?.attributes)
        xattrs = Self.merged(ours.xattrs, theirs.xattrs, base: base?.xattrs ?? [])
        if let base {
            // Each side counted the names it made and removed; both counts hold.
            let sum = Int64(ours.linkCount) + Int64(theirs.linkCount) - Int64(base.linkCount)
            linkCount = UInt32(clamping: max(1, sum))
        } else {
            linkCount = max(ours.linkCount, theirs.linkCount)
        }
    }

    /// Whether somebody changed this inode since `base`. That it was read, renamed, numbered or
    /// linked anew is no change: nothing would be lost with it.
    func isModified(since base: Entry) -> Bool {
        if body != base.body || xattrs != base.xattrs { return true }
        if body == .link { return ino != base.ino }
        var untouched = attributes
        untouched.accessed = base.attributes.accessed
        untouched.changed = base.attributes.changed
        return untouched != base.attributes
    }

    /// A directory's pages; nil for an empty directory, and for anything else.
    var pages: PageReference? {
        if case .directory(let pages, _, _) = body { return pages }
        return nil
    }

    private static func xattrsMerge(
        _ ours: [ExtendedAttribute], _ theirs: [ExtendedAttribute], base: [ExtendedAttribute]
    ) -> Bool {
        guard ours != base, theirs != base, ours != theirs else { return true }
        let before = values(base)
        let other = values(theirs)
        return ours.allSatisfy { xattr in
            let theirValue = other[xattr.name]
            return xattr.value == before[xattr.name] || xattr.value == theirValue
                || theirValue == nil || theirValue == before[xattr.name]
        }
    }

    /// By name, as files are: who changed a value keeps it against who removed it.
    private static func merged(
        _ ours: [ExtendedAttribute], _ theirs: [ExtendedAttribute], base: [ExtendedAttribute]
    ) -> [ExtendedAttribute] {
        if ours == base || ours == theirs { return theirs }
        if theirs == base { return ours }
        let before = values(base)
        let mine = values(ours)
        let other = values(theirs)
        var result: [ExtendedAttribute] = []
        for name in Set(mine.keys).union(other.keys) {
            let old = before[name]
            let value: [UInt8]?
            switch (mine[name], other[name]) {
            case (let ours, let theirs) where ours == old: value = theirs
            case (let ours, let theirs) where theirs == old: value = ours
            case (let ours, let theirs): value = theirs ?? ours
            }
            if let value { result.append(ExtendedAttribute(name: name, value: value)) }
        }
        return result.sorted { bytesPrecede($0.name, $1.name) }
    }

    private static func values(_ xattrs: [ExtendedAttribute]) -> [[UInt8]: [UInt8]] {
        Dictionary(xattrs.map { ($0.name, $0.value) }) { first, _ in first }
    }
}

extension Body {
    /// What both sides can agree on; nil if both changed it, and differently.
    fileprivate static func merging(_ ours: Body, _ theirs: Body, base: Body?) -> Body? {
        if ours == theirs || ours == base { return theirs }
        if theirs == base { return ours }
        guard case .pad(let our) = ours, case .pad(let their) = theirs,
            our.identity == their.identity, our.address == their.address
        else { return nil }
        // One pad, of which the stores keep the state with the larger counter.
        return our.counter > their.counter ? ours : theirs
    }
}

extension FileAttributes {
    fileprivate init(
        merging ours: FileAttributes, _ theirs: FileAttributes, base: FileAttributes?
    ) {
        self.init(
            mode: pick(base?.mode, ours.mode, theirs.mode),
            uid: pick(base?.uid, ours.uid, theirs.uid),
            gid: pick(base?.gid, ours.gid, theirs.gid),
            accessed: latest(base?.accessed, ours.accessed, theirs.accessed),
            modified: latest(base?.modified, ours.modified, theirs.modified),
            changed: latest(base?.changed, ours.changed, theirs.changed),
            created: latest(base?.created, ours.created, theirs.created))
    }
}

/// The changed value; theirs if both changed it.
private func pick<Value: Equatable>(_ base: Value?, _ ours: Value, _ theirs: Value) -> Value {
    theirs == base ? ours : theirs
}

/// The changed moment; the later one if both changed it.
private func latest(_ base: Timestamp?, _ ours: Timestamp, _ theirs: Timestamp) -> Timestamp {
    if ours == base { return theirs }
    return theirs == base ? ours : max(ours, theirs)
}
