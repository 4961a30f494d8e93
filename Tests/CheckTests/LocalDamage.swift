// SPDX-License-Identifier: Apache-2.0
//
// Ways of damaging the local state, each with the place where it must be seen.

import Blocks
import Check
import Engine
import Foundation
import Metadata
import Namespace
import Testing

/// One way of damaging a volume. `make` says where it must be seen.
struct Damage: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let isFound: @Sendable (Problem) -> Bool
    let make: @Sendable (CheckedVolume) throws -> Finding.Place

    init(
        _ description: String, _ isFound: @escaping @Sendable (Problem) -> Bool,
        make: @escaping @Sendable (CheckedVolume) throws -> Finding.Place
    ) {
        testDescription = description
        self.isFound = isFound
        self.make = make
    }
}

func path(_ text: String) -> Finding.Place { .path(Array(text.utf8)) }

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

extension CheckedVolume {
    /// Changes the row of a path.
    func change(_ path: String, _ body: (inout InodeRow) -> Void) throws {
        var row = try row(path)
        body(&row)
        let changed = row
        try rows { (writer) throws(MetadataError) in try writer.updateInode(changed) }
    }

    /// The first block of a file that has a slot: its group, and where it stands in it.
    func block(of path: String) throws -> (BlockReference, ino: UInt64, BlockGroup) {
        let ino = try row(path).ino
        return try rows { (reader) throws(MetadataError) in
            guard let map = try reader.blockGroup(ino, 0), let group = BlockGroup(decoding: map),
                let reference = group[0].reference
            else { throw .corrupt("no block of \(path)") }
            return (reference, ino, group)
        }
    }

    /// Has the first block of a file name pieces that were never sealed, in this slot or the next.
    func patch(_ file: String, slot: UInt32) throws -> Finding.Place {
        let (old, ino, group) = try block(of: file)
        var changed = group
        let sealed = BlockReference(
            slot: old.slot == slot ? slot + 1 : slot, length: Arena.pieceSize, nonce: old.nonce,
            tag: old.tag)
        changed[0] = .dirty(old.patched(by: BlockPatch(sealed, at: 0, pieces: 1)))
        let map = changed.encoded()
        try rows { (writer) throws(MetadataError) in try writer.setBlockGroup(ino, 0, map) }
        return path(file)
    }

    var arena: String { state + "/arena" }

    /// Where a slot's bytes begin in the arena.
    func offset(of slot: UInt32) -> Int {
        Int(Arena.firstSlotOffset) + Int(slot) * Arena.blockSize
    }
}

extension Damage {
    static let names: [Damage] = [
        Damage("a name that leads to nothing", { $0 == .danglingName }) { volume in
            let files = try volume.row("files").ino
            try volume.rows { (writer) throws(MetadataError) in
                _ = try writer.insertDentry(
                    parent: files, name: bytes("ghost"), ino: 777_777, kind: .regular)
            }
            return path("files/ghost")
        },
        Damage("a file that counts a name too many", { $0 == .linkCount(found: 2, wanted: 1) }) {
            try $0.change("files/big.bin") { $0.linkCount = 2 }
            return path("files/big.bin")
        },
        Damage("a file of two names that counts three", { $0 == .linkCount(found: 3, wanted: 2) }) {
            try $0.change("files/dir/first") { $0.linkCount = 3 }
            return path("files/dir/first")
        },
        Damage(
            "a directory that counts a child too many", { $0 == .linkCount(found: 4, wanted: 3) }
        ) {
            try $0.change("files/dir") { $0.linkCount = 4 }
            return path("files/dir")
        },
        Damage(
            "a directory that counts an entry too few", { $0 == .entryCount(found: 3, wanted: 4) }
        ) {
            try $0.change("files/dir") { $0.size = 3 }
            return path("files/dir")
        },
        Damage("a name that says another kind", { $0 == .kind }) { volume in
            let (files, ino) = (try volume.row("files").ino, try volume.row("files/empty").ino)
            try volume.rows { (writer) throws(MetadataError) in
                _ = try writer.replaceDentry(
                    parent: files, name: bytes("empty"), ino: ino, kind: .symlink)
            }
            return path("files/empty")
        },
        Damage("a file that does not know its name", { $0 == .lostName }) { volume in
            try volume.change("files/empty") { $0.cookie = 9_999_999 }
            return .inode(try volume.row("files/empty").ino)
        },
        Damage("an inode without a name", { $0 == .nameless }) { volume in
            let (files, ino) = (try volume.row("files").ino, try volume.row("files/empty").ino)
            try volume.rows { (writer) throws(MetadataError) in
                _ = try writer.removeDentry(parent: files, name: bytes("empty"))
            }
            return .inode(ino)
        },
        Damage("a name in a file", { $0 == .nameWithoutDirectory }) { volume in
            let (file, inner) = (
                try volume.row("files/small.txt").ino, try volume.row("files/dir/inner.txt").ino
            )
            try volume.rows { (writer) throws(MetadataError) in
                _ = try writer.insertDentry(
                    parent: file, name: bytes("x"), ino: inner, kind: .regular)
            }
            return path("files/small.txt/x")
        },
        Damage("a name that no file can have", { $0 == .invalidName }) { volume in
            let (files, ino) = (try volume.row("files").ino, try volume.row("files/empty").ino)
            try volume.rows { (writer) throws(MetadataError) in
                _ = try writer.insertDentry(
                    parent: files, name: bytes("a/b"), ino: ino, kind: .regular)
            }
            return path("files/a/b")
        },
        Damage("directories in a circle", { $0 == .unreachable }) { volume in
            let (files, deep) = (try volume.row("files").ino, try volume.row("files/dir/deep").ino)
            let dir = try volume.row("files/dir")
            try volume.rows { (writer) throws(MetadataError) in
                var row = dir
                let name = bytes("dir")
                row.parent = deep
                row.cookie =
                    try writer.moveDentry(parent: files, name: name, toParent: deep, name: name)
                    ?? 0
                try writer.updateInode(row)
            }
            return .inode(dir.ino)
        },
        Damage("an unknown entry of the hard-link table", { $0 == .danglingName }) { volume in
            try volume.rows { (writer) throws(MetadataError) in
                _ = try writer.insertDentry(
                    parent: 0, name: Entry.hardLinkName(of: 55_555), ino: 55_555, kind: .regular)
            }
            return .inode(55_555)
        },
    ]

