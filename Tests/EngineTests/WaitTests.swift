// SPDX-License-Identifier: Apache-2.0
//
// Waits for a store that says nothing, by a clock that a test moves: what stands still while the
// machine sleeps ends no wait, and what has passed does.

import Engine
import Foundation
import Primitives
import TestSupport
import Testing

@Suite("waits for a store that says nothing")
struct WaitTests {
    /// Reads a file on a thread of its own; what came of it, once something did.
    private func read(
        _ volume: TestVolume, _ ino: UInt64, _ patience: Patience
    ) -> Lock<Result<Int, FileError>?> {
        let outcome = Lock<Result<Int, FileError>?>(nil)
        let engine = volume.engine
        let context = RequestContext(user: 1000, group: 1000, patience: patience)
        Thread.detachNewThread {
            let result = Result { () throws(FileError) -> Int in
                let file = try engine.open(ino, OpenIntent(reads: true, writes: false), context)
                defer { engine.release(file.handle, ino: ino) }
                var bytes = [UInt8](repeating: 0, count: 1000)
                var span = bytes.mutableSpan
                return try engine.read(file.handle, ino: ino, at: 0, into: &span, context)
            }
            outcome.withLock { $0 = result }
        }
        return outcome
    }

    @Test("a wait goes on while its clock stands still, however long that is, and then has an end")
    func standsStill() throws {
        let volume = try BadBytesTests.forgotten()
        let store = volume.memory
        let ino = try volume.resolve("/files/large")
        store.hang(true)
        defer { store.heal() }
        let clock = HandClock()
        let outcome = read(volume, ino, Patience(for: .milliseconds(200), by: clock))
        #expect(!eventually(within: .seconds(1)) { outcome.withLock { $0 != nil } })
        clock.move(by: .milliseconds(199))
        #expect(!eventually(within: .milliseconds(500)) { outcome.withLock { $0 != nil } })
        clock.move(by: .milliseconds(1))
        #expect(eventually(within: .seconds(20)) { outcome.withLock { $0 != nil } })
        #expect(throws: FileError.inputOutput) { try outcome.withLock { $0 }?.get() }
    }

    @Test("a wait whose clock stood still has its bytes when the store answers after all")
    func answered() throws {
        let volume = try BadBytesTests.forgotten()
        let store = volume.memory
        let ino = try volume.resolve("/files/large")
        store.hang(true)
        defer { store.heal() }
        let outcome = read(volume, ino, Patience(for: .milliseconds(1), by: HandClock()))
        #expect(!eventually(within: .milliseconds(500)) { outcome.withLock { $0 != nil } })
        store.heal()
        #expect(eventually(within: .seconds(20)) { outcome.withLock { $0 != nil } })
        #expect(try outcome.withLock { $0 }?.get() == 1000)
    }
}
