// SPDX-License-Identifier: Apache-2.0
//
// Random operations on bytes and open files; and the choice among all operations.

import Engine
import Foundation
import TestSupport
import Namespace
import Scratchpads

extension ModelRun {
    /// One operation. The weights keep a tree of some dozen nodes.
    func once() throws {
        if publishes > 0, depth == 0 {
            if dice.chance(publishes) { return try publish() }
            // Time for the engine to publish by itself, in the middle of something.
            if dice.chance(ModelRun.pauses) { usleep(ModelRun.pause) }
        }
        switch Int.random(in: 0..<1000, using: &dice) {
        case 0..<180: try write()
        case 180..<230: try read()
        case 230..<320: try createFile()
        case 320..<400: try makeNode()
        case 400..<470: try remove()
        case 470..<570: try rename()
        case 570..<600: try link()
        case 600..<650: try truncate()
        case 650..<720: try allocate()
        case 720..<760: try copy()
        case 760..<810: try setAttributes()
        case 810..<850: try setExtendedAttribute()
        case 850..<860: try setEncoding()
        case 860..<885: try openFile()
        case 885..<910: try close()
        case 910..<925: try seek()
        case 925..<930: try temporary()
        case 930..<945: try refused()
        case 945..<960: try synchronize()
        case 960..<966: try publish()
        case 966..<970: changeWeather()
        default: try rare()
        }
    }

