// SPDX-License-Identifier: Apache-2.0
//
// Looks at what a power loss left, and says which promises are broken.

import Engine
import Foundation
import Primitives

/// One cut: the folder with what it left, and what must be in it.
struct PowerLossJudge: Sendable {
    struct Broken: Error {
        let sentence: String
    }

    let volume: PowerLossVolume
    var folder: String
    let position: Int
    let policy: PowerLossPolicy
    /// Whether the volume also goes on from here, to the store and back.
    let continues: Bool

    private var sure: [Promise] { volume.promises.filter { $0.position <= position } }

    /// Promises that are looked at: one state for each thread, and those of the store.
    var promiseCount: Int { sure.count * PowerLossVolume.threadCount }

    /// A sentence for each promise that is broken.
    func broken() -> [String] {
        let place = "cut at \(position), \(policy): "
        do {
            return try (onlyTheStore() + theState()).map { place + $0 }
        } catch let error as Broken {
            return [place + error.sentence]
        } catch {
            return [place + "\(error)"]
        }
    }

    // MARK: This machine

    private func theState() throws -> [String] {
        let engine = try Engine.start(
            try powerLossConfiguration(folder, seed: volume.seed), mode: .existing)
        let files = EngineFiles(engine)
        var broken: [String] = []
        var trees: [Tree] = []
        for number in volume.histories.indices {
            let tree = try tree(number, files)
            trees.append(tree)
            let least = sure.map { $0.states[number] }.max() ?? 0
            let states = volume.histories[number].all
            guard states[least...].contains(tree) else {
                broken.append("thread \(number): " + describe(tree, states, least))
                continue
            }
        }
        for name in ["errors", "conflicts"] {
            let text = String(decoding: try files.read("/.cairn/" + name), as: UTF8.self)
            if !text.isEmpty { broken.append("\(name): \(text)") }
        }
        if continues, broken.isEmpty { broken += try goOn(files, trees) }
        _ = engine.stop(finishing: nil)
        return broken
    }

    private func tree(_ number: Int, _ files: EngineFiles) throws -> Tree {
        var tree: Tree = [:]
        for area in ["files", "scratchpads"] {
            let top = "/\(area)/t\(number)"
            do throws(FileError) {
                let below = try files.tree(top)
                tree[area] = .folder
                for (path, item) in below { tree["\(area)/\(path)"] = item }
            } catch {
                guard error == .notFound else {
                    // Without a reason the error itself says enough.
                    let reasons = (try? files.read("/.cairn/errors")) ?? []
                    throw Broken(
                        sentence: "\(top) cannot be read: \(error); "
                            + String(decoding: reasons, as: UTF8.self))
                }
            }
        }
        return tree
    }

    /// Brings everything to the store, and compares what another machine gets.
    private func goOn(_ files: EngineFiles, _ trees: [Tree]) throws -> [String] {
        let outcome = files.engine.synchronizeRemotely(timeout: EngineFiles.patience)
        guard case .published = outcome else { return ["it does not go on: \(outcome)"] }
        return try onAnotherMachine("state-after") { other in
            try volume.histories.indices.compactMap { number in
                let tree = try tree(number, other)
                let paths = Set(tree.keys).union(trees[number].keys)
                let different = paths.filter { tree[$0] != trees[number][$0] }.sorted()
                guard let path = different.first else { return nil }
                return "thread \(number): \(different.count) differ on the store; \(path) was "
                    + "\(word(trees[number][path])), is \(word(tree[path]))"
            }
        }
    }

    private func word(_ item: Item?) -> String { item.map { "\($0)" } ?? "not there" }

    // MARK: Only the store

    private func onAnotherMachine(
        _ name: String, _ body: (EngineFiles) throws -> [String]
    ) throws -> [String] {
        do {
            return try startOnAnotherMachine(name, body)
        } catch let error as Broken {
            throw Broken(sentence: "in \(name): " + error.sentence)
        }
    }

    private func startOnAnotherMachine(
        _ name: String, _ body: (EngineFiles) throws -> [String]
    ) throws -> [String] {
        try FileManager.default.createDirectory(
            atPath: folder + "/" + name, withIntermediateDirectories: true)
        let engine = try Engine.start(
            try powerLossConfiguration(folder, seed: volume.seed, state: "/" + name),
            mode: .recover)
        defer { _ = engine.stop(finishing: nil) }
        return try body(EngineFiles(engine))
    }

    /// The store alone: what was synced with it is there, each file as it was then or later, and
    /// every byte of the revision can be had.
    private func onlyTheStore() throws -> [String] {
        guard let promise = sure.last(where: { $0.isRemote }) else { return [] }
        return try onAnotherMachine("state-alone") { files in
            var broken: [String] = []
            for number in volume.histories.indices {
                let states = volume.histories[number].all[promise.states[number]...]
                let tree = try tree(number, files)
                // Names that are there in every state from then on, with all they ever had.
                var lasting = (states.first ?? [:]).mapValues { [$0] as Set<Item> }
                for state in states {
                    lasting = lasting.filter { state[$0.key] != nil }
                    for (path, item) in state { lasting[path]?.insert(item) }
                }
                for (path, items) in lasting {
                    guard let item = tree[path] else {
                        broken.append("thread \(number): the store lacks \(path)")
                        continue
                    }
                    if !items.contains(item) {
                        broken.append("thread \(number): the store has another's bytes at \(path)")
                    }
                }
                let known = Set(states.flatMap { $0.values })
                for (path, item) in tree where !known.contains(item) {
                    broken.append("thread \(number): the store has other bytes at \(path)")
                }
            }
            return broken
        }
    }

    private func describe(_ tree: Tree, _ states: [Tree], _ least: Int) -> String {
        if let older = states[..<least].lastIndex(of: tree) {
            return "state \(older) is here, state \(least) was promised"
        }
        var best = (differences: Int.max, state: 0)
        for (number, state) in states.enumerated() {
            let paths = Set(state.keys).union(tree.keys)
            let count = paths.count { state[$0] != tree[$0] }
            if count < best.differences { best = (count, number) }
        }
        let near = states[best.state]
        let paths = Set(near.keys).union(tree.keys).filter { near[$0] != tree[$0] }.sorted()
        return "no state there ever was; state \(least) was promised, \(best.state) is nearest "
            + "but for \(paths.prefix(5)), of \(states.count)"
    }
}
