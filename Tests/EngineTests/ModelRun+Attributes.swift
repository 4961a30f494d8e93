// SPDX-License-Identifier: Apache-2.0
//
// Random operations on attributes, plain and extended, and requests that must be refused.

import Engine
import TestSupport
import Namespace
import Scratchpads

extension ModelRun {
    /// Attribute values together, for the refusal of one more.
    private static let largeValue = 64 * 1024

    private func anyTime() -> Timestamp {
        Timestamp(
            seconds: Int64.random(in: -10_000_000_000...100_000_000_000, using: &dice),
            nanoseconds: UInt32.random(in: 0...999_999_999, using: &dice))
    }

    func setAttributes() throws {
        guard let id = pick(tree.named { _ in true }), !ModelTree.isFixed(id) else { return }
        let node = tree[id]
        var change = AttributeChange()
        var moves: Moves = .changed
        let hasList = node.xattrs[ModelRun.accessList] != nil
        switch Int.random(in: 0..<8, using: &dice) {
        case 0,
            1 where !hasList:
            // Set-id bits where they mean something: files, and groups of directories.
            let special: UInt32 = node.kind == .regular ? 0o7000 : 0
            let inherits: UInt32 = node.kind == .directory ? 0o2000 : 0
            let bits = UInt32.random(in: 0...0o7777, using: &dice)
            change.mode = bits & (0o777 | special | inherits)
        case 2:
            change.user = UInt32.random(in: 0...5000, using: &dice)
            if Bool.random(using: &dice) { change.group = UInt32.random(in: 0...9, using: &dice) }
        case 3: change.modified = .at(anyTime())
        case 4: change.accessed = .at(anyTime())
        case 5:
            change.accessed = .now
            change.modified = .now
            moves.formUnion([.accessed, .modified])
        case 6: change.changed = anyTime()
        default: change.clearsPrivileges = node.kind == .regular
        }
        let wanted = change
        try expect("setattr \(node.ino) \(wanted)", nil) { () throws(FileError) in
            try engine.setAttributes(of: node.ino, wanted, context)
        }
        if let time = change.changed {
            tree[id].attributes.changed = time
            moves.remove(.changed)
        }
        noteChange(id, change)
        try settle(id, moves)
    }

    private func noteChange(_ id: Int, _ change: AttributeChange) {
        let isOwnerChange = change.user != nil || change.group != nil
        if let mode = change.mode {
            tree[id].attributes.mode = mode
            // Its entries: owner, a user, group, mask, others; the mask is the group's.
            for (entry, shift) in [(0, 6), (3, 3), (4, 0)] as [(Int, UInt32)] {
                let permissions = 4 + entry * 8 + 2
                tree[id].xattrs[ModelRun.accessList]?[permissions] = UInt8(mode >> shift & 7)
            }
        }
        if let user = change.user { tree[id].attributes.uid = user }
        if let group = change.group { tree[id].attributes.gid = group }
        if case .at(let time) = change.modified { tree[id].attributes.modified = time }
        if case .at(let time) = change.accessed { tree[id].attributes.accessed = time }
        if (change.clearsPrivileges || isOwnerChange) && tree[id].kind != .directory {
            var mode = tree[id].attributes.mode & ~0o4000
            let isForeign =
                change.clearsPrivileges && tree[id].attributes.gid != context.group
            if isForeign || mode & 0o010 != 0 { mode &= ~0o2000 }
            tree[id].attributes.mode = mode
        }
    }

    // MARK: Extended attributes

    static let accessList = Array("system.posix_acl_access".utf8)
    static let defaultList = Array("system.posix_acl_default".utf8)

