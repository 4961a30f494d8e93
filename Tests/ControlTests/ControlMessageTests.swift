// SPDX-License-Identifier: Apache-2.0
//
// Control messages: all of them come back from their bytes, and no bytes do harm.

import Control
import Engine
import Namespace
import Primitives
import Stores
import TestSupport
import Testing

enum Samples {
    static func engine(_ dice: inout SeededGenerator) -> EngineStatus {
        var state = EngineStatus()
        state.revision = dice.next()
        state.hasUnpublishedChanges = Bool.random(using: &dice)
        state.dirtyBytes = dice.next()
        state.dirtyFiles = Int(dice.next() >> 1)
        state.pendingPads = Int(dice.next() >> 40)
        state.pendingForeign = Int(dice.next() >> 30)
        state.pendingChunks = Int(dice.next() >> 20)
        state.cacheUsed = dice.next()
        state.cacheBudget = dice.next()
        state.fileCount = dice.next()
        state.byteCount = dice.next()
        state.quota = dice.next()
        state.chunksStored = dice.next()
        state.bytesStored = dice.next()
        state.chunksFetched = dice.next()
        state.bytesFetched = dice.next()
        state.bytesFlushed = dice.next()
        state.offlineSince = Int64(bitPattern: dice.next())
        state.storeAnsweredAt = Int64(bitPattern: dice.next())
        state.storeFailure = Bool.random(using: &dice) ? "" : "the store does not answer: ü"
        state.halted = Bool.random(using: &dice) ? "" : "another machine has published revision 7"
        for operation in StoreOperation.allCases where dice.chance(50) {
            var numbers = OperationMetrics()
            numbers.note(.milliseconds(dice.below(9000)), sent: 7, received: 0, failure: nil)
            numbers.note(.zero, sent: 0, received: 0, failure: .busy(retryAfter: nil))
            numbers.receivedBytes = dice.next()
            state.storeMetrics[operation] = numbers
        }
        state.requests = dice.next()
        state.openHandles = Int(dice.next() >> 50)
        state.conflicts = Int(dice.next() >> 60)
        state.errors = Int(dice.next() >> 60)
        return state
    }

    static func daemon(_ dice: inout SeededGenerator) -> DaemonStatus {
        DaemonStatus(
            process: Int32(dice.next() >> 33), phase: .finishing, mountPoint: "/home/me/a b",
            subdirectory: "files", device: dice.next(), isReadOnly: Bool.random(using: &dice),
            startedAt: Int64(dice.next() >> 1), peakMemory: dice.next(),
            usesRing: Bool.random(using: &dice), engine: engine(&dice))
    }

    static func report(_ dice: inout SeededGenerator) -> FileReport {
        let attributes = FileAttributes(
            mode: 0o640, uid: 1, gid: 2, accessed: .zero, modified: .zero, changed: .zero,
            created: .zero)
        var report = FileReport(
            status: FileStatus(
                ino: dice.next(), kind: .regular, attributes: attributes, size: dice.next(),
                linkCount: 3, device: 0, allocated: dice.next()),
            form: "data map", state: .stored)
        report.maps = [
            FileReport.Map(offset: 0, size: 7, encoded: [1, 2, 3]),
            FileReport.Map(offset: dice.next(), size: 9, encoded: []),
        ]
        report.chunkAddresses = (0..<5).map { String(repeating: "\($0)", count: 64) }
        report.chunkCount = dice.next()
        if Bool.random(using: &dice) {
            report.pad = FileReport.Pad(
                address: "abcd", counter: dice.next(), encoding: dice.next())
        }
        return report
    }
}

struct ControlMessageTests {
    private static let samples: [ControlRequest] = [
        .status, .sync(timeout: nil), .sync(timeout: .seconds(5)),
        .sync(timeout: .milliseconds(86_400_000)), .describe(path: Array("/files/ä".utf8)),
        .describe(path: []), .unmount(timeout: nil), .unmount(timeout: .milliseconds(1)),
        .unmountNow,
    ]

    @Test("every request comes back from its bytes", arguments: samples)
    func requests(request: ControlRequest) throws {
        #expect(try ControlRequest(decoding: request.encoded()) == request)
    }

