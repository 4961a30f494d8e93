// SPDX-License-Identifier: Apache-2.0
//
// One random sequence of operations, on an engine and on the model at once. Every choice comes from
// the seed. After each operation what it touched is compared, now and then everything. The first
// difference ends the run, with the seed, the last operations, and the story of the inode.

import Foundation
import Namespace
import TestSupport
import Testing

@testable import Engine

/// A run's end before its last step.
struct ModelFailure: Error, CustomStringConvertible {
    let description: String
}

/// An operation waits for a store that nothing can reach; it has changed nothing.
struct StoreNeeded: Error {}

/// The engine, the model, and what is open in both.
final class ModelRun {
    /// An open file: the engine's handle and the model's node.
    struct Open {
        let handle: UInt64
        let node: Int
    }

    /// A state that a crash may come back to.
    struct Past {
        let tree: ModelTree
        /// The file whose bytes changed in several steps, of which a crash may keep some.
        let torn: Int?
    }

    /// What a change does to the times of a node.
    struct Moves: OptionSet {
        let rawValue: Int
        static let accessed = Moves(rawValue: 1)
        static let modified = Moves(rawValue: 2)
        static let changed = Moves(rawValue: 4)
        static let created = Moves(rawValue: 8)
        static let bytes: Moves = [.modified, .changed]
        static let all: Moves = [.accessed, .modified, .changed, .created]
    }

    /// Small files live in their row up to here; so forms change often.
    static let inlineLimit = 700
    /// Blocks of the cache: few, so that clean ones have to leave.
    static let cacheBudget: UInt64 = 6 << 20
    /// The model keeps its tree below these.
    static let nodeLimit = 60
    static let usualByteLimit = 24 << 20
    /// Operations between two comparisons of everything.
    static let fullCheckInterval = 150
    /// Of a hundred steps, so many are preceded by a pause, of so many microseconds, in a run that
    /// looks at publications.
    static let pauses = 12
    static let pause: UInt32 = 60_000
    /// Lines of the report.
    static let tailLimit = 30
    static let storyLimit = 40

    let seed: UInt64
    var dice: SeededGenerator
    let volume: TestVolume
    /// What lies between the engine and its store.
    let line: BadLine
    /// What may be the matter with the store.
    let weathers: [StoreWeather]
    var tree: ModelTree
    /// Every state there was, where somebody wants to know.
    var history: ModelHistory?
    var open: [Open] = []
    /// Every state since the last one that was synchronized, oldest first.
    var past: [Past] = []
    /// A copy of the state folder is being made meanwhile: no state may be forgotten.
    var isBeingCopied = false
    /// Operations inside another one: nothing that ends the engine.
    var depth = 0
    var byteLimit = ModelRun.usualByteLimit
    /// Of a hundred steps, so many are publications besides those that come by chance.
    var publishes = 0
    var weather = StoreWeather.fine
    /// Operations until the store is well again.
    var weatherLeft = 0
    /// The next call comes without patience.
    var isImpatient = false
    /// What `statfs` counts beyond what is there, since the volume was recovered.
    var surplus = (inodes: 0, bytes: 0)
    /// Inode numbers that were given, and are gone.
    var gone: [UInt64] = []
    private var touched: Set<Int> = []
    private var begun = Timestamp.now()
    private var log: [(step: Int, words: String)] = []
    private(set) var step = 0

    init(
        seed: UInt64, on store: TestStore = TestStore(), journal: JournalLimits = JournalLimits(),
        weathers: [StoreWeather] = StoreWeather.allCases, publishesHastily: Bool = false
    ) throws {
        self.seed = seed
        self.weathers = weathers.filter { $0 != .fine }
        dice = SeededGenerator(seed: seed)
        let line = BadLine(seed: seed)
        self.line = line
        volume = try TestVolume(on: store) { configuration in
            line.lay(&configuration)
            configuration.inlineLimit = ModelRun.inlineLimit
            configuration.cacheBudget = ModelRun.cacheBudget
            configuration.journal = journal
            configuration.flushDelay = .milliseconds(60)
            configuration.publishDelay = .milliseconds(150)
            if publishesHastily {
                // Revisions overtake files that are not stored yet.
                configuration.flushDelay = .milliseconds(250)
                configuration.publishDelay = .milliseconds(20)
                configuration.publishCeiling = .milliseconds(40)
            }
        }
        tree = ModelTree(files: Engine.filesInode, scratchpads: Engine.scratchpadsInode)
        for id in [ModelTree.files, ModelTree.scratchpads] {
            tree[id].attributes = try engine.status(of: tree[id].ino, context).attributes
        }
        settled()
    }

