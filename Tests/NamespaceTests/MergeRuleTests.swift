// SPDX-License-Identifier: Apache-2.0
//
// Every rule of the three-way merge, by example.

import TestSupport
import Testing

@testable import Namespace

@Suite("Merging: rules")
struct MergeRuleTests {
    @Test("changes of different names all stand")
    func differentNames() {
        let base = [file("a", ino: 1), file("b", ino: 2), file("c", ino: 3)]
        let ours = [
            file("a", ino: 1, "A"), file("b", ino: 2), file("c", ino: 3), file("d", ino: 9),
        ]
        let theirs = [file("b", ino: 2, "B"), file("c", ino: 3), file("e", ino: 8)]
        let base2 = base + []
        let result = merged(base2, ours, theirs)
        // "a" was changed here and removed there: the change survives.
        #expect(
            result
                == MergeResult(entries: [
                    file("a", ino: 1, "A"), file("b", ino: 2, "B"), file("c", ino: 3),
                    file("d", ino: 9), file("e", ino: 8),
                ]))
    }

    @Test("both changed a file: theirs keeps the name, ours gets a second one")
    func bothModified() {
        let result = merged(
            [file("report.txt")], [file("report.txt", "ours")], [file("report.txt", "theirs")])
        let second = "report (conflict from DESK 2026-11-21 14.05.09).txt"
        #expect(result.entries == [file(second, "ours"), file("report.txt", "theirs")])
        #expect(
            result.conflicts == [
                MergeConflict(
                    keptName: Array("report.txt".utf8), conflictName: Array(second.utf8),
                    displaced: .ours)
            ])
    }

    @Test("both made a file of one name; with equal bytes it is one file")
    func bothCreated() {
        let ours = file("a", ino: 5, "same", modified: 5)
        let theirs = file("a", ino: 6, "same", modified: 9)
        #expect(merged([], [ours], [theirs]) == MergeResult(entries: [theirs]))
        #expect(merged([], [theirs], [ours]).entries == [file("a", ino: 5, "same", modified: 9)])
        let other = file("a", ino: 6, "other")
        #expect(merged([], [ours], [other]).entries.count == 2)
    }

    @Test("a removal stands against a mere reading, and gives way to a change")
    func removal() {
        let base = file("a", "x")
        var read = base
        read.attributes.accessed.seconds = 77
        read.attributes.changed.seconds = 77
        #expect(merged([base], [], [read]).entries == [])
        #expect(merged([base], [read], []).entries == [])
        let changed = file("a", "y")
        #expect(merged([base], [], [changed]).entries == [changed])
        #expect(merged([base], [changed], []).entries == [changed])
        #expect(merged([base], [], []).entries == [])
        let touched = file("a", "x", modified: 101)
        #expect(merged([base], [], [touched]).entries == [touched])
    }

    @Test("fields that one side changed are put together")
    func fields() {
        let base = file("a", "x")
        var ours = file("a", "content", modified: 200)
        ours.attributes.changed.seconds = 200
        var theirs = file("a", "x", mode: 0o600)
        theirs.attributes.changed.seconds = 300
        theirs.xattrs = [ExtendedAttribute(name: Array("user.a".utf8), value: [1])]
        var both = file("a", "content", mode: 0o600, modified: 200)
        both.attributes.changed.seconds = 300
        both.xattrs = theirs.xattrs
        #expect(merged([base], [ours], [theirs]) == MergeResult(entries: [both]))
        #expect(merged([base], [theirs], [ours]) == MergeResult(entries: [both]))
    }

    @Test("permissions both changed are theirs, times both changed are the later")
    func overlappingAttributes() {
        let base = file("a", "x")
        let ours = file("a", "x", mode: 0o640, modified: 500)
        let theirs = file("a", "x", mode: 0o600, modified: 400)
        let both = file("a", "x", mode: 0o600, modified: 500)
        #expect(merged([base], [ours], [theirs]) == MergeResult(entries: [both]))
    }

    @Test("extended attributes merge by name; one that both changed makes a second name")
    func xattrs() {
        func entry(_ values: [(String, UInt8)]) -> Entry {
            var entry = file("a", "x")
            entry.xattrs = values.map {
                ExtendedAttribute(name: Array($0.0.utf8), value: [$0.1])
            }
            return entry
        }
        let base = entry([("a", 1), ("b", 1), ("c", 1)])
        let ours = entry([("a", 2), ("b", 1), ("c", 1), ("d", 1)])
        let theirs = entry([("a", 1), ("c", 3), ("e", 1)])
        let both = entry([("a", 2), ("c", 3), ("d", 1), ("e", 1)])
        #expect(merged([base], [ours], [theirs]) == MergeResult(entries: [both]))
        let clash = entry([("a", 9), ("b", 1), ("c", 1)])
        #expect(merged([base], [ours], [clash]).conflicts.count == 1)
        let removed = entry([("b", 1), ("c", 1)])
        #expect(merged([base], [ours], [removed]).entries == [ours])
    }

    @Test("a rename here follows a change there")
    func renameAndModify() {
        let base = [file("a", ino: 1, "x"), file("k", ino: 2)]
        let renamed = [file("b", ino: 1, "x"), file("k", ino: 2)]
        let changed = [file("a", ino: 1, "y"), file("k", ino: 2)]
        let both = MergeResult(entries: [file("b", ino: 1, "y"), file("k", ino: 2)])
        #expect(merged(base, renamed, changed) == both)
        #expect(merged(base, changed, renamed) == both)
    }

    @Test("two renames of one file: theirs' name has it, with the changes of both")
    func renameTwice() {
        let base = [file("a", ino: 1, "x")]
        let ours = [file("b", ino: 1, "x", mode: 0o600)]
        let theirs = [file("c", ino: 1, "y")]
        let result = merged(base, ours, theirs)
        #expect(result == MergeResult(entries: [file("c", ino: 1, "y", mode: 0o600)]))
    }

    @Test("swapped names follow changes too")
    func swap() {
        let base = [file("a", ino: 1, "1"), file("b", ino: 2, "2")]
        let swapped = [file("a", ino: 2, "2"), file("b", ino: 1, "1")]
        let changed = [file("a", ino: 1, "one"), file("b", ino: 2, "two")]
        let both = [file("a", ino: 2, "two"), file("b", ino: 1, "one")]
        #expect(merged(base, swapped, changed).entries == both)
        #expect(merged(base, changed, swapped).entries == both)
    }

    @Test("a rename over a file removes that file, but not a change of it")
    func renameOver() {
        let base = [file("a", ino: 1, "1"), file("b", ino: 2, "2")]
        let ours = [file("b", ino: 1, "1")]
        let there = [file("a", ino: 1, "one"), file("b", ino: 2, "2")]
        #expect(merged(base, ours, there).entries == [file("b", ino: 1, "one")])
        let changed = [file("a", ino: 1, "1"), file("b", ino: 2, "two")]
        let result = merged(base, ours, changed)
        #expect(
            Set(result.entries.map(\.content)).isSuperset(of: [
                file("", "1").content, file("", "two").content,
            ]))
    }

    @Test("editors that save by renaming a new file over the old one do not disturb")
    func editorSave() {
        let base = [file("note", ino: 1, "old"), file("z", ino: 2)]
        let ours = [file("note", ino: 9, "new"), file("z", ino: 2)]
        let theirs = [file("note", ino: 1, "old"), file("z", ino: 2, "changed")]
        let both = [file("note", ino: 9, "new"), file("z", ino: 2, "changed")]
        #expect(merged(base, ours, theirs) == MergeResult(entries: both))
    }

    @Test("directories that both changed are left to the caller")
    func directories() throws {
        var random = SeededGenerator(seed: 1)
        let pages = try (0..<3).map { _ in try random.reference() }
        func folder(_ pages: PageReference?, mode: UInt32 = 0o755) -> Entry {
            var entry = file("d", mode: mode)
            entry.body = .directory(
                pages: pages, entryCount: pages == nil ? 0 : 5, linkCount: 2)
            return entry
        }
        let (base, ours, theirs) = (folder(pages[0]), folder(pages[1]), folder(pages[2]))
        var result = merged([base], [ours], [theirs])
        let name = Array("d".utf8)
        #expect(result.entries == [theirs])
        #expect(
            result.recursions == [
                DirectoryMerge(name: name, base: base, ours: ours, theirs: theirs)
            ])
        result = merged([], [ours], [theirs])
        #expect(
            result.recursions == [
                DirectoryMerge(name: name, base: nil, ours: ours, theirs: theirs)
            ])
        // Permissions here, pages there.
        result = merged([base], [folder(pages[0], mode: 0o700)], [theirs])
        #expect(result == MergeResult(entries: [folder(pages[2], mode: 0o700)]))
        // Removed here, changed there: what was not changed there goes.
        result = merged([base], [], [theirs])
        #expect(
            result.recursions == [
                DirectoryMerge(name: name, base: base, ours: nil, theirs: theirs)
            ])
        #expect(result.entries == [theirs])
        #expect(merged([base], [], [folder(pages[0], mode: 0o700)]) == MergeResult())
        // Changed here since the pages were sealed.
        result = merged([base], [base], [theirs], unpublished: [base.ino])
        #expect(result.recursions.count == 1)
        result = merged([base], [theirs], [theirs], unpublished: [base.ino])
        #expect(result.recursions.count == 1)
        result = merged([base], [base], [], unpublished: [base.ino])
        #expect(result.recursions.count == 1 && result.entries == [base])
        result = merged([base], [base], [base], unpublished: [base.ino])
        #expect(result == MergeResult(entries: [base]))
    }

    @Test("a file that meets a directory gets the second name, whosever it is")
    func fileMeetsDirectory() throws {
        var random = SeededGenerator(seed: 2)
        var folder = file("x.d")
        folder.body = .directory(pages: try random.reference(), entryCount: 1, linkCount: 2)
        let plain = file("x.d", ino: 7, "bytes")
        let ours = merged([], [plain], [folder])
        #expect(ours.entries.map(\.kind) == [.regular, .directory])
        #expect(ours.conflicts.map(\.displaced) == [.ours])
        let theirs = merged([], [folder], [plain])
        #expect(theirs.conflicts.map(\.displaced) == [.theirs])
        let name = try #require(theirs.conflicts.first?.conflictName)
        #expect(String(decoding: name, as: UTF8.self).contains("from LAPTOP"))
        // A file replaced by a directory here, unchanged there, is gone.
        #expect(merged([plain], [folder], [plain]).entries == [folder])
        // A directory emptied and replaced here, changed there, stays with what was changed.
        var changed = folder
        changed.body = .directory(pages: try random.reference(), entryCount: 2, linkCount: 2)
        let result = merged([folder], [plain], [changed])
        #expect(result.conflicts.map(\.displaced) == [.ours])
        #expect(result.recursions.map(\.ours) == [nil])
    }

    @Test("of one pad the larger counter stands; different pads are a conflict")
    func pads() throws {
        var random = SeededGenerator(seed: 3)
        let identity = try random.pad()
        func pad(_ reference: PadReference, _ counter: UInt64) -> Entry {
            var entry = file("p")
            var reference = reference
            reference.counter = counter
            reference.size = counter * 2
            entry.body = .pad(reference)
            return entry
        }
        let (base, ours, theirs) = (pad(identity, 1), pad(identity, 3), pad(identity, 2))
        #expect(merged([base], [ours], [theirs]) == MergeResult(entries: [ours]))
        #expect(merged([base], [theirs], [ours]) == MergeResult(entries: [ours]))
        #expect(merged([], [ours], [theirs]) == MergeResult(entries: [ours]))
        let other = pad(try random.pad(), 2)
        #expect(merged([base], [ours], [other]).conflicts.count == 1)
        #expect(merged([], [ours], [other]).entries.count == 2)
    }

    @Test("a name that became a link here and changed there is kept twice")
    func links() {
        let base = file("a", ino: 4, "x")
        let link = Entry.link(name: Array("a".utf8), ino: 4)
        let changed = file("a", ino: 4, "y")
        #expect(merged([base], [link], [changed]).conflicts.count == 1)
        var read = base
        read.attributes.accessed.seconds = 1000
        #expect(merged([base], [link], [read]) == MergeResult(entries: [link]))
        #expect(merged([base], [read], [link]) == MergeResult(entries: [link]))
        let other = Entry.link(name: Array("a".utf8), ino: 5)
        #expect(merged([link], [other], [file("a", ino: 4, "y")]).entries.count == 2)
    }

    @Test("hard-link tables merge by number; ours that lost its number is handed back")
    func tables() {
        func inode(_ ino: UInt64, _ content: String, links: UInt32 = 2) -> Entry {
            var entry = file("", ino: ino, content)
            entry.name = Entry.hardLinkName(of: ino)
            entry.linkCount = links
            return entry
        }
        let base = [inode(4, "x"), inode(5, "x"), inode(6, "x")]
        let ours = [inode(4, "ours", links: 3), inode(5, "x", links: 3), inode(6, "x")]
        let theirs = [inode(4, "theirs"), inode(5, "y", links: 4), inode(7, "new")]
        let result = merged(base, ours, theirs)
        #expect(result.entries == [inode(4, "theirs"), inode(5, "y", links: 5), inode(7, "new")])
        #expect(result.displaced == [inode(4, "ours", links: 3)])
        #expect(result.conflicts.isEmpty)
    }
}