    static let content: [Damage] = [
        Damage("inline content that does not open", { $0 == .inlineContent }) { volume in
            let ino = try volume.row("files/dir/inner.txt").ino
            try volume.rows { (writer) throws(MetadataError) in
                var sealed = try writer.inline(ino) ?? []
                sealed[sealed.count / 2] ^= 1
                try writer.setInline(ino, sealed)
            }
            return path("files/dir/inner.txt")
        },
        Damage("inline content of another size", { $0 == .inlineContent }) {
            try $0.change("files/small.txt") { $0.size += 1 }
            return path("files/small.txt")
        },
        Damage("inline content that is gone", { $0 == .inlineMissing }) { volume in
            let ino = try volume.row("files/dir/deep/pointer").ino
            try volume.rows { (writer) throws(MetadataError) in try writer.setInline(ino, nil) }
            return path("files/dir/deep/pointer")
        },
        Damage("a pad's content that does not open", { $0 == .inlineContent }) { volume in
            let ino = try volume.row("scratchpads/note").ino
            try volume.rows { (writer) throws(MetadataError) in
                try writer.setInline(ino, [1, 2, 3])
            }
            return path("scratchpads/note")
        },
        Damage("data maps that overlap", { $0 == .row(.contents) }) { volume in
            let (ino, content) = (
                try volume.row("files/big.bin").ino, try volume.content("files/big.bin")
            )
            try volume.rows { (writer) throws(MetadataError) in
                var content = content
                content.segments += content.segments
                try writer.setContent(ino, content)
            }
            return path("files/big.bin")
        },
        Damage("content of no inode", { $0 == .strayRows(.contents) }) { volume in
            let content = try volume.content("files/big.bin")
            try volume.rows { (writer) throws(MetadataError) in
                try writer.setContent(66_666, content)
            }
            return .inode(66_666)
        },
        Damage("an attribute of no inode", { $0 == .strayRows(.xattrs) }) { volume in
            try volume.rows { (writer) throws(MetadataError) in
                try writer.setXattr(66_667, bytes("user.x"), [1])
            }
            return .inode(66_667)
        },
        Damage("an attribute over its limit", { $0 == .attribute }) { volume in
            let ino = try volume.row("files/small.txt").ino
            try volume.rows { (writer) throws(MetadataError) in
                try writer.setXattr(ino, bytes("user.x"), [UInt8](repeating: 7, count: 65_537))
            }
            return path("files/small.txt")
        },
        Damage("a pad of another identity", { $0 == .padIdentity }) { volume in
            let ino = try volume.row("scratchpads/note").ino
            try volume.rows { (writer) throws(MetadataError) in
                guard var pad = try writer.pad(ino) else { throw .corrupt("no pad") }
                pad.identity[0] ^= 1
                try writer.setPad(pad)
            }
            return path("scratchpads/note")
        },
        Damage("an unsent pad record that does not verify", { $0 == .padPending }) { volume in
            let ino = try volume.row("scratchpads/note").ino
            try volume.rows { (writer) throws(MetadataError) in
                guard var pad = try writer.pad(ino) else { throw .corrupt("no pad") }
                pad.pendingRecord = [UInt8](repeating: 1, count: 200)
                try writer.setPad(pad)
            }
            return path("scratchpads/note")
        },
        Damage("another volume's state", { $0 == .foreignState }) { volume in
            try volume.rows { (writer) throws(MetadataError) in
                try writer.setValue("volume-id", [UInt8](repeating: 3, count: 16))
            }
            return .volume
        },
        Damage("a salt that is gone", { $0 == .setting("inline-salt") }) { volume in
            try volume.rows { (writer) throws(MetadataError) in
                try writer.setValue("inline-salt", nil)
            }
            return .volume
        },
        Damage("a count of changes behind the published one", { $0 == .changeCount }) { volume in
            try volume.rows { (writer) throws(MetadataError) in
                let published = try writer.integer("published-change") ?? 0
                try writer.setInteger("change", published - 1)
            }
            return .volume
        },
        Damage(
            "a database file with a damaged page",
            {
                if case .database = $0 {
                    true
                } else if case .unreadableRows = $0 {
                    true
                } else {
                    false
                }
            }
        ) { volume in
            // The second page is a tree's: its kind of page is no kind any more.
            try volume.flip(volume.state + "/meta.db", at: 4096)
            return .volume
        },
        Damage(
            "a database file that is gone", { $0 == .unreadableRows("the file is gone") }
        ) { volume in
            for file in ["/meta.db", "/meta.db-wal", "/meta.db-shm", "/meta.db-redo"] {
                let path = volume.state + file
                if FileManager.default.fileExists(atPath: path) { try volume.remove(path) }
            }
            return .volume
        },
        Damage("a database file that is empty", { $0 == .unreadableRows("the file is empty") }) {
            volume in
            try Data().write(to: URL(fileURLWithPath: volume.state + "/meta.db"))
            return .volume
        },
        Damage(
            "a database file that is none",
            { if case .unreadableRows = $0 { true } else { false } }
        ) { volume in
            try volume.flip(volume.state + "/meta.db", at: 3)
            return .volume
        },
    ]

