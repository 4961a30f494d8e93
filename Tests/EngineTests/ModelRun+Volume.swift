// SPDX-License-Identifier: Apache-2.0
//
// What happens to the whole volume of a model run: synchronizing, publishing, restarts, kills, lost
// state folders, an emptied cache, and a store in bad weather.

import Foundation
import Namespace
import TestSupport
import Primitives
import Scratchpads
import Stores
import Testing

@testable import Engine

/// What is the matter with the store.
enum StoreWeather: CaseIterable {
    case fine
    /// No call gets through.
    case offline
    /// It takes nothing more.
    case full
    /// No call ends.
    case hanging
    /// Some chunks come as other bytes, cut short, or not at all.
    case wrongBytes
    /// Pads are taken, and the answer is lost.
    case losesAnswers
    /// Hardly a call gets through at once, and what comes is often not what was asked for.
    case badLine
    /// Some puts are told to be done, and are not; in the end they are.
    case lying
}

extension ModelRun {
    /// Most operations of one spell of bad weather.
    static let weatherLimit = 40
    /// How long a publication is tried while the store is not well.
    static let shortWait = Duration.milliseconds(120)
    /// Operations while a copy of the state folder is made.
    static let copyLimit = 25

    // MARK: Durability

    func synchronize() throws {
        try expect("* synchronize", nil) { () throws(FileError) in
            try engine.synchronize(Engine.filesInode, dataOnly: false)
        }
        settled()
        try compareTotals()
    }

    /// `statfs` counts what is there; the bytes are those of the last commit, which was now.
    private func compareTotals() throws {
        let found = totals()
        let (inodes, bytes) = (tree.nodes.count + surplus.inodes, modelBytes + surplus.bytes)
        if found.inodes != inodes || found.bytes != bytes {
            throw fail("statfs counts \(found), not \(inodes) inodes and \(bytes) bytes")
        }
    }

    private var modelBytes: Int { tree.nodes.values.reduce(0) { $0 + $1.content.size } }

    /// With the two fixed directories, which are not counted.
    private func totals() -> (inodes: Int, bytes: Int) {
        let found = engine.statistics()
        return (Int(found.usedInodes) + 2, Int(found.totalBytes - found.freeBytes))
    }

    func publish() throws {
        note("* publish")
        if weather == .fine {
            do { try volume.publish() } catch { throw fail("publish: \(error)") }
            settled()
            history?.notePublished(tree, volume)
            return
        }
        let isAway = weather == .offline || weather == .hanging
        let hasChanges = engine.engineStatus().hasUnpublishedChanges
        let outcome = engine.synchronizeRemotely(timeout: ModelRun.shortWait)
        if case .published(let revision) = outcome, isAway && hasChanges {
            // Its root was on its way before the store went.
            let root = VolumeKeys(seed: volume.seed).rootPad.address
            let isThere = volume.memory.change { store in
                store.accepted.contains { $0.address == root && $0.counter == revision }
            }
            if !isThere || engine.engineStatus().hasUnpublishedChanges {
                throw fail("published to a store that is \(weather)")
            }
        }
        // Whatever the store does, this machine has committed it.
        settled()
    }

    // MARK: Weather

    func changeWeather() {
        if isBeingCopied { return }
        clearUp()
        weather = weathers[Int.random(in: 0..<weathers.count, using: &dice)]
        weatherLeft = Int.random(in: 1...ModelRun.weatherLimit, using: &dice)
        note("* the store is \(weather)")
        let store = volume.memory
        switch weather {
        case .fine: break
        case .offline: store.refuseAll(.unreachable(retryAfter: nil))
        case .full: store.refuseWrites(.full)
        case .hanging: store.hang(true)
        case .losesAnswers: store.change { $0.losesPadAnswers = true }
        case .badLine: line.change(BadLine.worse)
        case .lying: line.change(BadLine.lying)
        case .wrongBytes:
            let known = store.change { $0.chunks.keys.sorted { $0.hex < $1.hex } }
            for digest in known where Bool.random(using: &dice) {
                let faults: [Fault] = [
                    .missing, .noticed, .flipped, .truncated, .swapped(known[0]),
                ]
                let fault = faults[Int.random(in: 0..<faults.count, using: &dice)]
                store.change { $0.chunkFaults[digest] = fault }
            }
        }
    }

    /// The store is well again.
    func clearUp() {
        if weather == .fine { return }
        note("* the store is well")
        healStore()
        weather = .fine
    }

    private func healStore() {
        volume.memory.heal()
        line.change(BadLine.usual)
        line.keepPromises(at: volume.memory)
    }

    // MARK: Caches and machines

