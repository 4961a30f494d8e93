// SPDX-License-Identifier: Apache-2.0
//
// A volume whose state folder and store lie on a layer that remembers every write, and the threads
// that work on it and remember what they were promised.

import Blocks
import Cryptography
import Engine
import Foundation
import Namespace
import Primitives
import RemoteStores
import Synchronization
import TestSupport

/// What one path of a tree is.
enum Item: Hashable, Sendable {
    case folder
    case link([UInt8])
    case file(Digest)
}

/// A tree, as its paths below its top.
typealias Tree = [String: Item]

/// The states that one thread's trees went through, one for each call that changed them.
final class History: Sendable {
    private let states = Lock<[Tree]>([[:]])

    var all: [Tree] { states.withLock { $0 } }
    /// The number of the newest state.
    var last: Int { states.withLock { $0.count - 1 } }

    func add(_ tree: Tree) {
        states.withLock { $0.append(tree) }
    }
}

/// What a call promised when it returned.
struct Promise: Sendable {
    /// The end of the log at that moment.
    let position: Int
    /// For each thread the state that must be there, or a later one.
    let states: [Int]
    /// Whether the store has it too.
    let isRemote: Bool
}

/// The configuration of an engine under these tests: everything happens soon.
func powerLossConfiguration(
    _ folder: String, seed: SecretBytes, state: String = "/state"
) throws -> EngineConfiguration {
    let store = try FolderStore(path: folder + "/store", createIfMissing: true)
    var configuration = EngineConfiguration(
        stateFolder: folder + state, chunks: store, pads: store, keys: VolumeKeys(seed: seed))
    configuration.cacheBudget = 6 << 20
    configuration.padDelay = .milliseconds(20)
    configuration.flushDelay = .milliseconds(60)
    configuration.publishDelay = .milliseconds(100)
    return configuration
}

/// The volume, while it is worked on.
final class PowerLossVolume: Sendable {
    static let threadCount = 3
    /// What the kernel writes of a file at the least.
    static let page = Arena.pieceSize

    /// Where the layer's log is; the layer itself is stopped.
    let logPath: String
    let seed = SecretBytes(randomCount: 32)
    let histories: [History]
    /// In the order of their positions.
    let promises: [Promise]
    /// Why a thread ended before its time.
    let failures: [String]

    /// Works for a time, and stops.
    ///
    /// - Parameter root: the test's own folder.
    init(root: String, dice: inout SeededGenerator, steps: Int) throws {
        let histories = (0..<Self.threadCount).map { _ in History() }
        self.histories = histories
        let layer = try PowerLossLayer(root: root)
        defer { layer.stop() }
        logPath = layer.log
        let lock = try StateLock(folder: layer.path + "/state")
        defer { withExtendedLifetime(lock) {} }
        var log = WorkLog(layer: layer, histories: histories)
        var carried = histories.map { _ in
            Carried(dice: SeededGenerator(seed: UInt64.random(in: 0...(.max), using: &dice)))
        }
        // Stopped well, and taken up again: nothing may depend on a log that goes on for ever.
        for mode in [StartMode.create, .existing] {
            let configuration = try powerLossConfiguration(layer.path, seed: seed)
            carried = try Self.session(configuration, mode, carried, steps, &log)
        }
        promises = log.promises.sorted { $0.position < $1.position }
        failures = log.failures
    }

    /// Starts an engine, has all threads work with it, and stops it.
    private static func session(
        _ configuration: EngineConfiguration, _ mode: StartMode, _ carried: [Carried],
        _ steps: Int, _ log: inout WorkLog
    ) throws -> [Carried] {
        let engine = try Engine.start(configuration, mode: mode)
        let shared = Lock(log)
        shared.withLock { $0.add(log.reached, isRemote: mode == .create) }
        let results = Lock(carried)
        let group = DispatchGroup()
        for number in carried.indices {
            let worker = PowerLossWorker(number, EngineFiles(engine), shared, carried[number])
            group.enter()
            Thread {
                let end = worker.work(steps: steps)
                results.withLock { $0[number] = end }
                group.leave()
            }.start()
        }
        group.wait()
        let reached = log.reached
        _ = engine.stop(finishing: nil)
        shared.withLock { $0.add(reached, isRemote: false) }
        log = shared.withLock { $0 }
        return results.withLock { $0 }
    }
}