    /// What takes long, and what ends the engine: not inside another operation.
    private func rare() throws {
        if depth > 0 { return try write() }
        switch Int.random(in: 0..<300, using: &dice) {
        case 0..<15: try restart()
        case 15..<30: try crash()
        case 30..<50: try kill()
        case 50..<60: try evict()
        case 60..<72: try recover()
        case 72..<120: try listing()
        default: try write()
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
        let truncates = Int.random(in: 0..<25, using: &dice) == 0
        let opened = try expect("open \(ino)\(truncates ? " truncates" : "")", nil) {
            () throws(FileError) in
            try engine.open(
                ino, OpenIntent(reads: true, writes: true, truncates: truncates), context)
        }
        guard let opened else { return }
        open.append(Open(handle: opened.handle, node: id))
        if truncates { try noteSize(id, 0) }
        // Whoever opens it for an operation changes it once more in the same step.
        remember()
    }

    func close() throws {
        guard !open.isEmpty else { return }
        let file = open.remove(at: Int.random(in: 0..<open.count, using: &dice))
        note("close \(tree[file.node].ino)")
        engine.release(file.handle, ino: tree[file.node].ino)
        dropIfUnused(file.node)
    }

    /// The content of a node has a new size, and nothing else.
    func noteSize(_ id: Int, _ size: Int) throws {
        // What lived in the row is written out when the file outgrows it.
        let inline = min(tree[id].content.size, ModelRun.inlineLimit)
        tree[id].cover.write(0..<inline)
        tree[id].content.truncate(to: size)
        if size <= ModelRun.inlineLimit { tree[id].cover.write(0..<size) }
        tree[id].cover.clear(0..<0, size: size)
        try settle(id, .bytes)
    }

    // MARK: Bytes

    /// Mostly small, sometimes several blocks; now and then far beyond the end, past whole chunks.
    private func anyRange(_ id: Int) -> Range<Int> {
        let (size, isPad) = (tree[id].content.size, tree[id].isPad)
        let dart = Int.random(in: 0..<100, using: &dice)
        let most = dart < 60 ? 900 : dart < 94 || isPad ? 30_000 : 250_000
        var count = Int.random(in: 1...most, using: &dice)
        var start = Int.random(in: 0...(size + 30_000), using: &dice)
        if dart % 3 == 1 {
            // Whole pages, as a kernel that gathers writes sends them.
            start = start / 4096 * 4096
            count = (count + 4095) / 4096 * 4096
        }
        if dart % 4 == 0 { start = size }
        if dart % 7 == 0 { start = start / 16_384 * 16_384 }
        if dart == 98 && !isPad && bytesHeld < byteLimit { start += 9_000_000 }
        if isPad { start = min(start, 200_000) }
        return start..<start + count
    }

    func write() throws {
        guard let file = try anyOpen() else { return }
        let ino = tree[file.node].ino
        let range = anyRange(file.node)
        let isPlain = Int.random(in: 0..<5, using: &dice) == 0
        let bytes =
            isPlain
            ? [UInt8](repeating: 0, count: range.count) : pattern(range.count, seed: dice.next())
        try expect("write \(ino) \(range)", nil) { () throws(FileError) in
            try engine.write(
                file.handle, ino: ino, at: UInt64(range.lowerBound), bytes.span, context)
        }
        try noteWrite(file.node, bytes, at: range.lowerBound)
    }

    private func noteWrite(_ id: Int, _ bytes: [UInt8], at offset: Int) throws {
        let old = tree[id].content.size
        tree[id].content.write(bytes, at: offset)
        tree[id].cover.write(0..<min(tree[id].content.size, ModelRun.inlineLimit))
        tree[id].cover.write(0..<min(old, ModelRun.inlineLimit))
        tree[id].cover.write(offset..<offset + bytes.count)
        try settle(id, .bytes)
    }

    /// The right bytes, or, while the store is not well, EIO; never others.
    func read() throws {
        guard let file = try anyOpen() else { return }
        let node = tree[file.node]
        let range = anyRange(file.node)
        var context = volume.context
        if weather != .fine {
            context.patience = Patience(for: .milliseconds(20))
        }
        var buffer = [UInt8](repeating: 0xEE, count: range.count)
        note("read \(node.ino) \(range)")
        let count: Int
        do throws(FileError) {
            var span = buffer.mutableSpan
            count = try engine.read(
                file.handle, ino: node.ino, at: UInt64(range.lowerBound), into: &span, context)
        } catch {
            if error == .inputOutput && weather != .fine { return }
            throw fail("read \(node.ino): \(error)", inode: node.ino)
        }
        if !same(Array(buffer[..<count]), node.content.read(range)) {
            throw fail("read \(node.ino) gives other bytes in \(range)", inode: node.ino)
        }
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
        case 4 where bytesHeld < byteLimit && !tree[id].isPad: new = size + 5_000_000
        default: break
        }
        if tree[id].isPad { new = min(new, 200_000) }
        var change = AttributeChange()
        change.size = UInt64(new)
        let wanted = change
        try expect("truncate \(ino) \(size) to \(new)", nil) { () throws(FileError) in
            try engine.setAttributes(of: ino, wanted, context)
        }
        try noteSize(id, new)
    }

    func allocate() throws {
        guard let file = try anyOpen() else { return }
        let (ino, size) = (tree[file.node].ino, tree[file.node].content.size)
        var range = anyRange(file.node)
        if Bool.random(using: &dice) { range = range.lowerBound / 2..<range.upperBound }
        let keepsSize = Bool.random(using: &dice)
        let mode: AllocationMode = [
            .allocate(keepsSize: keepsSize), .punchHole, .zeroRange(keepsSize: keepsSize),
        ][Int.random(in: 0..<3, using: &dice)]
        remember(torn: file.node)
        try expect("allocate \(ino) \(range) of \(size) \(mode)", nil) { () throws(FileError) in
            try engine.allocate(
                file.handle, ino: ino, mode, offset: UInt64(range.lowerBound),
                count: UInt64(range.count), context)
        }
        try noteAllocation(file.node, mode, range, size, keepsSize)
    }

