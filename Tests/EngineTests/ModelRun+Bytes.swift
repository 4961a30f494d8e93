// SPDX-License-Identifier: Apache-2.0
//
// Random operations on bytes, attributes and open files; and the choice among all operations.

import Engine
import Namespace
import TestSupport

extension ModelRun {
    /// One operation. The weights keep a tree of some dozen nodes.
    func once() throws {
        switch Int.random(in: 0..<1000, using: &dice) {
        case 0..<230: try write()
        case 230..<310: try createFile()
        case 310..<390: try makeNode()
        case 390..<450: try remove()
        case 450..<530: try rename()
        case 530..<570: try link()
        case 570..<640: try truncate()
        case 640..<720: try allocate()
        case 720..<770: try copy()
        case 770..<810: try setAttributes()
        case 810..<850: try setExtendedAttribute()
        case 850..<880: try openFile()
        case 880..<910: try close()
        case 910..<950: try synchronize()
        case 950..<965: try publish()
        case 965..<975: try crash()
        case 975..<983: try restart()
        case 983..<988: try recover()
        default: try check()
        }
    }

    private var files: [Int] { tree.named { $0.kind == .regular } }

    private var bytesHeld: Int { tree.nodes.values.reduce(0) { $0 + $1.content.size } }

    /// An open file, opened for this if none was.
    private func anyOpen() throws -> Open? {
        if open.isEmpty || Int.random(in: 0..<3, using: &dice) > 0 { try openFile() }
        return open.isEmpty ? nil : open[Int.random(in: 0..<open.count, using: &dice)]
    }

    func openFile() throws {
        guard open.count < 7, let id = pick(files) else { return }
        let ino = tree[id].ino
        let opened = try expect("open \(ino)", nil) { () throws(FileError) in
            try engine.open(ino, OpenIntent(reads: true, writes: true), context)
        }
        if let opened { open.append(Open(handle: opened.handle, node: id)) }
    }

    func close() throws {
        guard !open.isEmpty else { return }
        let file = open.remove(at: Int.random(in: 0..<open.count, using: &dice))
        note("close \(tree[file.node].ino)")
        engine.release(file.handle, ino: tree[file.node].ino)
        dropIfUnused(file.node)
    }

    // MARK: Bytes

    /// Mostly small, sometimes several blocks; now and then far beyond the end, past whole chunks.
    private func anyRange(_ size: Int) -> Range<Int> {
        let dart = Int.random(in: 0..<100, using: &dice)
        let count =
            dart < 50
            ? Int.random(in: 1...900, using: &dice)
            : dart < 90
                ? Int.random(in: 1...40_000, using: &dice)
                : Int.random(in: 1...400_000, using: &dice)
        var start = Int.random(in: 0...(size + 30_000), using: &dice)
        if dart % 4 == 0 { start = size }
        if dart % 7 == 0 { start = start / 16_384 * 16_384 }
        if dart == 98 && bytesHeld < ModelRun.byteLimit { start += 9_000_000 }
        return start..<start + count
    }

    func write() throws {
        guard let file = try anyOpen() else { return }
        let ino = tree[file.node].ino
        let range = anyRange(tree[file.node].content.size)
        let isPlain = Int.random(in: 0..<5, using: &dice) == 0
        let bytes =
            isPlain
            ? [UInt8](repeating: 0, count: range.count) : pattern(range.count, seed: dice.next())
        try expect("write \(ino) \(range)", nil) { () throws(FileError) in
            try engine.write(
                file.handle, ino: ino, at: UInt64(range.lowerBound), bytes.span, context)
        }
        tree[file.node].content.write(bytes, at: range.lowerBound)
        try refresh([file.node])
    }

    func truncate() throws {
        guard let id = pick(files) else { return }
        let (ino, size) = (tree[id].ino, tree[id].content.size)
        var new = Int.random(in: 0...max(size, 1), using: &dice)
        switch Int.random(in: 0..<10, using: &dice) {
        case 0: new = 0
        case 1: new = Int.random(in: 0...3, using: &dice)
        case 2: new = size + Int.random(in: 0...100_000, using: &dice)
        case 3: new = new / 16_384 * 16_384
        case 4 where bytesHeld < ModelRun.byteLimit: new = size + 5_000_000
        default: break
        }
        var change = AttributeChange()
        change.size = UInt64(new)
        let wanted = change
        try expect("truncate \(ino) \(size) to \(new)", nil) { () throws(FileError) in
            try engine.setAttributes(of: ino, wanted, context)
        }
        tree[id].content.truncate(to: new)
        try refresh([id])
    }