/// What is written down while the threads work.
struct WorkLog: Sendable {
    let layer: PowerLossLayer
    let histories: [History]
    var promises: [Promise] = []
    /// Why a thread ended before its time.
    var failures: [String] = []

    init(layer: PowerLossLayer, histories: [History]) {
        self.layer = layer
        self.histories = histories
    }

    /// The states that are reached now: what is synced from here on covers them.
    var reached: [Int] { histories.map { $0.last } }

    /// A call has returned, and promises these states.
    mutating func add(_ states: [Int], isRemote: Bool) {
        do {
            let promise = Promise(
                position: try layer.position(), states: states, isRemote: isRemote)
            promises.append(promise)
        } catch {
            failures.append("the layer's log: \(error)")
        }
    }
}

/// What a thread knows from one session to the next.
struct Carried: Sendable {
    var dice: SeededGenerator
    var tree: Tree = [:]
    var contents: [String: [UInt8]] = [:]
    var made = 0

    init(dice: SeededGenerator) {
        self.dice = dice
    }
}

/// One thread's work.
///
/// `@unchecked Sendable` because one thread has it, once it was made.
final class PowerLossWorker: @unchecked Sendable {
    private let number: Int
    private let files: EngineFiles
    private let log: Lock<WorkLog>
    private let history: History
    private var dice: SeededGenerator
    private var tree: Tree
    private var contents: [String: [UInt8]]
    private var made: Int

    init(_ number: Int, _ files: EngineFiles, _ log: Lock<WorkLog>, _ carried: Carried) {
        self.number = number
        self.files = files
        self.log = log
        history = log.withLock { $0.histories[number] }
        dice = carried.dice
        tree = carried.tree
        contents = carried.contents
        made = carried.made
    }

    private func top(_ area: String) -> String { "/\(area)/t\(number)" }

    func work(steps: Int) -> Carried {
        do {
            for area in ["files", "scratchpads"] where tree[area] == nil {
                try files.makeFolder(top(area))
                note { $0[area] = .folder }
            }
            for _ in 0..<steps {
                try step()
                switch Int.random(in: 0..<40, using: &dice) {
                case 0..<10: try synchronize()
                case 10: synchronizeRemotely()
                case 11..<14: usleep(UInt32.random(in: 0..<60_000, using: &dice))
                default: break
                }
            }
        } catch {
            log.withLock { $0.failures.append("thread \(number): \(error)") }
        }
        var carried = Carried(dice: dice)
        (carried.tree, carried.contents, carried.made) = (tree, contents, made)
        return carried
    }

    private func note(_ change: (inout Tree) -> Void) {
        change(&tree)
        history.add(tree)
    }

    // MARK: Promises

    private func synchronize() throws {
        let reached = log.withLock { $0.reached }
        let some = tree.keys.filter { $0.hasPrefix("files") }.sorted().randomElement(using: &dice)
        try files.synchronize(some.map { path(of: $0) } ?? "/files")
        log.withLock { $0.add(reached, isRemote: false) }
    }

    private func synchronizeRemotely() {
        let reached = log.withLock { $0.reached }
        let outcome = files.engine.synchronizeRemotely(timeout: EngineFiles.patience)
        log.withLock { log in
            guard case .published = outcome else {
                return log.failures.append("thread \(number): \(outcome)")
            }
            log.add(reached, isRemote: true)
        }
    }

    // MARK: Changes

