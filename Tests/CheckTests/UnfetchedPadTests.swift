// SPDX-License-Identifier: Apache-2.0
//
// A pad that the store lost, and of which this machine never had the content.

import Check
import Foundation
import Metadata
import Testing

@Suite("check of pads whose content never came")
struct UnfetchedPadTests {
    @Test("a pad that its page has as empty is not sealed as empty")
    func neverCame() throws {
        let volume = try CheckedVolume()
        let file = try volume.padFile("scratchpads/note")
        var row = try volume.row("scratchpads/note")
        row.size = 0
        let empty = row
        try volume.rows { (writer) throws(MetadataError) in
            guard var pad = try writer.pad(empty.ino) else { throw .corrupt("no pad") }
            pad.publishedDigest = nil
            try writer.setPad(pad)
            try writer.setInline(empty.ino, nil)
            try writer.updateInode(empty)
        }
        try volume.remove(file)
        let found = try volume.check(store: true, repairs: true)
        let pad = found.filter { $0.place == path("scratchpads/note") }
        #expect(pad.map { $0.remedy } == [.lost], "\(found.map(\.line))")
        #expect(!FileManager.default.fileExists(atPath: file))
    }
}
