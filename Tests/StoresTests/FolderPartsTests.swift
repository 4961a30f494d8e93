// SPDX-License-Identifier: Apache-2.0
//
// The parts of a folder store: names, the lock, and what errno means.

import Foundation
import Primitives
import Scratchpads
import Stores
import Synchronization
import TestSupport
import Testing

@testable import RemoteStores

@Suite("Parts of a folder store")
struct FolderPartsTests {
    private func text(_ path: RelativePath) -> String {
        #expect(path.bytes.last == 0 && !path.bytes.dropLast().contains(0))
        return String(decoding: path.bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    @Test("the path of a chunk is its digest's digits, and leads back to it", arguments: 0..<50)
    func chunkNames(seed: UInt64) throws {
        for algorithm in DigestAlgorithm.allCases {
            let digest = TestChunk(TestChunk(seed: seed).bytes, algorithm: algorithm).digest
            let path = text(ChunkName.path(of: digest))
            let suffix = algorithm == .sha3 ? ".sha3" : ""
            #expect(path == "\(digest.hex.prefix(2))/\(digest.hex)\(suffix)", "seed \(seed)")
            let first = ChunkName.first(of: digest)
            #expect(text(ChunkName.folder(first)) == digest.hex.prefix(2))
            let name = Array(path.utf8.dropFirst(3))
            #expect(ChunkName.digest(fromName: name, in: first) == digest, "seed \(seed)")
            #expect(ChunkName.digest(fromName: name, in: first &+ 1) == nil)
        }
    }

    @Test("the path of a pad has its scheme and its address")
    func padNames() {
        let address = WriteCapability(testSeed: 1).address
        let path = text(PadName.path(of: address))
        #expect(path == "\(address.hex.prefix(2))/01-\(address.hex)")
    }

    @Test("names of temporary files are never the same, in one process or two")
    func temporaryNames() {
        let (one, two) = (TemporaryNames(), TemporaryNames())
        var names: Set<String> = []
        for _ in 0..<100 {
            names.insert(text(one.next()))
            names.insert(text(two.next()))
        }
        #expect(names.count == 200)
        #expect(names.allSatisfy { $0.hasPrefix("put-") && !$0.contains("/") })
    }

    @Test(
        "what the system says has a meaning for stores",
        arguments: [
            (ENOSPC, .full), (EDQUOT, .quotaExceeded), (EROFS, .readOnly),
            (EACCES, .refused("permission denied")), (EPERM, .refused("permission denied")),
            (EIO, .unreachable(retryAfter: nil)), (ESTALE, .unreachable(retryAfter: nil)),
            (EMFILE, .unreachable(retryAfter: nil)), (ENODEV, .unreachable(retryAfter: nil)),
            (ETIMEDOUT, .unreachable(retryAfter: nil)),
        ] as [(Int32, StoreError)])
    func errorNumbers(code: Int32, expected: StoreError) {
        #expect(SystemError(code: code).storeError == expected)
    }

    @Test("only a store that does not answer is worth asking again")
    func transience() {
        let digest = TestChunk(seed: 1).digest
        #expect(StoreError.unreachable(retryAfter: nil).isTransient)
        #expect(StoreError.unreachable(retryAfter: .seconds(1)).isTransient)
        let others: [StoreError] = [
            .missing(digest), .missingPad, .corrupt(wanted: digest, got: digest), .full,
            .corruptPad(WriteCapability(testSeed: 1).address), .refused(""), .paymentRequired,
            .readOnly, .notAStore(""), .newerFormat(found: 2, supported: 1), .tooLarge,
        ]
        for error in others {
            #expect(!error.isTransient)
            #expect(!error.description.isEmpty)
        }
    }

    @Test("the lock keeps out other holders, waits for them, and gives up when told to")
    func lock() throws {
        let temporary = try TemporaryFolder()
        defer { temporary.remove() }
        let folder = try Folder(path: temporary.path)
        let (ours, theirs) = (
            StoreLock(folder: folder, permissions: 0o600),
            StoreLock(folder: folder, permissions: 0o600, patience: .milliseconds(20))
        )
        try ours.withLock { () throws(StoreError) -> Void in
            #expect(throws: StoreError.unreachable(retryAfter: .seconds(1))) {
                try theirs.withLock {}
            }
        }
        try theirs.withLock {}
        #expect(throws: StoreError.full) {
            try ours.withLock { () throws(StoreError) -> Void in throw .full }
        }
        // Neither a failure within nor one to get it keeps the lock.
        try theirs.withLock {}
    }

