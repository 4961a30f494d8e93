// SPDX-License-Identifier: Apache-2.0
//
// The limits of docs/SEMANTICS.md that no other suite reaches.

import Cryptography
import Foundation
import Metadata
import Scratchpads
import Testing

@testable import Engine

@Suite("limits")
struct LimitTests {
    // SEMANTICS: one data map: 512 GiB
    @Test("a run of more than 512 GiB becomes several data maps, none too short to be one")
    func dataMaps() {
        let limit = UInt64(512) << 30
        for (start, size) in [
            (0, 3), (7, limit), (0, limit + 1), (5, limit + 2), (0, limit + 3), (1, 3 * limit + 1),
            (1 << 62, 1 << 45 + 2),
        ] as [(UInt64, UInt64)] {
            let pieces = FileSnapshot.pieces(of: start..<start + size)
            #expect(pieces.first?.lowerBound == start && pieces.last?.upperBound == start + size)
            #expect(zip(pieces, pieces.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
            #expect(pieces.allSatisfy { (3...Int(limit)).contains($0.count) }, "\(pieces)")
        }
        #expect(FileSnapshot.pieces(of: 3..<3).isEmpty)
    }

    @Test("a flush leaves a processor to programs, and has the threads that a store takes at once")
    func encodingThreads() {
        let counts = [1, 2, 3, 4, 8, 9, 64].map { FileEncoder.threads(processors: $0, useful: 1) }
        #expect(counts == [2, 3, 3, 3, 7, 8, 8])
        #expect(FileEncoder.threads(processors: 4, useful: 12) == 12)
        #expect(FileEncoder.threads(processors: 4, useful: 100) == 16)
    }

    // SEMANTICS: inline file: 16 KiB; up to 64 KiB by option
    @Test("a file is in its row up to the limit, and in data maps above", arguments: [16, 64])
    func inline(kibibytes: Int) throws {
        let volume = try TestVolume(on: TestStore()) {
            if kibibytes != 16 { $0.inlineLimit = kibibytes << 10 }
        }
        try volume.writeFile("/files/in", pattern(kibibytes << 10, seed: 1))
        try volume.writeFile("/files/out", pattern(kibibytes << 10 + 1, seed: 2))
        try volume.publish()
        #expect(throws: FileError.noAttribute) {
            try volume.attribute("user.cairn.chunks", of: "/files/in")
        }
        #expect(try volume.attribute("user.cairn.chunks", of: "/files/out") == "3")
        try volume.recover()
        #expect(same(try volume.readFile("/files/in"), pattern(kibibytes << 10, seed: 1)))
    }

    // SEMANTICS: open files and directories: 1 000 000
    @Test("a million things may be open, and one more is refused until one is closed")
    func handles() throws {
        let table = HandleTable()
        var last: UInt64 = 0
        for number in 1...1_000_000 as ClosedRange<UInt64> {
            last = try table.add(.directory(number))
        }
        #expect(throws: FileError.busy) { try table.add(.directory(1)) }
        _ = table.remove(last)
        _ = try table.add(.directory(1))
        #expect(table.count == 1_000_000)
    }

    // SEMANTICS: parked identities: 1024
    @Test("of 1025 identities that were left at their names the oldest is forgotten")
    func parked() {
        let now = ContinuousClock.now
        var parked = ParkedPads()
        for number in 0..<1025 as Range<UInt64> {
            let capability = WriteCapability(seed: SecretBytes([UInt8](repeating: 7, count: 32)))
            let row = PadRow(
                ino: number + 10, identity: [UInt8](repeating: 3, count: 32),
                address: capability.address)
            parked.park(row, parent: number, name: Array("note".utf8), mover: 0, now: now)
        }
        #expect(parked.entries.count == 1024)
        #expect(parked.take(parent: 0, name: Array("note".utf8)) == nil)
        #expect(parked.take(parent: 1, name: Array("note".utf8))?.ino == 11)
        #expect(parked.take(parent: 1024, name: Array("note".utf8))?.ino == 1034)
    }

    // SEMANTICS: lines of `.cairn/errors`: 500, the newest
    @Test("of 501 failures the newest 500 are listed, and all are counted")
    func errorLines() {
        let log = ErrorLog()
        for number in 0..<501 { log.add(.store, "failure \(number).") }
        let lines = log.text.split(separator: "\n")
        #expect(lines.count == 500 && log.count == 501)
        #expect(lines.first?.hasSuffix("failure 1.") == true)
        #expect(lines.last?.hasSuffix("failure 500.") == true)
    }
}