    var engine: Engine { volume.engine }

    var context: RequestContext {
        var context = volume.context
        if isImpatient { context.patience = nil }
        return context
    }

    func run(steps: Int) throws {
        for number in 0..<steps {
            step = number
            do { try advance() } catch let error as FileError { throw fail("\(error)") }
            if number % ModelRun.fullCheckInterval == 0 { try check() }
        }
        try check()
        note("end: recover")
        try recover()
    }

    /// One operation, and what it touched compared.
    func advance() throws {
        begun = Timestamp.now()
        touched = []
        tree.expireIdentities(now: seconds)
        try once()
        if weather != .fine {
            weatherLeft -= 1
            if weatherLeft <= 0 { clearUp() }
        }
        remember()
        for id in touched.sorted() where tree.nodes[id] != nil { try probe(id) }
    }

    /// A crash may come back to this moment. After each change, also where a step makes several.
    ///
    /// - Parameter torn: the file that an operation of several steps begins to change now: some of
    ///   them may be there.
    func remember(torn: Int? = nil) {
        past.append(Past(tree: tree, torn: torn))
        history?.note(tree, torn: torn, volume.memory)
    }

    /// From here on no earlier state may come back.
    func settled() {
        if isBeingCopied { return }
        past = [Past(tree: tree, torn: nil)]
    }

    // MARK: Reporting

    func note(_ words: String) {
        log.append((step, words))
    }

    /// Everything that was done, and the state folder as it is now.
    ///
    /// - Returns: where that is kept.
    func keepEvidence(of failure: any Error) throws -> String {
        let evidence = try Evidence("model", seed: seed)
        try evidence.note("failure.txt", "\(failure)\n")
        try evidence.note("log.txt", lines(log) + "\n")
        volume.cut()
        try evidence.keep(volume.stateFolder, as: "state")
        return evidence.path
    }

    private func lines(_ entries: some Sequence<(step: Int, words: String)>) -> String {
        entries.map { "\($0.step): \($0.words)" }.joined(separator: "\n")
    }

    func fail(_ words: String, inode: UInt64? = nil) -> ModelFailure {
        var text = "seed \(seed), step \(step): \(words)\n" + "CAIRN_SEED=\(seed) runs it again\n"
        text += "the last operations:\n" + lines(log.suffix(ModelRun.tailLimit))
        let events = log.filter { $0.words.hasPrefix("*") }
        text += "\nthe last events:\n" + lines(events.suffix(ModelRun.tailLimit / 2))
        if let inode {
            let own = log.filter {
                $0.words.split { !$0.isNumber }.contains { UInt64($0) == inode }
            }
            text += "\nthe story of inode \(inode):\n" + lines(own.suffix(ModelRun.storyLimit))
        }
        return ModelFailure(description: text)
    }

    /// Runs an operation that must end as the model says.
    ///
    /// Sometimes it comes without patience first: then it must end as it should, or change nothing.
    ///
    /// - Parameter expected: the error it must throw; nil if it must succeed.
    @discardableResult
    func expect<R>(
        _ words: String, _ expected: FileError?, _ body: () throws(FileError) -> R
    ) throws -> R? {
        note(words + (expected.map { " -> \($0)" } ?? ""))
        let result = attempt(body)
        switch result {
        case .success(let value):
            if let expected { throw fail("\(words) succeeded instead of \(expected)") }
            return value
        case .failure(let error):
            if error == expected { return nil }
            if error == .wouldBlock && isBeingCopied { throw StoreNeeded() }
            throw fail(
                "\(words) failed with \(error), wanted \(expected.map { "\($0)" } ?? "success")")
        }
    }

