// SPDX-License-Identifier: Apache-2.0
//
// A store that does not answer, never comes back from a call, or takes nothing more: what is here
// goes on, what is not says so in time, and when the store is well again the rest happens by
// itself.

import Engine
import Foundation
import Namespace
import Stores
import Synchronization
import TestSupport
import Testing

@Suite("a store that does not serve", .serialized)
struct SilentStoreTests {
    private func elapsed(_ body: () throws -> Void) rethrows -> Duration {
        let start = ContinuousClock.now
        try body()
        return ContinuousClock.now - start
    }

    private func patient(_ limit: Duration) -> RequestContext {
        RequestContext(user: 1000, group: 1000, patience: Patience(for: limit))
    }

    // SEMANTICS: A read of what only the store has fails with EIO after the read deadline, 30
    // seconds by default.
    @Test("nothing waits for a store that hangs but what it alone has, and that not for long")
    func hanging() throws {
        let volume = try BadBytesTests.forgotten()
        let store = volume.memory
        let (large, directory) = (
            try volume.resolve("/files/large"), try volume.resolve("/files/dir")
        )
        store.hang(true)
        defer { store.heal() }
        let quick = try elapsed {
            #expect(try volume.status("/files/large").size == 1_200_000)
            #expect(try volume.list("/files").count == 4)
            #expect(try volume.readFile("/files/small") == Array("small".utf8))
            try volume.writeFile("/files/mine", pattern(50_000, seed: 9))
            #expect(same(try volume.readFile("/files/mine"), pattern(50_000, seed: 9)))
            try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        }
        #expect(quick < .seconds(2).scaled)
        #expect(throws: FileError.wouldBlock) {
            try volume.readFile(large, RequestContext(user: 1, group: 1))
        }
        for act in [
            { try volume.readFile(large, self.patient(.milliseconds(300))) as Any },
            {
                try volume.engine.openDirectory(directory, self.patient(.milliseconds(300))) as Any
            },
            {
                try volume.engine.openDirectory(
                    Engine.scratchpadsInode, self.patient(.milliseconds(300))) as Any
            },
        ] {
            let wait = elapsed { #expect(throws: FileError.inputOutput) { try act() } }
            #expect(wait < .seconds(2).scaled)
        }
        #expect(try volume.report("errors").contains("in time"))
        store.heal()
        try BadBytesTests.expectHealthy(volume)
        try volume.recover()
        #expect(same(try volume.readFile("/files/mine"), pattern(50_000, seed: 9)))
    }