    @Test("a lock is waited for as long as the clock stands still, and once it has moved no more")
    func lockByClock() throws {
        let temporary = try TemporaryFolder()
        defer { temporary.remove() }
        let path = temporary.path + "/lock"
        try #require(FileManager.default.createFile(atPath: path, contents: nil))
        let files = try [0, 1].map { _ in try #require(FileHandle(forUpdatingAtPath: path)) }
        let (ours, theirs) = (files[0].fileDescriptor, files[1].fileDescriptor)
        defer { withExtendedLifetime(files) {} }
        let clock = CountedClock()
        let outcomes = try [true, false].map { letsGo throws in
            try #require(flock(theirs, LOCK_EX) == 0)
            let outcome = Lock<SystemError??>(nil)
            let before = clock.readCount
            Thread.detachNewThread {
                var failure: SystemError?
                do throws(SystemError) {
                    try lockExclusively(ours, patience: .seconds(1), pause: 100, by: clock)
                } catch {
                    failure = error
                }
                outcome.withLock { $0 = .some(failure) }
            }
            // Its deadline was set by the first look, and found to be later by the second.
            #expect(eventually { clock.readCount >= before + 2 })
            #expect(outcome.withLock { $0 } == nil, "it has not ended by itself")
            if letsGo { flock(theirs, LOCK_UN) } else { clock.move(by: .seconds(1)) }
            #expect(eventually { outcome.withLock { $0 } != nil })
            flock(ours, LOCK_UN)
            return outcome.withLock { $0 }
        }
        #expect(outcomes == [.some(nil), .some(SystemError(code: EWOULDBLOCK))])
    }

    @Test("eight holders of eight locks on one file never hold it at once")
    func exclusion() throws {
        let temporary = try TemporaryFolder()
        defer { temporary.remove() }
        let folder = try Folder(path: temporary.path)
        let counters = Counters()
        let errors = onThreads(8) { _ in
            let lock = StoreLock(folder: folder, permissions: 0o600)
            for _ in 0..<20 {
                try lock.withLock { counters.enterAndLeave() }
            }
        }
        #expect(errors.isEmpty, "\(errors)")
        #expect(counters.overlaps.load(ordering: .relaxed) == 0)
        #expect(counters.visits.load(ordering: .relaxed) == 160)
    }

    /// A clock that a test moves, and that says how often somebody looked at it.
    private final class CountedClock: Clock {
        private let clock = HandClock()
        private let reads = Atomic<Int>(0)

        var readCount: Int { reads.load(ordering: .sequentiallyConsistent) }
        var now: HandClock.Instant {
            reads.add(1, ordering: .sequentiallyConsistent)
            return clock.now
        }
        var minimumResolution: Duration { clock.minimumResolution }

        func move(by duration: Duration) { clock.move(by: duration) }

        func sleep(until deadline: HandClock.Instant, tolerance: Duration?) async throws {
            try await clock.sleep(until: deadline, tolerance: tolerance)
        }
    }

    private final class Counters: Sendable {
        let inside = Atomic<Int>(0)
        let overlaps = Atomic<Int>(0)
        let visits = Atomic<Int>(0)

        func enterAndLeave() {
            if inside.add(1, ordering: .sequentiallyConsistent).oldValue != 0 {
                overlaps.add(1, ordering: .relaxed)
            }
            visits.add(1, ordering: .relaxed)
            inside.subtract(1, ordering: .sequentiallyConsistent)
        }
    }
}