    func attempt<R>(_ body: () throws(FileError) -> R) -> Result<R, FileError> {
        func once() -> Result<R, FileError> {
            do throws(FileError) { return .success(try body()) } catch { return .failure(error) }
        }
        isImpatient = weather != .fine || Int.random(in: 0..<3, using: &dice) == 0
        defer { isImpatient = false }
        guard isImpatient else { return once() }
        let result = once()
        guard case .failure(.wouldBlock) = result, !isBeingCopied else { return result }
        clearUp()
        isImpatient = false
        return once()
    }

    // MARK: Comparing

    /// Takes over the times an operation has moved, which must lie within it; others must stand.
    ///
    /// - Parameter mayMove: times that may also stand.
    func settle(_ id: Int, _ moves: Moves, mayMove: Moves = []) throws {
        touched.insert(id)
        let found = try engine.status(of: tree[id].ino, context).attributes
        let now = Timestamp.now()
        let paths: [(Moves, WritableKeyPath<FileAttributes, Timestamp>)] = [
            (.accessed, \.accessed), (.modified, \.modified), (.changed, \.changed),
            (.created, \.created),
        ]
        for (time, path) in paths where !moves.union(mayMove).isDisjoint(with: time) {
            let value = found[keyPath: path]
            let stood = value == tree[id].attributes[keyPath: path]
            let isNew = value >= begun && value <= now
            if isNew || (stood && mayMove.contains(time)) {
                tree[id].attributes[keyPath: path] = value
                continue
            }
            throw fail("\(path) is \(value), in \(begun)...\(now)", inode: tree[id].ino)
        }
        if moves == .bytes && found.modified != found.changed {
            throw fail("two times of one change: \(found)", inode: tree[id].ino)
        }
    }

    /// Compares what can be looked at without the store: attributes, and a window of the bytes.
    private func probe(_ id: Int) throws {
        let node = tree[id]
        let comparison = TreeComparison(volume, tree)
        var window: Range<Int>?
        if node.kind == .regular && node.content.size > 0 {
            let start = Int.random(in: 0..<node.content.size, using: &dice)
            let count = Int.random(in: 1...70_000, using: &dice)
            window = start..<min(node.content.size, start + count)
        }
        var problem: String?
        do throws(FileError) {
            problem = comparison.facts(id, try engine.status(of: node.ino, context))
            if problem == nil { problem = try comparison.xattrs(node, node.ino) }
            var impatient = volume.context
            impatient.patience = nil
            if problem == nil, let window {
                problem = try comparison.bytes(node, node.ino, window, impatient)
            }
        } catch {
            // Only the store has it, or it is away: the next comparison of everything reads it.
            if error != .wouldBlock { problem = "\(error)" }
        }
        if let problem { throw fail("inode \(node.ino) \(problem)", inode: node.ino) }
        try learnIdentity(id)
    }

    /// Compares everything. The store is well for it.
    func check() throws {
        clearUp()
        var comparison = TreeComparison(volume, tree)
        comparison.listingStep = Int.random(in: 1...20, using: &dice)
        if let problem = comparison.difference() {
            let ino = problem.firstRange(of: "inode ").map { problem[$0.upperBound...] }
            throw fail(problem, inode: ino.flatMap { UInt64($0.prefix { $0.isNumber }) })
        }
        for open in open {
            let ino = tree[open.node].ino
            let problem: String?
            do throws(FileError) {
                problem = try comparison.node(open.node, ino)
            } catch {
                problem = "\(error)"
            }
            if let problem { throw fail("open inode \(ino): \(problem)", inode: ino) }
        }
        for ino in gone.suffix(20) {
            let found = attempt { () throws(FileError) in try engine.status(of: ino, context) }
            guard case .failure(.stale) = found else {
                throw fail("inode \(ino), which is gone, is \(found)", inode: ino)
            }
        }
    }
}
