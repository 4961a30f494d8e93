// SPDX-License-Identifier: Apache-2.0
//
// The end of a volume whose store does not come back from a call.

import Engine
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite("stopping", .serialized)
struct StopTests {
    // SEMANTICS: A volume can be unmounted while calls of the store hang: 5 seconds later they are
    // left behind.
    @Test("an engine stops in time though calls of the store never return, and loses nothing")
    func hungStore() throws {
        let volume = try TestVolume(on: TestStore()) { $0.readDeadline = .milliseconds(300) }
        let store = volume.memory
        try volume.writeFile("/files/old", pattern(300_000, seed: 1))
        try volume.publish()
        store.hang(true)
        defer { store.heal() }
        try volume.writeFile("/files/new", pattern(300_000, seed: 2))
        try volume.writeFile("/scratchpads/note", Array("note".utf8))
        #expect(eventually { store.waiting.load(ordering: .relaxed) >= 2 })
        let start = ContinuousClock.now
        // Finishing does not help a store that hangs either, and has its own limit.
        let status = volume.engine.stop(finishing: .milliseconds(500))
        #expect(ContinuousClock.now - start < Engine.storePatience + .seconds(5).scaled)
        #expect(status.hasUnpublishedChanges)
        // The threads that hang have the folder's files open still: go on from a copy.
        try volume.copyState(to: volume.root + "/elsewhere")
        store.heal()
        try volume.takeUp("elsewhere")
        #expect(same(try volume.readFile("/files/new"), pattern(300_000, seed: 2)))
        #expect(try volume.readFile("/scratchpads/note") == Array("note".utf8))
        try volume.recover()
        #expect(same(try volume.readFile("/files/new"), pattern(300_000, seed: 2)))
        #expect(same(try volume.readFile("/files/old"), pattern(300_000, seed: 1)))
    }
}