    private func path(of key: String) -> String {
        let area = key.prefix { $0 != "/" }
        return top(String(area)) + key.dropFirst(area.count)
    }

    private func size(_ limit: Int) -> Int {
        Int(pow(Double(limit), Double.random(in: 0..<1, using: &dice)))
    }

    private func bytes(_ count: Int) -> [UInt8] {
        pattern(count, seed: UInt64.random(in: 0...(.max), using: &dice))
    }

    private func set(_ key: String, _ content: [UInt8]) {
        contents[key] = content
        note { $0[key] = .file(Digests.of(content, algorithm: .blake3)) }
    }

    private func step() throws {
        let mine = contents.keys.filter { $0.hasPrefix("files") }.sorted()
        let chance = Int.random(in: 0..<20, using: &dice)
        if chance < 3 { return try pad() }
        if mine.isEmpty || (chance < 8 && mine.count < 25) { return try new() }
        guard let key = mine.randomElement(using: &dice) else { return }
        switch chance {
        case 3..<12: try overwrite(key)
        case 12..<14: try truncate(key)
        case 14..<16: try rename(key)
        case 16..<18: try save(key)
        case 18: try link(key)
        default:
            try files.unlink(path(of: key))
            contents[key] = nil
            note { $0[key] = nil }
        }
    }

    private func fresh(_ area: String) -> String {
        made += 1
        return "\(area)/n\(made)"
    }

    private func new() throws {
        var key = fresh("files")
        if made % 7 == 0 {
            let folder = "files/d\(made)"
            try files.makeFolder(path(of: folder))
            note { $0[folder] = .folder }
            key = folder + "/n"
        }
        try write(key, bytes(size(400_000)))
    }

    private func write(_ key: String, _ content: [UInt8]) throws {
        try files.create(path(of: key))
        set(key, [])
        try files.write(path(of: key), content, at: 0)
        set(key, content)
    }

    private func overwrite(_ key: String) throws {
        var content = contents[key] ?? []
        var offset = Int.random(in: 0...content.count, using: &dice)
        var count = size(200_000)
        if Bool.random(using: &dice) {
            // Whole pages, as a kernel that gathers writes sends them.
            offset = offset / PowerLossVolume.page * PowerLossVolume.page
            count = (1 + size(12)) * PowerLossVolume.page
        }
        let new = bytes(count)
        try files.write(path(of: key), new, at: UInt64(offset))
        let end = min(content.count, offset + new.count)
        content.replaceSubrange(offset..<end, with: new)
        set(key, content)
    }

    private func truncate(_ key: String) throws {
        let content = contents[key] ?? []
        let size = Int.random(in: 0...content.count + 1000, using: &dice)
        try files.truncate(path(of: key), to: UInt64(size))
        let zeros = [UInt8](repeating: 0, count: max(0, size - content.count))
        set(key, Array(content.prefix(size)) + zeros)
    }

    private func rename(_ key: String) throws {
        let target = fresh("files")
        try files.rename(path(of: key), path(of: target))
        contents[target] = contents.removeValue(forKey: key)
        note { $0[target] = $0.removeValue(forKey: key) }
    }

    private func save(_ key: String) throws {
        let spare = fresh("files")
        try write(spare, bytes(size(300_000)))
        try files.rename(path(of: spare), path(of: key))
        contents[key] = contents.removeValue(forKey: spare)
        note { $0[key] = $0.removeValue(forKey: spare) }
    }

    private func link(_ key: String) throws {
        let name = fresh("files")
        try files.makeLink(path(of: name), to: Array(key.utf8))
        note { $0[name] = .link(Array(key.utf8)) }
    }

    private func pad() throws {
        let pads = contents.keys.filter { $0.hasPrefix("scratchpads") }.sorted()
        if pads.count < 4 {
            return try write(fresh("scratchpads"), bytes(size(40_000)))
        }
        guard let key = pads.randomElement(using: &dice) else { return }
        try overwrite(key)
    }
}
