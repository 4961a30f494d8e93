// SPDX-License-Identifier: Apache-2.0
//
// The daemon is killed at random moments under programs that believe what fsync says.

import Foundation
import TestSupport
import Testing

@Suite("kill -9", .serialized, .mounting)
struct KillTests {
    /// How long new rounds are begun when nobody named their number.
    static let time = Duration.seconds(60)
    /// Earlier rounds that are looked at again.
    static let memory = 6

    /// The state folder as the last kill left it.
    private static let killed = "state-as-killed"

    // SEMANTICS: `fsync` of a file returns when everything done before it, in the whole volume, is
    // durable on this machine.
    // SEMANTICS: A rename is whole: after a crash the new name leads to the old file or to the new
    // one, never to none.
    // SEMANTICS: A file that was written, closed and renamed over another has its bytes after a
    // crash in which the rename survived, without `fsync`.
    @Test("what fsync promised survives kill -9, here and through an empty cache")
    func rounds() throws {
        print("kill -9: CRASH_SEED=\(Effort.seed)")
        var dice = SeededGenerator(seed: Effort.seed)
        let end = ContinuousClock.now + Self.time
        let volume = try CrashVolume()
        var (round, promises) = (0, 0)
        while Effort.crashRounds.map({ round < $0 }) ?? (ContinuousClock.now < end) {
            round += 1
            try volume.mount()
            try work(round, volume, &dice)
            volume.kill()
            // A crash may come while what the last one left is being taken up.
            if Int.random(in: 0..<3, using: &dice) == 0 {
                try volume.mount()
                usleep(UInt32.random(in: 0..<500_000, using: &dice))
                volume.kill()
            }
            // Looking changes it: a broken promise is explained from what the kill left.
            try volume.keepState(as: Self.killed)
            try volume.mount()
            promises += try verify(round, volume, "after a kill")
            try volume.sync()
            try volume.recover()
            try volume.mount()
            promises += try verify(round, volume, "through an empty cache")
            #expect(try volume.errors().isEmpty)
            try volume.unmount()
        }
        print("kill -9: \(round) rounds, \(promises) promises checked, 0 broken")
    }

    /// Has programs work on the mount until the daemon is killed.
    private func work(
        _ round: Int, _ volume: CrashVolume, _ dice: inout SeededGenerator
    ) throws {
        let programs = try Promises(volume).begin(round, &dice)
        let pause = { (limit: UInt32, dice: inout SeededGenerator) in
            _ = usleep(UInt32.random(in: 0..<limit, using: &dice))
        }
        usleep(300_000)
        pause(2_500_000, &dice)
        if Int.random(in: 0..<3, using: &dice) == 0 {
            // Killed while everything is on its way to the store.
            let sync = Process()
            sync.executableURL = URL(fileURLWithPath: CrashVolume.binary)
            sync.arguments = ["sync", volume.mountPoint]
            sync.environment = ProcessInfo.processInfo.environment
                .merging(volume.environment) { $1 }
            sync.standardError = FileHandle.nullDevice
            try sync.run()
            pause(800_000, &dice)
            volume.kill()
            sync.waitUntilExit()
        } else {
            volume.kill()
        }
        programs.expectEnd()
    }

    /// How many promises were checked; each that is broken is an issue.
    private func verify(_ round: Int, _ volume: CrashVolume, _ when: String) throws -> Int {
        let rounds = max(1, round - Self.memory)...round
        return try Promises(volume).verify(rounds, when) { (evidence) throws in
            try evidence.keep(volume.root + "/" + Self.killed, as: Self.killed)
        }
    }
}
