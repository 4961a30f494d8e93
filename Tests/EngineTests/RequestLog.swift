// SPDX-License-Identifier: Apache-2.0
//
// The requests that changed a store in a model run, and what is recovered from a part of them: from
// a store that heard a beginning of them and then nothing more.

import Cryptography
import Engine
import Foundation
import Namespace
import Primitives
import Scratchpads
import Stores
import TestSupport

/// What reached a store, in order; and the judge of each beginning of it.
struct RequestLog: Sendable {
    /// What is missing of a beginning.
    enum Loss: Equatable {
        case nothing
        /// What was put since the last sync, in part: a store that lost its power.
        case unsynced
        /// Chunks that the store had said to be durable.
        case acknowledged
    }

    /// What came of one beginning.
    struct Verdict: Sendable {
        var revision: UInt64 = 0
        var problem: String?
        /// The state that was found.
        var state = 0
        /// By inode, the newest state whose bytes a file has.
        var contents: [UInt64: Int] = [:]
        /// Files of `files/` that are shown, and those that are absent because nothing of them was
        /// stored yet.
        var shown: [[UInt8]: UInt64] = [:]
        var absent: [[UInt8]: UInt64] = [:]
        /// Compared in everything, times and holes too.
        var isWhole = false
        /// Files whose newest bytes were not stored, shown with older ones.
        var olderCount = 0
        /// Names that could not be read: only where acknowledged chunks are missing.
        var unreadableCount = 0
    }

    let requests: [StoreRequest]
    let history: ModelHistory
    let seed: SecretBytes
    private let rootAddress: PadAddress
    /// Where each revision first reached the store.
    let roots: [(revision: UInt64, position: Int)]

    init(_ run: ModelRun) {
        requests = run.volume.memory.change { $0.requests }
        history = run.history ?? ModelHistory()
        seed = run.volume.seed
        let address = run.volume.keys.rootPad.address
        rootAddress = address
        roots = requests.enumerated().compactMap { position, request in
            guard case .pad(let record) = request, record.address == address else { return nil }
            return (record.counter, position)
        }
    }

    /// Beginnings to look at: before and after roots and pads, and between, from the dice.
    func samples(_ count: Int, _ dice: inout SeededGenerator) -> [Int] {
        var marked: Set<Int> = [requests.count]
        for (position, request) in requests.enumerated() {
            guard case .pad = request else { continue }
            marked.formUnion([position, position + 1])
        }
        let aroundRoots = Set(roots.flatMap { [$0.position, $0.position + 1] })
        let others = marked.subtracting(aroundRoots).sorted().shuffled(using: &dice)
        var chosen = aroundRoots.union(others.prefix(count / 4))
        let rest = (0...requests.count).filter { !chosen.contains($0) }.shuffled(using: &dice)
        chosen.formUnion(rest.prefix(max(count - chosen.count, 0)))
        return chosen.sorted()
    }

    /// A store that heard the first `count` requests.
    ///
    /// - Returns: the store, and how many chunks it lost.
    func store(_ count: Int, _ loss: Loss, _ dice: inout SeededGenerator) -> (TestStore, Int) {
        var state = TestStore.State()
        for request in requests.prefix(count) {
            switch request {
            case .chunk(let digest, let bytes):
                if state.chunks[digest] == nil { state.unsynced.insert(digest) }
                state.chunks[digest] = bytes
            case .sync: state.unsynced = []
            case .pad(let record): state.pads[record.address] = record
            case .delete(let digest): state.chunks[digest] = nil
            }
        }
        var lost: [Digest] = []
        switch loss {
        case .nothing: break
        case .unsynced:
            lost = state.unsynced.sorted { $0.hex < $1.hex }.filter { _ in dice.chance(50) }
        case .acknowledged:
            let known = state.chunks.keys.sorted { $0.hex < $1.hex }
            lost = Array(known.shuffled(using: &dice).prefix(1 + dice.below(6)))
        }
        for digest in lost { state.chunks[digest] = nil }
        state.unsynced = []
        let rebuilt = state
        let store = TestStore()
        store.change { $0 = rebuilt }
        return (store, lost.count)
    }

    /// Recovers a volume from the seed and the first `count` requests, and judges it.
    ///
    /// - Parameter goesOn: whether it has to take a change and publish it afterwards.
    func judge(_ count: Int, _ loss: Loss, goesOn: Bool, dice seed: UInt64) -> Verdict {
        var dice = SeededGenerator(seed: seed)
        var verdict = Verdict()
        let (store, _) = store(count, loss, &dice)
        let root = roots.last { $0.position < count }
        let volume: TestVolume
        do {
            volume = try TestVolume(on: store, seed: self.seed, mode: .recover) {
                $0.inlineLimit = ModelRun.inlineLimit
                $0.cacheBudget = ModelRun.cacheBudget
            }
        } catch {
            if root != nil { verdict.problem = "is not recovered: \(error)" }
            return verdict
        }
        guard let root else {
            verdict.problem = "is recovered without a root"
            return verdict
        }
        verdict.revision = volume.engine.engineStatus().revision
        if verdict.revision != root.revision {
            verdict.problem = "is revision \(verdict.revision), not \(root.revision)"
            return verdict
        }
        compare(volume, root, count, loss, &verdict)
        if verdict.problem == nil && goesOn && loss != .acknowledged {
            verdict.problem = self.goesOn(volume)
        }
        return verdict
    }

