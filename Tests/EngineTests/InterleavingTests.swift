// SPDX-License-Identifier: Apache-2.0
//
// What happens while something else is half done, forced: a store that does not answer holds a
// flush where it is, and writers go on while a commit runs.

import Foundation
import Metadata
import Namespace
import Primitives
import Scratchpads
import Stores
import Synchronization
import TestSupport
import Testing

@testable import Engine

@Suite("between the steps of the background", .serialized)
struct InterleavingTests {
    private static let block: UInt64 = 16_384

    private struct NoFlush: Error {}

    /// Holds the flush of a file that is written but not stored while `body` runs.
    private func duringFlush(
        of path: String, _ volume: TestVolume, _ body: () throws -> Void
    ) throws {
        let ino = try volume.resolve(path)
        volume.memory.hang(true)
        defer { volume.memory.hang(false) }
        volume.engine.flusher.flushNow()
        let isHeld = eventually {
            volume.engine.flusher.state(of: ino) == .flushing
                && volume.memory.waiting.load(ordering: .relaxed) > 0
        }
        guard isHeld else { throw NoFlush() }
        try body()
    }

    private func allocate(
        _ path: String, _ mode: AllocationMode, _ range: Range<UInt64>, _ volume: TestVolume
    ) throws {
        let ino = try volume.resolve(path)
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: true), volume.context)
        defer { volume.engine.release(file.handle, ino: ino) }
        try volume.engine.allocate(
            file.handle, ino: ino, mode, offset: range.lowerBound,
            count: range.upperBound - range.lowerBound, volume.context)
    }

    /// Offsets at which data and holes begin, in turn, from 0 on.
    private func edges(_ path: String, _ volume: TestVolume) throws -> [UInt64] {
        let ino = try volume.resolve(path)
        let size = try volume.status(path).size
        var edges: [UInt64] = []
        var position: UInt64 = 0
        var findsData = true
        while position < size {
            do throws(FileError) {
                position = try volume.engine.seek(
                    ino, from: position, findsData: findsData, volume.context)
            } catch .noSuchExtent {
                break
            }
            edges.append(position)
            findsData.toggle()
        }
        return edges
    }

    @Test("a hole punched while the first flush fills the gaps of a file stays a hole")
    func holeDuringFirstFlush() throws {
        let volume = try TestVolume(on: TestStore()) { $0.flushDelay = .seconds(600) }
        // Two runs less than a chunk apart: on the store the gap becomes zeros. The groups between
        // have no entry, and there is no base yet: nothing of them is known but the flush.
        let size = 120 * Self.block
        try volume.writeFile("/files/gap", pattern(100, seed: 1))
        try volume.writeFile("/files/gap", pattern(Int(Self.block), seed: 2), at: size - Self.block)
        try duringFlush(of: "/files/gap", volume) {
            try allocate("/files/gap", .punchHole, Self.block..<size, volume)
        }
        try volume.publish()
        #expect(try edges("/files/gap", volume) == [0, Self.block])
        let status = try volume.status("/files/gap")
        #expect(status.allocated == Self.block && status.size == size)
        var expected = pattern(100, seed: 1)
        expected += [UInt8](repeating: 0, count: Int(size) - expected.count)
        #expect(try same(volume.readFile("/files/gap"), expected))
        try volume.recover()
        #expect(try same(volume.readFile("/files/gap"), expected))
        #expect(try edges("/files/gap", volume) == [0, Self.block])
    }

    @Test("a hole far behind what a flush has is punched at once")
    func hugeHoleDuringFlush() throws {
        let volume = try TestVolume(on: TestStore()) { $0.flushDelay = .seconds(600) }
        try volume.writeFile("/files/sparse", pattern(100_000, seed: 1))
        var change = AttributeChange()
        change.size = 1 << 62
        let wanted = change
        _ = try volume.engine.setAttributes(
            of: volume.resolve("/files/sparse"), wanted, volume.context)
        try duringFlush(of: "/files/sparse", volume) {
            let before = ContinuousClock.now
            try allocate("/files/sparse", .punchHole, Self.block..<(1 << 62), volume)
            #expect(ContinuousClock.now - before < .seconds(5).scaled)
        }
        try volume.publish()
        #expect(try edges("/files/sparse", volume) == [0, Self.block])
    }

    @Test("a new file that is opened to be truncated has the times of its making")
    func createTruncates() throws {
        let volume = try TestVolume(on: TestStore())
        // Many: the clock of times has to tick between the two steps of one of them.
        for number in 0..<500 {
            let parent = number % 2 == 0 ? Engine.filesInode : Engine.scratchpadsInode
            let (status, file) = try volume.engine.create(
                Array("new\(number)".utf8), in: parent, mode: 0o644,
                OpenIntent(reads: true, writes: true, truncates: true), isExclusive: false,
                volume.context)
            let found = try volume.engine.status(of: status.ino, volume.context)
            #expect(found == status)
            #expect(found.attributes.modified == found.attributes.created)
            volume.engine.release(file.handle, ino: status.ino)
        }
    }

    /// Threads that write numbers to files, each file of theirs in turn, until told to stop.
    private final class Writers: Sendable {
        struct File {
            let ino: UInt64
            let handle: UInt64
        }

        private let engine: Engine
        private let isStopping = Lock(false)
        private let running = Lock(0)
        /// Threads that have written each of their files once.
        private let underWay = Lock(0)
        let problem = Lock<FileError?>(nil)

        init(_ engine: Engine) { self.engine = engine }

        func start(_ files: [File]) {
            running.withLock { $0 += 1 }
            Thread {
                self.run(files)
                self.running.withLock { $0 -= 1 }
            }.start()
        }

        /// Returns when so many threads have written each of their files, which had other numbers
        /// before; false if they do not.
        func areUnderWay(_ count: Int) -> Bool {
            eventually { underWay.withLock { $0 } == count }
        }

        /// Returns false if some thread does not end.
        func stop() -> Bool {
            isStopping.withLock { $0 = true }
            return eventually { running.withLock { $0 } == 0 }
        }

        private func run(_ files: [File]) {
            let context = RequestContext(
                user: 1, group: 1, patience: Patience(for: .seconds(120)))
            var number: UInt64 = 0
            while !isStopping.withLock({ $0 }) {
                number += 1
                let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
                for file in files {
                    do throws(FileError) {
                        _ = try engine.write(
                            file.handle, ino: file.ino, at: 0, bytes.span, context)
                    } catch {
                        problem.withLock { $0 = error }
                        return
                    }
                }
                if number == 1 { underWay.withLock { $0 += 1 } }
            }
        }
    }

    private static func number(_ path: String, _ volume: TestVolume) throws -> UInt64 {
        try volume.readFile(path).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    @Test(
        "a commit has no change of one file without all that came before it in others",
        arguments: [JournalLimits(), JournalLimits(piecesPerCommit: 0, blocks: 0)])
    func commitsAtOneMoment(journal: JournalLimits) throws {
        let volume = try TestVolume(on: TestStore()) {
            $0.flushDelay = .seconds(600)
            $0.journal = journal
        }
        let intent = OpenIntent(reads: true, writes: true)
        // Between the two lie others, so that a commit takes its time from one to the other.
        let paths = (0..<100).map { "/files/n\($0)" }
        for round in 0..<40 {
            var files: [Writers.File] = []
            for path in paths {
                try volume.writeFile(path, pattern(900, seed: UInt64(round)), at: 8)
                let ino = try volume.resolve(path)
                let file = try volume.engine.open(ino, intent, volume.context)
                files.append(Writers.File(ino: ino, handle: file.handle))
            }
            let writers = Writers(volume.engine)
            writers.start([files[0], files[99]])
            writers.start(Array(files[1..<99]))
            #expect(writers.areUnderWay(2))
            usleep(UInt32(500 * (round % 8)))
            try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
            #expect(writers.stop())
            #expect(writers.problem.withLock { $0 } == nil)
            try volume.crash()
            let first = try Self.number(paths[0], volume)
            let last = try Self.number(paths[99], volume)
            #expect(first == last || first == last + 1, "round \(round)")
        }
    }

    @Test("who asks for everything to be stored is not told of a failure that was over by then")
    func earlierFailure() throws {
        let volume = try TestVolume(on: TestStore()) { $0.flushDelay = .seconds(600) }
        try volume.writeFile("/files/f", pattern(100_000, seed: 1))
        let store = volume.memory
        store.refuseWrites(.full)
        // Held where it will be refused; the next one is not.
        try duringFlush(of: "/files/f", volume) {
            Thread {
                usleep(100_000)
                store.hang(false)
                usleep(10_000)
                store.heal()
            }.start()
            try volume.publish()
        }
        #expect(try same(volume.readFile("/files/f"), pattern(100_000, seed: 1)))
    }

    /// Where an identity is: parked at its name, or with the file that went away from it.
    private func places(of address: String, _ volume: TestVolume) throws -> [String] {
        let parked = volume.engine.pads.parked.withLock { $0.entries.map { $0.pad.address.hex } }
        var places = parked.filter { $0 == address }.map { _ in "parked" }
        let mover = try TreeComparison.identity(of: volume.resolve("/scratchpads/note~"), volume)
        if case .known(address, _) = mover { places.append("with the file") }
        return places
    }

    @Test("an identity goes back to the file that went away in one step, which no commit divides")
    func identityGoesBack() throws {
        let volume = try TestVolume(on: TestStore())
        try volume.writeFile("/scratchpads/note", Array("content".utf8))
        let address = try volume.attribute("user.cairn.address", of: "/scratchpads/note")
        try volume.rename("/scratchpads/note", "/scratchpads/note~")
        #expect(try places(of: address, volume) == ["parked"])
        let engine = volume.engine
        let isDone = Lock(false)
        // A commit has names locked, as this has.
        try engine.committer.withNames { () throws(FileError) in
            Thread {
                engine.pads.expireParked(at: .now + ParkedPads.lifetime)
                isDone.withLock { $0 = true }
            }.start()
            usleep(100_000)
            if isDone.withLock({ $0 }) { throw .inputOutput }
        }
        #expect(eventually { isDone.withLock { $0 } })
        #expect(try places(of: address, volume) == ["with the file"])
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.crash()
        #expect(try places(of: address, volume) == ["with the file"])
    }
}