    private func noteAllocation(
        _ id: Int, _ mode: AllocationMode, _ range: Range<Int>, _ size: Int, _ keepsSize: Bool
    ) throws {
        let inside = range.clamped(to: 0..<size)
        let grows = mode != .punchHole && !keepsSize && range.upperBound > size
        var mustMove = grows
        if case .allocate = mode {
            // What is reserved may be shown as data.
            if keepsSize { tree[id].cover.write(inside) }
        } else if !inside.isEmpty {
            mustMove = true
            let empty = tree[id].emptyBlocks
            tree[id].content.clear(inside)
            tree[id].cover.clear(inside, size: size, empty: empty)
            // The edges are written; a small file is written whole.
            let edges = [
                inside.lowerBound..<inside.lowerBound + 1,
                inside.upperBound - 1..<inside.upperBound,
            ]
            for edge in edges
            where edge.lowerBound % BlockCover.blockSize != 0
                && edge.upperBound % BlockCover.blockSize != 0 && edge.upperBound != size
            {
                tree[id].cover.write(edge)
            }
            tree[id].cover.write(0..<min(size, ModelRun.inlineLimit))
        }
        if grows {
            try noteSize(id, range.upperBound)
            if case .allocate = mode { tree[id].cover.write(range) }
        }
        try settle(id, mustMove ? .bytes : [], mayMove: mustMove ? [] : .bytes)
    }

    func copy() throws {
        guard let from = try anyOpen(), let to = try anyOpen() else { return }
        let size = tree[from.node].content.size
        let start = Int.random(in: 0...size, using: &dice)
        var target = Int.random(in: 0...(tree[to.node].content.size + 10_000), using: &dice)
        if tree[to.node].isPad { target = min(target, 200_000) }
        let most = tree[to.node].isPad ? 20_000 : 200_000
        let count = Int.random(in: 1...most, using: &dice)
        let (source, destination) = (tree[from.node].ino, tree[to.node].ino)
        let copied = try expect(
            "copy \(count) of \(source)+\(start) to \(destination)+\(target)", nil
        ) {
            () throws(FileError) in
            try engine.copyRange(
                from: (from.handle, source, UInt64(start)),
                to: (to.handle, destination, UInt64(target)), count: UInt64(count), context)
        }
        // Where both ends lie alike in their blocks a call ends with the block: the next one
        // shares.
        let inBlock = start % BlockCover.blockSize
        let isCut =
            inBlock > 0 && inBlock == target % BlockCover.blockSize && count > BlockCover.blockSize
        let end = start + (isCut ? BlockCover.blockSize - inBlock : count)
        let bytes = tree[from.node].content.read(start..<end)
        if copied != UInt64(bytes.count) { throw fail("copied \(copied ?? 0), not \(bytes.count)") }
        if !bytes.isEmpty { try noteWrite(to.node, bytes, at: target) }
    }

    /// SEEK_DATA and SEEK_HOLE from anywhere: nothing but zeros is passed over.
    func seek() throws {
        guard let id = pick(files) else { return }
        let node = tree[id]
        let size = node.content.size
        let from = Int.random(in: 0...size + 10, using: &dice)
        let findsData = Bool.random(using: &dice)
        let words = "seek \(findsData ? "data" : "hole") of \(node.ino) from \(from)"
        note(words)
        let result = attempt { () throws(FileError) in
            try engine.seek(node.ino, from: UInt64(from), findsData: findsData, context)
        }
        switch result {
        case .success(let found):
            let isThere = from < size && found >= from && found <= size
            if !isThere { throw fail("\(words) gives \(found) of \(size)", inode: node.ino) }
            if findsData && !node.content.isZero(from..<Int(found)) {
                throw fail("\(words) passes over data, to \(found)", inode: node.ino)
            }
        case .failure(.wouldBlock) where isBeingCopied: throw StoreNeeded()
        case .failure(let error):
            let isRight =
                error == .noSuchExtent
                && (from >= size || (findsData && node.content.isZero(from..<size)))
            if !isRight { throw fail("\(words): \(error)", inode: node.ino) }
        }
    }
}