    /// Every clean block leaves the cache.
    func evict() throws {
        note("* evict")
        // The clock's hand passes a block that was used twice before it takes it.
        for _ in 0..<3 { _ = engine.room.evict(RoomKeeper.batch) }
        try check()
    }

    /// Handles and orphans are gone after a start.
    func afterRestart() {
        open = []
        gone += tree.nodes.values.filter { $0.links == 0 }.map { $0.ino }
        tree.forgetOrphans()
        tree.parked.restart(now: seconds)
        isBeingCopied = false
        settled()
    }

    func restart() throws {
        note("* restart")
        if weather == .hanging { clearUp() }
        volume.stop()
        try requireSound(volume.stateFolder, "after a stop")
        try volume.start(.existing)
        afterRestart()
        try check()
    }

    /// Everything of this machine is lost; the phrase and the store remain.
    func recover() throws {
        clearUp()
        note("* recover")
        do {
            // What took its identity back while this was published is in the next revision.
            repeat {
                tree.expireIdentities(now: seconds)
                try volume.publish()
            } while try learnIdentities()
            history?.notePublished(tree, volume)
            try volume.forgetEverything()
        } catch { throw fail("recover: \(error)") }
        try requireSoundStore("after a publication")
        tree.forgetLocal()
        afterRestart()
        // The root pad counts what was open without a name, and pads under temporary names.
        let found = totals()
        surplus = (found.inodes - tree.nodes.count, found.bytes - modelBytes)
        // Inode numbers of what was never published may be given again.
        gone = []
        try check()
    }

    /// The state on the disk must be one that was, since the last synchronize.
    func crash() throws {
        note("* crash")
        volume.cut()
        let copy = volume.nextState()
        try volume.copyState(to: copy)
        try takeUp(copy)
    }

    /// The state folder is copied while operations go on, and taken up: a kill at any moment. The
    /// store hears nothing meanwhile, as it would hear nothing of a process that is dead.
    func kill() throws {
        clearUp()
        note("* kill begins")
        volume.cut()
        let copy = volume.nextState()
        let outcome = Lock<Result<Void, any Error>?>(nil)
        (weather, weatherLeft) = (.offline, .max)
        isBeingCopied = true
        defer { isBeingCopied = false }
        let source = volume.stateFolder
        Thread.detachNewThread {
            let result = Result { try TestVolume.copyState(from: source, to: copy) }
            outcome.withLock { $0 = result }
        }
        depth += 1
        defer { depth -= 1 }
        var left = Int.random(in: 0...ModelRun.copyLimit, using: &dice)
        do {
            while left > 0 {
                left -= 1
                try advance()
            }
        } catch is StoreNeeded {
            note("* kill: the store was needed")
        }
        while outcome.withLock({ $0 == nil }) { usleep(500) }
        switch outcome.withLock({ $0 }) {
        case .success, nil: try takeUp(copy)
        case .failure(let error) where error is TestVolume.Restless:
            // Nothing is restarted from a folder that never stood still; an orderly start it is.
            weather = .fine
            try restart()
        case .failure(let error): throw error
        }
    }

    private func takeUp(_ copy: String) throws {
        try requireSound(copy, "after a kill")
        try volume.takeUp(copy)
        healStore()
        weather = .fine
        note("* killed")
        var problems: [String] = []
        for (age, candidate) in past.reversed().enumerated() {
            var candidateTree = candidate.tree
            candidateTree.forgetOrphans()
            // The commit may be later than the model's look at the clock.
            candidateTree.expireIdentities(now: seconds)
            var comparison = TreeComparison(volume, candidateTree)
            comparison.torn = candidate.torn
            guard let problem = comparison.difference() else {
                note("* came back \(age) states ago")
                tree = candidate.tree
                tree.expireIdentities(now: seconds)
                history?.note(tree, torn: candidate.torn, volume.memory)
                if let torn = candidate.torn, candidateTree.nodes[torn] != nil { try adopt(torn) }
                afterRestart()
                // What came after is lost, and so may be a file without a name, which no
                // comparison sees: their numbers may be given again.
                gone = []
                return
            }
            problems.append(problem)
        }
        throw fail(
            "after a crash no past state is there: " + problems.prefix(60).joined(separator: "; "))
    }

    /// Takes over what the engine has of a file that was caught in the middle of an operation.
    private func adopt(_ id: Int) throws {
        let bytes = try volume.readFile(tree[id].ino)
        tree[id].content = SparseBytes()
        tree[id].content.write(bytes, at: 0)
        tree[id].cover.write(0..<bytes.count)
        tree[id].attributes = try engine.status(of: tree[id].ino, context).attributes
    }
}