    func setExtendedAttribute() throws {
        guard let id = pick(tree.named { _ in true }), !ModelTree.isFixed(id) else { return }
        if Int.random(in: 0..<6, using: &dice) == 0 && tree[id].kind != .symlink {
            return Bool.random(using: &dice) ? try setAccessList(id) : try setDefaultList(id)
        }
        let ino = tree[id].ino
        let spaces = ["user", "trusted", "security"]
        let space = spaces[Int.random(in: 0..<spaces.count, using: &dice)]
        let name = Array("\(space).a\(Int.random(in: 0..<3, using: &dice))".utf8)
        let known = tree[id].xattrs[name]
        if Int.random(in: 0..<3, using: &dice) == 0 {
            let expected: FileError? = known == nil ? .noAttribute : nil
            try expect("removexattr \(ino)", expected) { () throws(FileError) in
                try engine.removeExtendedAttribute(name, of: ino, context)
            }
            tree[id].xattrs[name] = nil
            if known != nil { try settle(id, .changed) }
            return
        }
        let value = dice.bytes(Int.random(in: 0...200, using: &dice))
        let expectation: AttributeExpectation = [.any, .absent, .present][
            Int.random(in: 0..<3, using: &dice)]
        var expected: FileError?
        if expectation == .absent && known != nil { expected = .exists }
        if expectation == .present && known == nil { expected = .noAttribute }
        let done: Void? = try expect("setxattr \(ino) \(expectation)", expected) {
            () throws(FileError) in
            try engine.setExtendedAttribute(name, of: ino, to: value, expectation, context)
        }
        guard done != nil else { return }
        tree[id].xattrs[name] = value
        try settle(id, .changed)
    }

    /// Of owner, group and others, or of a user as well, and with a mask then.
    private func anyList() -> (bytes: [UInt8], mode: UInt32, hasNames: Bool) {
        func entry(_ tag: UInt8, _ permissions: UInt32, _ user: UInt8? = nil) -> [UInt8] {
            [tag, 0, UInt8(permissions), 0]
                + (user.map { [$0, 0, 0, 0] } ?? [UInt8](repeating: 0xFF, count: 4))
        }
        let bits = (0..<4).map { _ in UInt32.random(in: 0...7, using: &dice) }
        let hasNames = Bool.random(using: &dice)
        var value: [UInt8] = [2, 0, 0, 0] + entry(0x01, bits[0])
        if hasNames { value += entry(0x02, bits[3], 42) }
        value += entry(0x04, bits[1])
        if hasNames { value += entry(0x10, bits[2]) }
        value += entry(0x20, bits[3])
        return (value, bits[0] << 6 | (hasNames ? bits[2] : bits[1]) << 3 | bits[3], hasNames)
    }

    /// A list of owner, group and others is the mode and nothing more; one with names stays, and
    /// its mask is what the mode shows as the group's.
    private func setAccessList(_ id: Int) throws {
        let ino = tree[id].ino
        if tree[id].xattrs[ModelRun.accessList] != nil, Bool.random(using: &dice) {
            return try removeList(ModelRun.accessList, id)
        }
        let list = anyList()
        try expect("access list of \(ino) \(list.hasNames)", nil) { () throws(FileError) in
            try engine.setExtendedAttribute(
                ModelRun.accessList, of: ino, to: list.bytes, .any, context)
        }
        tree[id].xattrs[ModelRun.accessList] = list.hasNames ? list.bytes : nil
        tree[id].attributes.mode = tree[id].attributes.mode & ~0o777 | list.mode
        if tree[id].attributes.gid != context.group && tree[id].kind != .directory {
            tree[id].attributes.mode &= ~0o2000
        }
        try settle(id, .changed)
    }

    /// What is made in a directory from now on begins with this list.
    private func setDefaultList(_ id: Int) throws {
        let ino = tree[id].ino
        if tree[id].xattrs[ModelRun.defaultList] != nil, Bool.random(using: &dice) {
            return try removeList(ModelRun.defaultList, id)
        }
        let list = anyList()
        let expected: FileError? = tree[id].kind == .directory ? nil : .accessDenied
        let done: Void? = try expect("default list of \(ino)", expected) { () throws(FileError) in
            try engine.setExtendedAttribute(
                ModelRun.defaultList, of: ino, to: list.bytes, .any, context)
        }
        guard done != nil else { return }
        tree[id].xattrs[ModelRun.defaultList] = list.bytes
        try settle(id, .changed)
    }

    private func removeList(_ name: [UInt8], _ id: Int) throws {
        let ino = tree[id].ino
        try expect("removes a list of \(ino)", nil) { () throws(FileError) in
            try engine.removeExtendedAttribute(name, of: ino, context)
        }
        tree[id].xattrs[name] = nil
        try settle(id, .changed)
    }

