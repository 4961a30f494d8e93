// SPDX-License-Identifier: Apache-2.0
//
// The laws of the three-way merge, over directories and changes drawn from seeds.

import Primitives
import TestSupport
import Testing

@testable import Namespace

@Suite("Merging: laws")
struct MergeLawTests {
    @Test("a side that did nothing changes nothing", arguments: 0..<150)
    func identities(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (base, ours, theirs) = try random.sides()
        #expect(merged(base, base, theirs) == MergeResult(entries: theirs), "seed \(seed)")
        #expect(merged(base, ours, base) == MergeResult(entries: ours), "seed \(seed)")
        #expect(merged(base, ours, ours) == MergeResult(entries: ours), "seed \(seed)")
        #expect(merged([], [], theirs) == MergeResult(entries: theirs), "seed \(seed)")
    }

    @Test("what results is sorted, each name once, and may stand in a page", arguments: 0..<3000)
    func isDirectory(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (base, ours, theirs) = try random.sides()
        let entries = merged(base, ours, theirs).entries
        for (left, right) in zip(entries, entries.dropFirst()) {
            #expect(bytesPrecede(left.name, right.name), "seed \(seed)")
        }
        for entry in entries { #expect(entry.fault(in: .names) == nil, "seed \(seed)") }
    }

    @Test(
        "no content is lost unless it was base's and the other side let it go", arguments: 0..<3000)
    func nothingLost(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (base, ours, theirs) = try random.sides()
        let result = merged(base, ours, theirs)
        let old = Set(base.map(\.content))
        let kept = Set(result.entries.map(\.content)).union(
            result.recursions.flatMap { [$0.ours?.content, $0.theirs?.content].compactMap(\.self) })
        for entry in ours + theirs where !old.contains(entry.content) {
            #expect(kept.contains(entry.content), "seed \(seed)")
        }
    }

    @Test("swapping the sides changes who keeps a name and nothing of content", arguments: 0..<3000)
    func symmetry(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (base, ours, theirs) = try random.sides()
        let one = merged(base, ours, theirs)
        let other = merged(base, theirs, ours)
        #expect(one.summary == other.summary, "seed \(seed)")
        #expect(one.conflicts.count == other.conflicts.count, "seed \(seed)")
        #expect(one.recursions.count == other.recursions.count, "seed \(seed)")
    }

    @Test("merging again what was merged changes nothing", arguments: 0..<200)
    func idempotence(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let (base, ours, theirs) = try random.sides()
        let once = merged(base, ours, theirs)
        #expect(merged(base, ours, theirs) == once, "seed \(seed)")
        // The result published: this machine then has no changes of its own over theirs.
        #expect(merged(theirs, once.entries, theirs).entries == once.entries, "seed \(seed)")
    }
}

extension MergeResult {
    /// How often each content is there.
    fileprivate var summary: [Body: Int] {
        entries.reduce(into: [:]) { counts, entry in
            // A directory that both changed has one side's pages until it is merged.
            if !recursions.contains(where: { $0.name == entry.name }) {
                counts[entry.body, default: 0] += 1
            }
        }
    }
}

extension SeededGenerator {
    /// A small directory and two states grown from it by what people do.
    fileprivate mutating func sides() throws -> (base: [Entry], ours: [Entry], theirs: [Entry]) {
        var base: [[UInt8]: Entry] = [:]
        for ino in 1...UInt64(1 + below(7)) {
            let name = smallName()
            base[name] = try smallEntry(name, ino: ino)
        }
        let start = base.values.sorted { bytesPrecede($0.name, $1.name) }
        return (start, try changed(base, from: 100), try changed(base, from: 200))
    }

    private mutating func smallName() -> [UInt8] { Array("n\(below(9)).txt".utf8) }

    private mutating func smallEntry(_ name: [UInt8], ino: UInt64) throws -> Entry {
        var entry = file("", ino: ino, "content \(below(1_000_000))", modified: Int64(below(99)))
        entry.name = name
        switch below(12) {
        case 0: entry.body = .symlink(Array("to \(below(1000))".utf8))
        case 1, 2:
            entry.body = .directory(pages: try reference(), entryCount: 3, linkCount: 2)
        case 3: return .link(name: name, ino: ino)
        default: break
        }
        return entry
    }

    private mutating func changed(
        _ base: [[UInt8]: Entry], from firstNumber: UInt64
    ) throws -> [Entry] {
        var state = base
        var number = firstNumber
        for _ in 0..<below(6) {
            let names = state.keys.sorted(by: bytesPrecede)
            guard let name = names.randomElement(using: &self), var entry = state[name] else {
                continue
            }
            number += 1
            switch below(8) {
            case 0: state[name] = nil
            case 1, 2:
                let target = smallName()
                state[name] = nil
                entry.name = target
                state[target] = entry
            case 3:
                let target = smallName()
                state[target] = try smallEntry(target, ino: number)
            case 4 where entry.body != .link:
                entry.attributes.mode = UInt32(below(0o1000))
                state[name] = entry
            case 5 where entry.kind == .directory:
                entry.body = .directory(pages: try reference(), entryCount: 4, linkCount: 2)
                state[name] = entry
            default:
                guard entry.kind == .regular else { continue }
                let bytes = Array("changed \(below(1_000_000))".utf8)
                entry.body = .regular(size: UInt64(bytes.count), .inline(bytes))
                entry.attributes.modified.seconds += 1000 + Int64(below(99))
                state[name] = entry
            }
        }
        return state.values.sorted { bytesPrecede($0.name, $1.name) }
    }
}