    @Test("every reply comes back from its bytes", arguments: 0..<50)
    func replies(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let replies: [ControlReply] = [
            .progress(Samples.daemon(&dice)), .done(Samples.daemon(&dice)),
            .description(Samples.report(&dice)),
            .failed(CommandFailure(.busy, "it is in use", advice: "end that")),
        ]
        for reply in replies {
            #expect(try ControlReply(decoding: reply.encoded()) == reply, "seed \(seed)")
        }
    }

    @Test("a message cut anywhere, or with a byte more, is none", arguments: 0..<5)
    func truncated(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let bytes = ControlReply.description(Samples.report(&dice)).encoded()
        for count in 0..<bytes.count {
            #expect(throws: CodingError.self) { try ControlReply(decoding: Array(bytes[..<count])) }
        }
        #expect(throws: CodingError.self) { try ControlReply(decoding: bytes + [0]) }
        for request in Self.samples {
            let bytes = request.encoded()
            for count in 0..<bytes.count {
                #expect(throws: CodingError.self) {
                    try ControlRequest(decoding: Array(bytes[..<count]))
                }
            }
        }
    }

    @Test("random bytes, and random changes of good ones, are read or refused", arguments: 0..<500)
    func fuzz(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        var bytes =
            Bool.random(using: &dice)
            ? (0..<Int.random(in: 0..<200, using: &dice)).map { _ in
                UInt8.random(in: 0...255, using: &dice)
            }
            : ControlReply.done(Samples.daemon(&dice)).encoded()
        for _ in 0..<4 where !bytes.isEmpty {
            bytes[Int.random(in: 0..<bytes.count, using: &dice)] = UInt8.random(
                in: 0...255, using: &dice)
        }
        // Only that it returns is asked: no trap, no memory without bound.
        do { _ = try ControlReply(decoding: bytes) } catch { /* Refused. */  }
        do { _ = try ControlRequest(decoding: bytes) } catch { /* Refused. */  }
    }

    @Test("counts above their limit take no memory")
    func hugeCounts() {
        var dice = SeededGenerator(seed: 1)
        let good = ControlReply.description(Samples.report(&dice)).encoded()
        // Somewhere in there stand the counts of maps and addresses: each byte once becomes a
        // number of nine bytes.
        for index in 2..<good.count {
            var writer = ByteWriter()
            writer.raw(Array(good[..<index]))
            writer.varint(UInt64.max)
            writer.raw(Array(good[(index + 1)...]))
            do { _ = try ControlReply(decoding: writer.bytes) } catch { /* Refused. */  }
        }
        #expect(throws: CodingError.self) {
            try ControlRequest(decoding: [ControlLimits.version, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F])
        }
    }

    @Test("a message of another version is refused")
    func version() {
        var bytes = ControlRequest.status.encoded()
        bytes[0] = ControlLimits.version + 1
        #expect(throws: CodingError.self) { try ControlRequest(decoding: bytes) }
    }

    @Test("a failure cannot claim success, nor a code that does not exist")
    func codes() {
        for code: UInt64 in [0, 2, 200, UInt64.max] {
            var writer = ByteWriter()
            writer.u8(1)
            writer.u8(4)
            writer.varint(code)
            writer.lengthPrefixed(Array("a".utf8))
            writer.lengthPrefixed([])
            #expect(throws: CodingError.self) { try ControlReply(decoding: writer.bytes) }
        }
    }

    @Test("a text above the limit is cut at a character's end")
    func longText() throws {
        for unit in ["a", "ä", "€", "🗻"] {
            let long = String(repeating: unit, count: 5000)
            let failure = CommandFailure(.failure, long)
            guard
                case .failed(let read) = try ControlReply(
                    decoding: ControlReply.failed(failure).encoded())
            else {
                Issue.record("not a failure")
                return
            }
            #expect(long.hasPrefix(read.sentence))
            #expect(read.sentence.utf8.count <= ControlLimits.textSize)
            #expect(read.sentence.utf8.count > ControlLimits.textSize - 5)
        }
    }
}
