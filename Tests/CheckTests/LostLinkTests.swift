// SPDX-License-Identifier: Apache-2.0
//
// Hard links that lead to nothing on the store: found, and mended where this machine has the file.

import Check
import Engine
import Foundation
import Metadata
import Namespace
import Testing

@Suite("links that lead to nothing")
struct LostLinkTests {
    private static let names = Set(["files/dir/first", "files/dir/deep/second"].map(path))

    // SEMANTICS: It finds every hard link to a file that the published revision does not have.
    @Test("each name of it is found, and mended where the file is here", arguments: [true, false])
    func lostLink(isHere: Bool) throws {
        let volume = try CheckedVolume()
        let row = try volume.row("files/dir/first")
        let key = Entry.hardLinkName(of: row.ino)
        try volume.rows { (writer) throws(MetadataError) in
            let change = (try writer.integer("change") ?? 0) + 1
            try writer.setInteger("change", change)
            try writer.removeDentry(parent: 0, name: key)
            try writer.touch(0, key, UInt64(bitPattern: change))
        }
        try volume.running { try volume.publish($0) }
        if isHere {
            try volume.rows { (writer) throws(MetadataError) in
                _ = try writer.insertDentry(parent: 0, name: key, ino: row.ino, kind: row.kind)
            }
        }
        let found = try volume.check(store: true).filter { $0.problem == .lostLink }
        #expect(Set(found.map { $0.place }) == Self.names)
        #expect(found.allSatisfy { $0.remedy == (isHere ? .repairable : .lost) })
        let mounted = try volume.check(store: true, mounted: true)
        #expect(Set(mounted.map { $0.place }) == Self.names)
        guard isHere else { return }
        let mended = try volume.check(store: true, repairs: true)
        #expect(mended.allSatisfy { $0.remedy == .repaired }, "\(mended.map(\.line))")
        #expect(try volume.check(store: true).map(\.line) == [])
        #expect(try volume.wrongAfterRecovery() == [])
    }
}