    private func goesOn(_ volume: TestVolume) -> String? {
        do {
            let bytes = pattern(20_000, seed: 4)
            try volume.writeFile("/files/later", bytes)
            let before = volume.engine.engineStatus().revision
            // As long as a machine may take that has much else to do.
            try volume.publish(within: .seconds(300))
            try volume.forgetEverything()
            guard volume.engine.engineStatus().revision == before + 1 else {
                return "published no new revision"
            }
            return same(try volume.readFile("/files/later"), bytes) ? nil : "lost what came later"
        } catch {
            return "does not go on: \(error)"
        }
    }

    // MARK: Comparing

    private func compare(
        _ volume: TestVolume, _ root: (revision: UInt64, position: Int), _ count: Int,
        _ loss: Loss, _ verdict: inout Verdict
    ) {
        let padsFollow = requests[(root.position + 1)..<count].contains {
            if case .pad(let record) = $0 { record.address != rootAddress } else { false }
        }
        if let whole = history.whole[root.revision], !padsFollow, loss != .acknowledged {
            var tree = history.states[whole].tree
            tree.forgetLocal()
            var comparison = TreeComparison(volume, tree)
            verdict.problem = comparison.difference()
            verdict.isWhole = true
            verdict.state = whole
            for (path, id) in tree.paths where tree[id].kind == .regular && !tree[id].isPad {
                verdict.shown[path] = tree[id].ino
            }
            return
        }
        let shown = ShownTree(volume)
        if loss != .acknowledged, let failure = shown.failures.first {
            verdict.problem = failure
            return
        }
        verdict.unreadableCount = shown.failures.count
        let before = roots.last { $0.revision < root.revision }
        let first = before.map { history.last(at: $0.position) } ?? 0
        let last = min(history.last(at: root.position) + 1, history.states.count - 1)
        let end = min(history.last(at: count) + 1, history.states.count - 1)
        var problems: [String] = []
        for index in (first...last).reversed() {
            var attempt = verdict
            let judge = StateJudge(
                shown: shown, history: history, index: index, end: end,
                wasAnswered: { address in
                    self.wasAnswered(address, before: before?.position ?? 0)
                })
            if let problem = judge.problem(&attempt) {
                problems.append("\(index): \(problem)")
                continue
            }
            verdict = attempt
            verdict.state = index
            return
        }
        verdict.problem = "is none of the states \(first) to \(last): \(problems.prefix(8))"
    }

    /// Whether the machine surely knew that the store had the pad: a second record is sealed only
    /// when the first was answered for.
    ///
    /// - Parameter position: of the root before the one that is judged. A revision is made of one
    ///   moment between the two, and pads go on reaching the store until its own root does.
    private func wasAnswered(_ address: String, before position: Int) -> Bool {
        requests.prefix(position).contains {
            guard case .pad(let record) = $0 else { return false }
            return record.counter > 1 && record.address.hex == address
        }
    }
}

extension RequestLog {
    /// What is wrong between revisions that are each right.
    ///
    /// - Parameter verdicts: of all revisions.
    func regressions(_ verdicts: [Verdict]) -> [String] {
        var problems: [String] = []
        var newest: [UInt64: (state: Int, revision: UInt64)] = [:]
        var before: Verdict?
        for verdict in verdicts.sorted(by: { $0.revision < $1.revision })
        where verdict.revision > 0 {
            for (ino, state) in verdict.contents {
                if let known = newest[ino], known.state > state, known.revision < verdict.revision {
                    problems.append("revision \(verdict.revision) has older bytes of inode \(ino)")
                }
                newest[ino] = (max(state, newest[ino]?.state ?? 0), verdict.revision)
            }
            if let before, before.revision < verdict.revision {
                problems += vanished(before, verdict)
            }
            before = verdict
        }
        return problems
    }

    /// Files that a revision lacks though the one before had something of them, or at their name,
    /// and nobody removed it (docs/ARCHITECTURE.md §6.11).
    private func vanished(_ before: Verdict, _ after: Verdict) -> [String] {
        let known = Set(before.shown.values)
        return after.absent.compactMap { path, ino in
            let stayed =
                before.shown[path] != nil
                && (before.state...max(before.state, after.state)).allSatisfy { number in
                    let tree = history.states[number].tree
                    return tree.id(at: path).map { tree[$0].kind == .regular } ?? false
                }
            guard known.contains(ino) || stayed else { return nil }
            return "revision \(after.revision) has no inode \(ino), which revision "
                + "\(before.revision) had"
        }
    }
}
