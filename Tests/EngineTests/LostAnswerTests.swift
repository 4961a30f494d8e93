// SPDX-License-Identifier: Apache-2.0
//
// Saves of pads whose answers are lost: the store has them, and the machine is told that they
// failed.

import Engine
import FaultStore
import Foundation
import Namespace
import Primitives
import Scratchpads
import StoreWrappers
import Stores
import TestSupport
import Testing

@Suite("answers that are lost", .serialized)
struct LostAnswerTests {
    /// On which most answers are lost, so many that calls of the engine fail as a whole, and its
    /// own rounds begin anew.
    private static let bad: Faults = {
        var faults = Faults()
        (faults.doneButFailed, faults.stray, faults.dropped) = (45, 10, 10)
        return faults
    }()

    /// One machine after the other on one store.
    private func machine(
        _ store: TestStore, after other: TestVolume?, seed: UInt64
    ) throws -> (TestVolume, FaultStore) {
        let laid = Lock<FaultStore?>(nil)
        let volume = try TestVolume(
            on: store, seed: other?.seed, mode: other == nil ? .create : .recover
        ) { configuration in
            let line = FaultStore(
                chunks: configuration.chunks, pads: configuration.pads, Faults(), seed: seed)
            let plan = RetryPlan(
                firstWait: .milliseconds(1), longestWait: .milliseconds(3), attemptLimit: 4)
            let layer = RetryLayer(plan)
            configuration.chunks = StoreLayers.wrap(line as any ChunkStore, in: layer)
            configuration.pads = StoreLayers.wrap(line as any PadStore, in: layer)
            laid.withLock { $0 = line }
        }
        return (volume, try #require(laid.withLock { $0 }))
    }

    private func published(_ volume: TestVolume) throws {
        let isPublished = eventually(within: .seconds(60)) {
            if case .published = volume.engine.synchronizeRemotely(timeout: .seconds(20).scaled) {
                return true
            }
            return false
        }
        #expect(isPublished)
    }

    @Test(
        "a save that stands, and was reported as failed, is no conflict, on whichever machine",
        arguments: [1, 2, .random(in: 3 ... .max)] as [UInt64])
    func turns(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let store = TestStore()
        var volume: TestVolume?
        var wanted: [String: [UInt8]] = [:]
        var saves = 0
        for turn in 0..<4 {
            volume?.stop()
            let (next, line) = try machine(store, after: volume, seed: seed &+ UInt64(turn))
            volume = next
            for (name, bytes) in wanted {
                #expect(try next.readFile("/scratchpads/\(name)") == bytes, "seed \(seed)")
            }
            line.change { $0 = Self.bad }
            for _ in 0..<4 {
                let name = "pad\(dice.below(3))"
                let bytes = dice.bytes(1 + dice.below(300))
                try next.writeFile("/scratchpads/\(name)", bytes, truncates: true)
                wanted[name] = bytes
                saves += 1
                try published(next)
            }
            #expect(try next.report("conflicts").isEmpty, "seed \(seed)")
            #expect(try next.list("/scratchpads") == wanted.keys.sorted(), "seed \(seed)")
        }
        // One save is one step, whatever became of its answers.
        let root = try #require(volume).keys.rootPad.address
        let counters = store.pads.filter { $0.key != root }.map(\.value.counter)
        #expect(counters.reduce(0, +) == UInt64(saves), "seed \(seed)")
    }
}