    func allocate() throws {
        guard let file = try anyOpen() else { return }
        let (ino, size) = (tree[file.node].ino, tree[file.node].content.size)
        var range = anyRange(size)
        if Bool.random(using: &dice) { range = range.lowerBound / 2..<range.upperBound }
        let keepsSize = Bool.random(using: &dice)
        let mode: AllocationMode = [
            .allocate(keepsSize: keepsSize), .punchHole, .zeroRange(keepsSize: keepsSize),
        ][Int.random(in: 0..<3, using: &dice)]
        torn = file.node
        try expect("allocate \(ino) \(range) of \(size) \(mode)", nil) { () throws(FileError) in
            try engine.allocate(
                file.handle, ino: ino, mode, offset: UInt64(range.lowerBound),
                count: UInt64(range.count), context)
        }
        if case .allocate = mode {} else { tree[file.node].content.clear(range) }
        if mode != .punchHole && !keepsSize && range.upperBound > size {
            tree[file.node].content.truncate(to: range.upperBound)
        }
        try refresh([file.node])
    }

    func copy() throws {
        guard let from = try anyOpen(), let to = try anyOpen() else { return }
        let size = tree[from.node].content.size
        let start = Int.random(in: 0...size, using: &dice)
        let target = Int.random(in: 0...(tree[to.node].content.size + 10_000), using: &dice)
        let count = min(Int.random(in: 1...300_000, using: &dice), 4 << 20)
        let (source, destination) = (tree[from.node].ino, tree[to.node].ino)
        let copied = try expect(
            "copy \(count) of \(source)+\(start) to \(destination)+\(target)", nil
        ) {
            () throws(FileError) in
            try engine.copyRange(
                from: (from.handle, source, UInt64(start)),
                to: (to.handle, destination, UInt64(target)), count: UInt64(count), context)
        }
        let bytes = tree[from.node].content.read(start..<start + count)
        if copied != UInt64(bytes.count) { throw fail("copied \(copied ?? 0), not \(bytes.count)") }
        tree[to.node].content.write(bytes, at: target)
        try refresh([to.node])
    }

    // MARK: Attributes

    func setAttributes() throws {
        guard let id = pick(tree.named { _ in true }), id != 0 else { return }
        let ino = tree[id].ino
        var change = AttributeChange()
        switch Int.random(in: 0..<3, using: &dice) {
        case 0: change.mode = UInt32.random(in: 0...0o777, using: &dice)
        case 1:
            change.user = UInt32.random(in: 0...5000, using: &dice)
            change.group = UInt32.random(in: 0...5000, using: &dice)
        default:
            change.modified = .at(
                Timestamp(
                    seconds: Int64.random(in: -1_000_000...5_000_000_000, using: &dice),
                    nanoseconds: UInt32.random(in: 0...999_999_999, using: &dice)))
        }
        let wanted = change
        try expect("setattr \(ino) \(wanted)", nil) { () throws(FileError) in
            try engine.setAttributes(of: ino, wanted, context)
        }
        if let mode = change.mode { tree[id].mode = mode }
        if let user = change.user { tree[id].user = user }
        if let group = change.group { tree[id].group = group }
        if case .at(let time) = change.modified { tree[id].modified = time }
    }

    func setExtendedAttribute() throws {
        guard let id = pick(tree.named { _ in true }), id != 0 else { return }
        let ino = tree[id].ino
        let name = Array("user.a\(Int.random(in: 0..<4, using: &dice))".utf8)
        let known = tree[id].attributes[name]
        if Int.random(in: 0..<3, using: &dice) == 0 {
            try expect("removexattr \(ino)", known == nil ? .noAttribute : nil) {
                () throws(FileError) in
                try engine.removeExtendedAttribute(name, of: ino, context)
            }
            tree[id].attributes[name] = nil
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
        if done != nil { tree[id].attributes[name] = value }
    }
}
