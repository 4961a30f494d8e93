// SPDX-License-Identifier: Apache-2.0
//
// One random sequence of operations, on an engine and on the model at once. Every choice comes from
// the seed. The first difference ends the run, with the seed and the last operations in its words.

import Engine
import Namespace
import TestSupport
import Testing

/// A run's end before its last step.
struct ModelFailure: Error, CustomStringConvertible {
    let description: String
}

/// The engine, the model, and what is open in both.
final class ModelRun {
    /// An open file: the engine's handle and the model's node.
    struct Open {
        let handle: UInt64
        let node: Int
    }

    /// Small files live in their row up to here; so forms change often.
    static let inlineLimit = 700
    /// Blocks of the cache: few, so that clean ones have to leave.
    static let cacheBudget: UInt64 = 6 << 20
    /// The model keeps its tree below these.
    static let nodeLimit = 70
    static let byteLimit = 40 << 20

    let seed: UInt64
    var dice: SeededGenerator
    let volume: TestVolume
    var tree: ModelTree
    var open: [Open] = []
    /// Every state since the last one that was synchronized, oldest first.
    private var past: [Past] = []
    /// The file whose bytes change in several steps during this operation, of which a crash may
    /// keep some.
    var torn: Int?

    private struct Past {
        let tree: ModelTree
        let torn: Int?
    }
    private var log: [String] = []
    private var step = 0

    init(seed: UInt64, on store: TestStore = TestStore()) throws {
        self.seed = seed
        dice = SeededGenerator(seed: seed)
        volume = try TestVolume(on: store) { configuration in
            configuration.inlineLimit = ModelRun.inlineLimit
            configuration.cacheBudget = ModelRun.cacheBudget
            configuration.flushDelay = .milliseconds(60)
            configuration.publishDelay = .milliseconds(150)
        }
        tree = ModelTree(root: ModelTree.Node(kind: .directory, ino: Engine.filesInode, links: 2))
        try refresh([0])
        past = [Past(tree: tree, torn: nil)]
    }

    var engine: Engine { volume.engine }
    var context: RequestContext { volume.context }

    func run(steps: Int) throws {
        for number in 0..<steps {
            step = number
            torn = nil
            let before = tree
            try once()
            if let torn { past.append(Past(tree: before, torn: torn)) }
            past.append(Past(tree: tree, torn: nil))
            if number % 23 == 0 { try check() }
        }
        try check()
        note("end: recover")
        try volume.recover()
        afterRestart()
        try check()
    }

    // MARK: Reporting

    func note(_ words: String) {
        log.append("\(step): \(words)")
        if log.count > 40 { log.removeFirst() }
    }

    func fail(_ words: String) -> ModelFailure {
        ModelFailure(
            description: "seed \(seed), step \(step): \(words)\n" + log.joined(separator: "\n"))
    }

    /// Runs an operation that must end as the model says.
    ///
    /// - Parameter expected: the error it must throw; nil if it must succeed.
    @discardableResult
    func expect<R>(
        _ words: String, _ expected: FileError?, _ body: () throws(FileError) -> R
    ) throws -> R? {
        note(words + (expected.map { " -> \($0)" } ?? ""))
        let result: Result<R, FileError>
        do throws(FileError) { result = .success(try body()) } catch { result = .failure(error) }
        switch result {
        case .success(let value):
            if let expected { throw fail("\(words) succeeded instead of \(expected)") }
            return value
        case .failure(let error):
            if error == expected { return nil }
            throw fail(
                "\(words) failed with \(error), wanted \(expected.map { "\($0)" } ?? "success")")
        }
    }

    func check() throws {
        var comparison = TreeComparison(volume, tree)
        comparison.listingStep = Int.random(in: 1...20, using: &dice)
        if let problem = comparison.difference() { throw fail(problem) }
        for open in open {
            let ino = tree[open.node].ino
            let problem: String?
            do throws(FileError) {
                problem = try comparison.node(open.node, ino)
            } catch {
                problem = "\(error)"
            }
            if let problem { throw fail("open inode \(ino): \(problem)") }
        }
    }

    /// Takes over the times that only the engine's clock knows.
    func refresh(_ ids: [Int]) throws {
        for id in ids {
            tree[id].modified =
                try engine.status(of: tree[id].ino, context).attributes.modified
        }
    }

    // MARK: What happens to the whole volume

    /// Handles and orphans are gone after a start.
    private func afterRestart() {
        open = []
        tree.forgetOrphans()
        past = [Past(tree: tree, torn: nil)]
    }

    func synchronize() throws {
        try expect("synchronize", nil) { () throws(FileError) in
            try engine.synchronize(Engine.filesInode, dataOnly: false)
        }
        past = [Past(tree: tree, torn: nil)]
    }

    func publish() throws {
        note("publish")
        do { try volume.publish() } catch { throw fail("publish: \(error)") }
        past = [Past(tree: tree, torn: nil)]
    }

    func restart() throws {
        note("restart")
        try volume.restart()
        afterRestart()
        try check()
    }

    func recover() throws {
        note("recover")
        do { try volume.recover() } catch { throw fail("recover: \(error)") }
        afterRestart()
        try check()
    }

    /// The state on the disk must be one that was, since the last synchronize.
    func crash() throws {
        note("crash")
        try volume.crash()
        open = []
        var problems: [String] = []
        for (age, candidate) in past.reversed().enumerated() {
            var tree = candidate.tree
            tree.forgetOrphans()
            var comparison = TreeComparison(volume, tree)
            comparison.torn = candidate.torn
            guard let problem = comparison.difference() else {
                note("came back \(age) states ago")
                self.tree = tree
                if let torn = candidate.torn, tree.nodes[torn] != nil { try adopt(torn) }
                past = [Past(tree: self.tree, torn: nil)]
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
        try refresh([id])
    }
}
