// SPDX-License-Identifier: Apache-2.0
//
// Pages, touched names, conflicts and settings.

import Foundation
import Namespace
import TestSupport
import Testing

@testable import Metadata

@Suite("What is kept for publishing, and settings")
struct PublishingTests {
    @Test("pages and leaves are set, replaced and forgotten")
    func pages() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        let long = [UInt8](repeating: 0xff, count: 255)
        let leaves = [
            LeafRow(first: [], reference: try reference(1), entryCount: 1),
            LeafRow(first: bytes("m"), reference: try reference(2), entryCount: .max),
            LeafRow(first: long, reference: try reference(3), entryCount: 0),
        ]
        try database.write { (writer) throws in
            #expect(try writer.pageOf(2) == nil && writer.leaves(2) == [])
            try writer.setPage(2, try reference(7))
            try writer.setPage(2, try reference(8))
            #expect(try writer.pageOf(2) == (try reference(8)))
            try writer.replaceLeaves(2, leaves.reversed())
            #expect(try writer.leaves(2) == leaves)
            try writer.replaceLeaves(2, [leaves[1]])
            #expect(try writer.leaves(2) == [leaves[1]])
            try writer.replaceLeaves(2, [])
            try writer.setPage(2, nil)
            #expect(try writer.pageOf(2) == nil && writer.leaves(2) == [])
        }
    }

    @Test("a name touched again during a publish outlives its clearing", arguments: 1...4)
    func touched(seed: UInt64) throws {
        let folder = try TestFolder()
        let database = try folder.open()
        var dice = SeededGenerator(seed: seed)
        var model: [TouchedName: UInt64] = [:]
        func sorted(_ names: [TouchedName]) -> [TouchedName] {
            names.sorted {
                $0.directory == $1.directory
                    ? $0.name.lexicographicallyPrecedes($1.name) : $0.directory < $1.directory
            }
        }
        for sequence in 1...400 as ClosedRange<UInt64> {
            let name = TouchedName(
                directory: UInt64.random(in: 1...3, using: &dice),
                name: [UInt8.random(in: 0...20, using: &dice)])
            // Sometimes late: an older number never replaces a newer one.
            let number = sequence % 7 == 0 ? sequence / 2 : sequence
            let bound = UInt64.random(in: 0...sequence, using: &dice)
            try database.write { (writer) throws in
                try writer.touch(name.directory, name.name, number)
                model[name] = max(model[name] ?? 0, number)
                if sequence % 31 == 0 {
                    try writer.clearTouched(upTo: bound)
                    model = model.filter { $0.value > bound }
                }
                let wanted = sorted(model.filter { $0.value <= bound }.map(\.key))
                #expect(try writer.touchedNames(upTo: bound) == wanted, "seed \(seed)")
                #expect(
                    try writer.touchedDirectories(upTo: bound)
                        == Set(wanted.map(\.directory)).sorted(), "seed \(seed)")
                #expect(
                    try writer.touchedNames(in: 2, upTo: bound)
                        == wanted.filter { $0.directory == 2 }.map(\.name), "seed \(seed)")
            }
        }
    }

    @Test("conflicts are numbered, listed oldest first, and their numbers are not given again")
    func conflicts() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        var row = ConflictRow(
            directory: 2, keptName: bytes("a"), conflictName: bytes("a (conflict)"),
            noticed: noon)
        try database.write { (writer) throws in
            row.number = try writer.addConflict(row)
            let second = try writer.addConflict(row)
            #expect(try writer.conflicts().map(\.number) == [row.number, second])
            #expect(try writer.conflicts().first == row)
            try writer.removeConflict(second)
            #expect(try writer.conflicts() == [row])
            #expect(try writer.addConflict(row) > second)
        }
    }

    @Test("settings are bytes or numbers")
    func settings() throws {
        let folder = try TestFolder()
        let database = try folder.open()
        try database.write { (writer) throws in
            #expect(try writer.value("a") == nil && writer.integer("a") == nil)
            try writer.setValue("a", [])
            #expect(try writer.value("a") == [])
            try writer.setValue("a", [1, 0, 2])
            #expect(try writer.value("a") == [1, 0, 2] && writer.integer("a") == 0)
            for number in [0, -1, Int64.min, .max] {
                try writer.setInteger("ä", number)
                #expect(try writer.integer("ä") == number)
            }
            try writer.setValue("a", nil)
            #expect(try writer.value("a") == nil && writer.integer("ä") == .max)
        }
    }

    @Test("a key of the database's own traps")
    func ownKeys() async {
        await #expect(processExitsWith: .failure) {
            let folder = try TestFolder()
            let database = try folder.open()
            // A trap runs no deinit.
            try FileManager.default.removeItem(atPath: folder.path)
            try database.write { try $0.setInteger("metadata.cookies", 1) }
        }
    }
}
