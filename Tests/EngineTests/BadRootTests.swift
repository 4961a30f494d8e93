// SPDX-License-Identifier: Apache-2.0
//
// The root pad: made at once, never signed twice over one counter, and every way in which a store
// can be wrong about it.

import Cryptography
import Engine
import Namespace
import Scratchpads
import Stores
import Testing

@Suite("the root pad", .serialized)
struct BadRootTests {
    private func root(_ volume: TestVolume) throws -> PadRecord {
        try #require(volume.memory.pads[volume.keys.rootPad.address])
    }

    private func offer(_ record: PadRecord?, _ volume: TestVolume) throws {
        let address = volume.keys.rootPad.address
        volume.memory.change { $0.padFaults[address] = .some(record) }
    }

    @Test("a new volume has revision 1 on the store as soon as it is made")
    func creation() throws {
        let volume = try TestVolume(on: TestStore())
        #expect(try root(volume).counter == 1)
        try volume.forgetEverything()
        #expect(try volume.list("/files").isEmpty)
        volume.stop()
        #expect(throws: EngineStartError.alreadyExists) { try volume.start(.create) }
    }

    @Test("a root with a bad signature starts nothing anew, and is named where the volume is known")
    func badSignature() throws {
        let volume = try TestVolume(on: TestStore())
        try volume.writeFile("/files/a", Array("a".utf8))
        try volume.publish()
        let good = try root(volume)
        var forged = good.signature
        forged[0] ^= 1
        try offer(
            try PadRecord(
                address: good.address, encoding: good.encoding, counter: good.counter,
                ciphertext: good.ciphertext, signature: forged), volume)
        try volume.restart()
        #expect(try volume.readFile("/files/a") == Array("a".utf8))
        #expect(try volume.report("errors").contains("root"))
        #expect(throws: EngineStartError.self) { try volume.forgetEverything() }
        volume.memory.heal()
        try volume.start(.recover)
        #expect(try volume.readFile("/files/a") == Array("a".utf8))
    }

    @Test("a root of another volume is refused")
    func foreignRoot() throws {
        let volume = try TestVolume(on: TestStore())
        let other = try TestVolume(on: TestStore())
        try offer(try root(other), volume)
        #expect(throws: EngineStartError.self) { try volume.forgetEverything() }
    }

    @Test("an older root is called a rollback, and is published over")
    func rollback() throws {
        let volume = try TestVolume(on: TestStore())
        let store = volume.memory
        try volume.writeFile("/files/a", Array("a".utf8))
        try volume.publish()
        let old = try root(volume)
        try volume.writeFile("/files/b", Array("b".utf8))
        try volume.publish()
        volume.stop()
        store.change { $0.pads[old.address] = old }
        try volume.start(.existing)
        #expect(try volume.report("errors").contains("rollback"))
        try volume.writeFile("/files/c", Array("c".utf8))
        try volume.recover()
        #expect(try volume.list("/files") == ["a", "b", "c"])
    }

    @Test("a root that is gone from the store is named, and is published again")
    func missingRoot() throws {
        let volume = try TestVolume(on: TestStore())
        let store = volume.memory
        try volume.writeFile("/files/a", Array("a".utf8))
        try volume.publish()
        let address = volume.keys.rootPad.address
        volume.stop()
        store.change { $0.pads[address] = nil }
        try volume.start(.existing)
        #expect(try volume.report("errors").contains("root"))
        try volume.writeFile("/files/b", Array("b".utf8))
        try volume.recover()
        #expect(try volume.list("/files") == ["a", "b"])
    }

    @Test(
        "a store that took the root and lost its answer changes nothing", arguments: [false, true])
    func lostAnswer(crashes: Bool) throws {
        let volume = try TestVolume(on: TestStore())
        let store = volume.memory
        try volume.writeFile("/files/a", Array("a".utf8))
        try volume.publish()
        store.change { $0.losesPadAnswers = true }
        try volume.writeFile("/files/b", Array("b".utf8))
        #expect(throws: TestVolume.Unpublished.self) { try volume.publish(within: .seconds(5)) }
        try volume.writeFile("/files/c", Array("c".utf8))
        if crashes { try volume.crash() }
        store.heal()
        try volume.writeFile("/files/d", Array("d".utf8))
        try volume.recover()
        #expect(try volume.list("/files") == (crashes ? ["a", "b", "d"] : ["a", "b", "c", "d"]))
        expectOneRootPerCounter(store, volume)
    }

    @Test("a root that never arrived is sent again before the next one")
    func neverArrived() throws {
        let volume = try TestVolume(on: TestStore())
        let store = volume.memory
        try volume.writeFile("/files/a", Array("a".utf8))
        try volume.publish()
        store.change { $0.padFailure = .unreachable(retryAfter: nil) }
        try volume.writeFile("/files/b", Array("b".utf8))
        #expect(throws: TestVolume.Unpublished.self) { try volume.publish(within: .seconds(5)) }
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        try volume.crash()
        try volume.writeFile("/files/c", Array("c".utf8))
        store.heal()
        try volume.recover()
        #expect(try volume.list("/files") == ["a", "b", "c"])
        expectOneRootPerCounter(store, volume)
    }

    private func expectOneRootPerCounter(_ store: TestStore, _ volume: TestVolume) {
        let address = volume.keys.rootPad.address
        let roots = store.change { $0.accepted }.filter { $0.address == address }
        let counters = roots.map { $0.counter }
        #expect(counters == counters.sorted() && Set(counters).count == counters.count)
    }
}
