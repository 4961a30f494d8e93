// SPDX-License-Identifier: Apache-2.0
//
// The database's log, while changes come without a pause.

import Foundation
import Metadata
import TestSupport
import Testing

@testable import Engine

@Suite("a long log")
struct LongLogTests {
    /// What the log's header has anew each time the log is begun anew: checkpoint number and salts.
    /// Source: SQLite's file format, 4.1.
    private func beginning(of volume: TestVolume) throws -> Data {
        let file = try FileHandle(forReadingFrom: logFile(of: volume))
        defer { try? file.close() }
        return try #require(try file.read(upToCount: 24)).suffix(from: 12)
    }

    private func logFile(of volume: TestVolume) -> URL {
        URL(fileURLWithPath: volume.stateFolder + "/meta.db-wal")
    }

    // Commits that come in their own time, every 16 MiB, would each leave too much to be copied,
    // until the log has 256 MiB.
    @Test("the log starts anew in the midst of changes that never pause")
    func unpaused() throws {
        let volume = try TestVolume {
            $0.commitInterval = .seconds(3600)
            ($0.flushDelay, $0.flushCeiling) = (.seconds(3600), .seconds(3600))
        }
        // More than are changed between two commits, which come by themselves after 16 MiB: each
        // change has pages of its own.
        let inodes = try (0..<400).map { number in
            try volume.writeFile("/files/\(number)", [1])
            return try volume.resolve("/files/\(number)")
        }
        try volume.engine.synchronize(inodes[0], dataOnly: false)
        let before = try beginning(of: volume)
        let name = Array("user.a".utf8)
        var changes = 0
        // All pages of a value are changed.
        func value(_ change: Int) -> [UInt8] {
            var value = [UInt8](repeating: UInt8(change % 256), count: 60_000)
            value[0] = UInt8(change / 256)
            return value
        }
        while changes < 3500, try beginning(of: volume) == before {
            try volume.engine.setExtendedAttribute(
                name, of: inodes[changes % inodes.count], to: value(changes), .any, volume.context)
            changes += 1
            // Never a pause in which nothing changes, and ever fewer changes for as long as it has
            // not begun anew: it is to be copied beside them, on a machine of any speed.
            usleep(UInt32(Slowness.factor * (1000 << (changes / 700))))
        }
        #expect(try beginning(of: volume) != before)
        // As long as it has to be for that, and not cut, as one of 256 MiB is.
        let size = try logFile(of: volume).resourceValues(forKeys: [.fileSizeKey]).fileSize
        #expect(size ?? 0 >= 8 * MetadataDatabase.logLimit)
        try volume.restart()
        for change in max(0, changes - inodes.count)..<changes {
            let path = "/files/\(change % inodes.count)"
            let found = try volume.engine.extendedAttribute(
                name, of: try volume.resolve(path), volume.context)
            #expect(found == value(change))
        }
    }
}