    @Test("a pad, and a file with a map of several levels, have a deadline too")
    func hangingPadAndMap() throws {
        let volume = try TestVolume(on: TestStore())
        let store = volume.memory
        let bytes = pattern(17_000_000, seed: 4)
        try volume.writeFile("/files/huge", bytes)
        try volume.writeFile("/scratchpads/note", Array("a note".utf8))
        try volume.recover()
        let huge = try volume.resolve("/files/huge")
        store.hang(true)
        defer { store.heal() }
        let wait = elapsed {
            #expect(throws: FileError.inputOutput) {
                try volume.readFile(huge, patient(.milliseconds(300)))
            }
            #expect(throws: FileError.inputOutput) {
                try volume.engine.openDirectory(
                    Engine.scratchpadsInode, patient(.milliseconds(300)))
            }
        }
        #expect(wait < .seconds(3).scaled)
        store.heal()
        #expect(same(try volume.readFile("/files/huge"), bytes))
        #expect(try volume.readFile("/scratchpads/note") == Array("a note".utf8))
    }

    @Test("a rename asks the store for what it replaces only to know that a directory is empty")
    func renames() throws {
        let volume = try BadBytesTests.forgotten()
        let store = volume.memory
        try volume.makeDirectory("/files/made")
        let made = try volume.resolve("/files/made")
        let serving = RequestContext(user: 1000, group: 1000)
        func rename(
            _ name: String, to newName: String, _ context: RequestContext,
            mode: RenameMode = .replace
        ) throws {
            try volume.engine.rename(
                Array(name.utf8), in: Engine.filesInode, to: Array(newName.utf8),
                in: Engine.filesInode, mode, context)
        }
        store.hang(true)
        defer { store.heal() }
        #expect(throws: FileError.isDirectory) { try rename("small", to: "dir", serving) }
        #expect(throws: FileError.exists) {
            try rename("made", to: "dir", serving, mode: .noReplace)
        }
        try rename("made", to: "dir", serving, mode: .exchange)
        #expect(try volume.resolve("/files/dir") == made)
        try rename("made", to: "dir", serving, mode: .exchange)
        #expect(throws: FileError.wouldBlock) { try rename("made", to: "dir", serving) }
        #expect(throws: FileError.inputOutput) {
            try rename("made", to: "dir", patient(.milliseconds(300)))
        }
        store.heal()
        #expect(throws: FileError.notEmpty) { try rename("made", to: "dir", volume.context) }
        #expect(try volume.resolve("/files/made") == made)
        try BadBytesTests.expectHealthy(volume)
        try volume.engine.unlink(
            Array("tiny".utf8), in: try volume.resolve("/files/other"), volume.context)
        try volume.recover()
        try rename("dir", to: "other", volume.context)
        #expect(try volume.readFile("/files/other/tiny") == Array("tiny".utf8))
    }

    // SEMANTICS: A signal ends such a wait with EINTR.
    // SEMANTICS: EINTR: a signal ended the wait for the store
    @Test("a signal ends a wait for the store")
    func interruption() throws {
        let volume = try BadBytesTests.forgotten()
        let store = volume.memory
        let large = try volume.resolve("/files/large")
        store.hang(true)
        defer { store.heal() }
        let patience = Patience(for: .seconds(60))
        let context = RequestContext(user: 1, group: 1, patience: patience)
        Thread {
            usleep(200_000); patience.interrupt()
        }.start()
        let wait = elapsed {
            #expect(throws: FileError.interrupted) { try volume.readFile(large, context) }
        }
        #expect(wait < .seconds(2).scaled)
    }

    // SEMANTICS: What was waiting for the store goes on at the next mount.
    @Test(
        "a volume starts without its store, and catches up when it is back",
        arguments: [false, true])
    func startsAlone(hangs: Bool) throws {
        let volume = try TestVolume(on: TestStore()) { $0.readDeadline = .milliseconds(500) }
        let store = volume.memory
        try volume.writeFile("/files/a", Array("a".utf8))
        try volume.publish()
        volume.stop()
        if hangs { store.hang(true) } else { store.refuseAll(.unreachable(retryAfter: nil)) }
        defer { store.heal() }
        let wait = try elapsed { try volume.start(.existing) }
        #expect(wait < .seconds(2).scaled)
        #expect(try volume.readFile("/files/a") == Array("a".utf8))
        try volume.writeFile("/files/b", pattern(100_000, seed: 1))
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        store.heal()
        #expect(try eventually { try volume.published().entries["/files/b"] != nil })
        try volume.forgetEverything()
        #expect(same(try volume.readFile("/files/b"), pattern(100_000, seed: 1)))
    }

    @Test("a store that refuses slowly is named too, by a wait that tells how far it is")
    func refusingSlowly() throws {
        let volume = try TestVolume(on: TestStore())
        let store = volume.memory
        try volume.writeFile("/files/a", pattern(100_000, seed: 1))
        try volume.publish()
        store.refuseWrites(.unpaid("no money"))
        try volume.writeFile("/files/b", pattern(100_000, seed: 2))
        // Each round takes longer than the wait's pieces of half a second.
        let isOver = Atomic<Bool>(false)
        let gate = Thread {
            while !isOver.load(ordering: .relaxed) {
                store.hang(true)
                usleep(800_000)
                store.hang(false)
                usleep(20_000)
            }
            store.heal()
            isOver.store(false, ordering: .relaxed)
        }
        gate.start()
        let outcome = volume.engine.synchronizeRemotely(timeout: .seconds(20).scaled) { _ in }
        isOver.store(true, ordering: .relaxed)
        #expect(eventually { !isOver.load(ordering: .relaxed) })
        #expect(outcome == .failed(StoreError.unpaid("no money").description))
    }

    @Test(
        "a store that takes nothing is named, loses nothing, and is tried again by itself",
        arguments: [
            StoreError.full, .readOnly, .paymentRequired, .quotaExceeded, .unpaid("no money"),
            .refused("no"), .unreachable(retryAfter: nil),
        ])
    func refusing(_ error: StoreError) throws {
        let volume = try TestVolume(on: TestStore())
        let store = volume.memory
        try volume.writeFile("/files/a", pattern(100_000, seed: 1))
        try volume.publish()
        store.refuseWrites(error)
        try volume.writeFile("/files/b", pattern(100_000, seed: 2))
        try volume.writeFile("/scratchpads/note", Array("a note".utf8))
        guard
            case .failed(let sentence) = volume.engine.synchronizeRemotely(
                timeout: .seconds(10).scaled)
        else {
            Issue.record("a store that refuses counts as synchronized")
            return
        }
        #expect(sentence == error.description)
        #expect(try volume.report("errors").contains(error.description))
        #expect(volume.engine.engineStatus().hasUnpublishedChanges)
        #expect(same(try volume.readFile("/files/b"), pattern(100_000, seed: 2)))
        try volume.restart()
        store.heal()
        #expect(
            try eventually(within: .seconds(20)) {
                let entries = try volume.published().entries
                return entries["/files/b"] != nil && entries["/scratchpads/note"] != nil
            })
        try volume.forgetEverything()
        #expect(same(try volume.readFile("/files/b"), pattern(100_000, seed: 2)))
        #expect(try volume.readFile("/scratchpads/note") == Array("a note".utf8))
    }

    // SEMANTICS: With `-o durability=remote`, `fsync` also waits until everything is on the store
    // and published, at most for the read deadline, and then fails: with EIO, or with the error
    // that the store's own answer is.
    // SEMANTICS: If that is because the store wants payment or takes no more, they get EDQUOT; so
    // does an `fsync` that waits for the store.
    // SEMANTICS: EDQUOT: the volume's quota is used up, or the store wants payment or takes no more
    @Test(
        "a store that wants payment or is at its quota gives EDQUOT, and a full one ENOSPC",
        arguments: [
            (.paymentRequired, .quotaExceeded), (.unpaid("the wallet is empty"), .quotaExceeded),
            (.quotaExceeded, .quotaExceeded), (.full, .noSpace),
        ] as [(StoreError, FileError)])
    func takesNoMore(_ refusal: StoreError, _ shown: FileError) throws {
        let volume = try TestVolume(on: TestStore()) {
            $0.cacheBudget = 3 << 20
            $0.fsyncIsRemote = true
            $0.readDeadline = .seconds(2)
        }
        let store = volume.memory
        try volume.makeDirectory("/files/dir")
        try volume.writeFile("/files/dir/a", pattern(100_000, seed: 1))
        try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        #expect(try volume.published().entries["/files/dir/a"] != nil)
        try volume.forgetEverything()
        store.refuseWrites(refusal)
        defer { store.heal() }
        try volume.writeFile("/files/b", pattern(400_000, seed: 2))
        #expect(throws: shown) {
            try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        }
        // That it answers those who read changes nothing for those who write.
        #expect(try volume.list("/files/dir") == ["a"])
        #expect(throws: shown) {
            for number in 0..<20 {
                try volume.writeFile(
                    "/files/f\(number)", pattern(400_000, seed: 3), patient(.milliseconds(500)))
            }
        }
        store.heal()
        store.hang(true)
        #expect(throws: FileError.inputOutput) {
            try volume.engine.synchronize(Engine.filesInode, dataOnly: false)
        }
    }

    // SEMANTICS: When the cache is full of bytes that are only here, writers wait up to the read
    // deadline, then get ENOSPC.
    @Test("a full cache over a store that hangs refuses in time, loses nothing, and goes on later")
    func fullCache() throws {
        let volume = try TestVolume(on: TestStore()) { $0.cacheBudget = 3 << 20 }
        let store = volume.memory
        try volume.writeFile("/files/inline", Array("inline".utf8))
        try volume.publish()
        store.hang(true)
        defer { store.heal() }
        var accepted = 0
        let wait = elapsed {
            while accepted < 20 {
                let bytes = pattern(400_000, seed: UInt64(accepted + 1))
                do throws(FileError) {
                    try volume.writeFile(
                        "/files/f\(accepted)", bytes, patient(.milliseconds(500)))
                } catch {
                    #expect(error == .noSpace)
                    break
                }
                accepted += 1
            }
        }
        #expect(accepted >= 4 && accepted < 20)
        #expect(wait < .seconds(10).scaled)
        #expect(throws: FileError.noSpace) {
            try volume.writeFile(
                "/files/inline", pattern(1_000_000, seed: 77), at: 100_000,
                patient(.milliseconds(200)))
        }
        store.heal()
        try volume.writeFile("/files/late", pattern(1_000_000, seed: 99))
        try volume.recover()
        for number in 0..<accepted {
            let bytes = try volume.readFile("/files/f\(number)")
            #expect(same(bytes, pattern(400_000, seed: UInt64(number + 1))))
        }
        #expect(same(try volume.readFile("/files/late"), pattern(1_000_000, seed: 99)))
        let inline = try volume.readFile("/files/inline")
        #expect(Array(inline.prefix(6)) == Array("inline".utf8))
    }
}
