// SPDX-License-Identifier: Apache-2.0
//
// `aleph/` on a double of a node, without a mount: what its tests share.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Cryptography
import Engine
import Foundation
import LocalServer
import Primitives

@testable import Control

/// A tree on a double, without a mount.
final class Shown: Sendable {
    let node: NodeDouble
    let tree: AlephMount
    let root: String
    let account: AlephAccount
    let told = Lock<[String]>([])
    private let named: Lock<[String]>

    /// - Parameters:
    ///   - nameLimit: the most names that are listed of one directory.
    ///   - interval: time between two questions for news.
    init(
        nameLimit: Int = AlephListing.limit, interval: Duration = .milliseconds(200)
    ) throws {
        node = try NodeDouble()
        root = NSTemporaryDirectory() + "cairn-aleph-" + UUID().uuidString
        account = try AlephAccount(
            secret: SecretBytes([UInt8](repeating: 5, count: 32)), chain: .solana)
        tree = try AlephMount(
            try AlephSession(nodes: [node.url]), account, folder: root, cacheBudget: 1 << 30,
            plan: StorePlan(), interval: interval, nameLimit: nameLimit)
        let (told, named) = (told, Lock<[String]>([]))
        self.named = named
        tree.begin(
            ForeignHost(
                report: { line in told.withLock { $0.append(line) } },
                nameChanged: { _, name in
                    let text = name.map { String(decoding: $0, as: UTF8.self) } ?? ""
                    named.withLock { $0.append(text) }
                },
                statusChanged: { _ in }))
    }

    deinit {
        tree.end()
        node.stop()
        // A temporary folder: what is left of it harms nobody.
        try? FileManager.default.removeItem(atPath: root)
    }

    var patience: Patience { Patience(for: .seconds(280)) }

    /// How often the kernel was told that a name may have changed.
    func changes(_ name: String) -> Int { named.withLock { $0.filter { $0 == name }.count } }

    func resolve(_ path: String) throws(FileError) -> UInt64 {
        var node: UInt64 = 0
        for name in path.split(separator: "/") {
            node = try tree.child(Array(name.utf8), of: node, patience)
        }
        return node
    }

    func names(_ node: UInt64, _ patience: Patience?) throws(FileError) -> [String] {
        var names: [String] = []
        var start = 0
        while true {
            let page = try tree.children(of: node, from: start, limit: 256, patience)
            guard let last = page.last else { return names }
            names += page.map { String(decoding: $0.name, as: UTF8.self) }
            start = last.next
        }
    }

    /// Has the node's answers to questions that `isHeld` picks wait.
    func hold(_ isHeld: @escaping @Sendable (String) -> Bool) -> Gate {
        let gate = Gate()
        node.change { settings in
            settings.intercept = { request, _ in
                if isHeld(request.target) { gate.hold() }
                return nil
            }
        }
        return gate
    }
}

/// Holds answers of a node back until it is told to let them go.
final class Gate: Sendable {
    private let state = Lock((isHeld: false, isOpen: false))

    /// In the node, after it has made the answer.
    func hold() {
        state.withLock { $0.isHeld = true }
        for _ in 0..<3000 where !state.withLock({ $0.isOpen }) { usleep(10_000) }
    }

    /// Returns when an answer is held.
    func waitUntilHeld() {
        for _ in 0..<3000 where !state.withLock({ $0.isHeld }) { usleep(10_000) }
    }

    func open() { state.withLock { $0.isOpen = true } }
}