    static let blocks: [Damage] = [
        Damage(
            "a bit that flipped in a block which is nowhere else",
            { $0 == .dirtyBlocks(damaged: 1, missing: 0, firstOffset: 0) }
        ) { volume in
            let slot = try volume.block(of: "files/unsent.bin").0.slot
            try volume.flip(volume.arena, at: volume.offset(of: slot) + 100)
            return path("files/unsent.bin")
        },
        Damage(
            "a bit that flipped in a cached block",
            { $0 == .cachedBlocks(damaged: 1, missing: 0) }
        ) { volume in
            let slot = try volume.block(of: "files/big.bin").0.slot
            try volume.flip(volume.arena, at: volume.offset(of: slot) + 100)
            return path("files/big.bin")
        },
        Damage(
            "a slot beyond the arena's end",
            { $0 == .dirtyBlocks(damaged: 0, missing: 1, firstOffset: 0) }
        ) { volume in
            let (old, ino, group) = try volume.block(of: "files/unsent.bin")
            var changed = group
            changed[0] = .dirty(
                BlockReference(
                    slot: 4_000_000, length: Int(old.length), nonce: old.nonce, tag: old.tag))
            let map = changed.encoded()
            try volume.rows { (writer) throws(MetadataError) in
                try writer.setBlockGroup(ino, 0, map)
            }
            return path("files/unsent.bin")
        },
        Damage(
            "pieces over a block that do not open",
            { $0 == .dirtyBlocks(damaged: 1, missing: 0, firstOffset: 0) }
        ) { volume in try volume.patch("files/unsent.bin", slot: 0) },
        Damage(
            "pieces over a block that lie beyond the arena's end",
            { $0 == .dirtyBlocks(damaged: 0, missing: 1, firstOffset: 0) }
        ) { volume in try volume.patch("files/unsent.bin", slot: 4_000_000) },
        Damage("a slot of two owners", { if case .sharedSlot = $0 { true } else { false } }) {
            volume in
            let victim = try volume.block(of: "files/big.bin").0
            let (old, ino, group) = try volume.block(of: "files/unsent.bin")
            var changed = group
            changed[0] = .dirty(
                BlockReference(
                    slot: victim.slot, length: Int(old.length), nonce: old.nonce, tag: old.tag))
            let map = changed.encoded()
            try volume.rows { (writer) throws(MetadataError) in
                try writer.setBlockGroup(ino, 0, map)
            }
            return path("files/unsent.bin")
        },
        Damage("a block map that does not decode", { $0 == .row(.blockGroups) }) { volume in
            let ino = try volume.row("files/big.bin").ino
            try volume.rows { (writer) throws(MetadataError) in
                try writer.setBlockGroup(ino, 0, [9, 9, 9])
            }
            return path("files/big.bin")
        },
        Damage("blocks of no inode", { $0 == .strayRows(.blockGroups) }) { volume in
            try volume.rows { (writer) throws(MetadataError) in
                try writer.setBlockGroup(66_668, 0, BlockGroup().encoded())
            }
            return .inode(66_668)
        },
        Damage(
            "an arena that is gone",
            {
                if case .dirtyBlocks(0, let missing, 0) = $0 { missing > 0 } else { false }
            }
        ) { volume in
            try volume.remove(volume.arena)
            return path("files/unsent.bin")
        },
        Damage(
            "an arena of another key", { if case .cacheUnusable = $0 { true } else { false } }
        ) { volume in
            try volume.flip(volume.arena, at: 70)
            return .volume
        },
    ]
}