    /// What is made in a directory with a default list: no permission that the caller did not ask
    /// for, where the mask stands for the group.
    ///
    /// - Returns: the mode, and the list if it says more than the mode.
    static func inherited(
        _ list: [UInt8], by asked: UInt32
    ) -> (mode: UInt32, list: [UInt8]?) {
        var list = list
        let entries = stride(from: 4, to: list.count, by: 8)
        let hasMask = entries.contains { list[$0] == 0x10 }
        var mode = asked & ~0o777
        for start in entries {
            let shift: UInt32
            switch list[start] {
            case 0x01: shift = 6
            case 0x04 where !hasMask: shift = 3
            case 0x10: shift = 3
            case 0x20: shift = 0
            default: continue
            }
            list[start + 2] &= UInt8(asked >> shift & 7)
            mode |= UInt32(list[start + 2]) << shift
        }
        return (mode, hasMask ? list : nil)
    }

    // MARK: Refusals

    /// What no volume does, whatever is in it: the errors say why, and nothing changes.
    func refused() throws {
        let directory = anyDirectory()
        let ino = tree[directory].ino
        let file = pick(tree.named { $0.kind == .regular })
        var change = AttributeChange()
        switch Int.random(in: 0..<9, using: &dice) {
        case 0:
            let long = [UInt8](repeating: UInt8(ascii: "l"), count: 256)
            try expect("a long name in \(ino)", .nameTooLong) { () throws(FileError) in
                try engine.makeDirectory(long, in: ino, mode: 0o755, context)
            }
        case 1:
            let names: [[UInt8]] = [[], Array(".".utf8), Array("..".utf8), [65, 0], [65, 47, 66]]
            let name = names[Int.random(in: 0..<names.count, using: &dice)]
            try expect("a bad name in \(ino)", .invalid) { () throws(FileError) in
                try engine.makeDirectory(name, in: ino, mode: 0o755, context)
            }
        case 2:
            try expect("a name in the root", .notPermitted) { () throws(FileError) in
                try engine.makeDirectory([65], in: Engine.rootInode, mode: 0o755, context)
            }
        case 3:
            change.size = 5
            let wanted = change
            try expect("truncate of directory \(ino)", .isDirectory) { () throws(FileError) in
                try engine.setAttributes(of: ino, wanted, context)
            }
        case 4:
            try expect("open of directory \(ino)", .isDirectory) { () throws(FileError) in
                try engine.open(ino, OpenIntent(reads: true, writes: false), context)
            }
        case 5 where file != nil:
            change.size = UInt64(Int64.max) + 1
            let (wanted, number) = (change, tree[file ?? 0].ino)
            try expect("truncate \(number) too far", .tooLarge) { () throws(FileError) in
                try engine.setAttributes(of: number, wanted, context)
            }
        case 6 where file != nil: try refuseInside(tree[file ?? 0].ino)
        case 7: try refuseWrite()
        default:
            let name = Array("nobody has this".utf8)
            try expect("lookup in \(ino)", .notFound) { () throws(FileError) in
                try engine.lookup(name, in: ino, context)
            }
        }
    }

    /// A file is no directory, and its attributes have limits.
    private func refuseInside(_ ino: UInt64) throws {
        try expect("lookup in file \(ino)", .notDirectory) { () throws(FileError) in
            try engine.lookup([65], in: ino, context)
        }
        try expect("mkdir in file \(ino)", .notDirectory) { () throws(FileError) in
            try engine.makeDirectory([65], in: ino, mode: 0o755, context)
        }
        let value = [UInt8](repeating: 1, count: ModelRun.largeValue + 1)
        try expect("a large value for \(ino)", .argumentTooLong) { () throws(FileError) in
            try engine.setExtendedAttribute(
                Array("user.large".utf8), of: ino, to: value, .any, context)
        }
        let name = Array(("user." + String(repeating: "n", count: 251)).utf8)
        try expect("a long attribute name for \(ino)", .outOfRange) { () throws(FileError) in
            try engine.setExtendedAttribute(name, of: ino, to: [1], .any, context)
        }
    }

    /// Past the largest size nothing is written, of a file or a pad.
    private func refuseWrite() throws {
        guard let file = open.randomElement(using: &dice) else { return }
        let node = tree[file.node]
        let limit =
            node.isPad ? WriteCapability.maximumPlaintextSize : Int(Int64.max)
        let bytes: [UInt8] = [1, 2, 3]
        try expect("write \(node.ino) past the limit", .tooLarge) { () throws(FileError) in
            try engine.write(
                file.handle, ino: node.ino, at: UInt64(limit) - 2, bytes.span, context)
        }
    }
}
