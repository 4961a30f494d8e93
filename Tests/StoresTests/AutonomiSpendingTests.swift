// SPDX-License-Identifier: Apache-2.0
//
// What counts as spent on the Autonomi network: what was paid, and what may have been.

import AntdDouble
import Foundation
import Primitives
import RemoteStores
import Stores
import Testing

/// A daemon, and the purse of one volume.
private struct Purse {
    let daemon: AntdDouble
    let address: AutonomiAddress
    let folder: TemporaryFolder

    init() throws {
        daemon = try AntdDouble()
        folder = try TemporaryFolder()
        guard case .autonomi(let address) = try StoreURL("autonomi://127.0.0.1:\(daemon.port)")
        else { throw CocoaError(.featureUnsupported) }
        self.address = address
    }

    /// The purse as from a new process: two chunks and a half may be paid.
    func budget() throws -> SpendingBudget {
        try SpendingBudget(limit: TokenAmount(25), path: folder.path + "/spent")
    }

    func store() throws -> AutonomiStore {
        AutonomiStore(address, budget: try budget(), portFile: nil)
    }

    /// Lets this go wrong with the next chunk, after its price was told.
    func fail(_ faults: AntdDouble.Fault...) {
        daemon.change { state in
            state.interventions = [.after("/v1/chunks/prepare") { $0.faults = faults }]
        }
    }

    func remove() {
        daemon.stop()
        folder.remove()
    }
}

@Suite("Spending on Autonomi")
struct AutonomiSpendingTests {
    private let chunk = TestChunk(seed: 81, count: 5000)

    // SEMANTICS: When the wallet is empty, missing, or at the volume's `spending-limit`, flushes
    // wait: nothing is lost, `cairn status` and `cairn sync` say how much is wanted, and `fsync`
    // that waits for the store gives EDQUOT. It goes on by itself when there is money.
    @Test(
        "tries that a wallet could not pay leave the limit whole", arguments: [4, nil] as [UInt64?])
    func emptyWallet(balance: UInt64?) throws {
        let purse = try Purse()
        defer { purse.remove() }
        purse.daemon.change { $0.balance = balance }
        let store = try purse.store()
        for _ in 0..<5 {
            let error = #expect(throws: StoreError.self) {
                try store.put(chunk.digest, chunk.bytes)
            }
            guard case .unpaid(let words)? = error else {
                Issue.record("\(error as Any)")
                return
            }
            #expect(!words.contains("spending limit"))
        }
        #expect(try purse.budget().spent == .zero)
        purse.daemon.change { $0.balance = 1000 }
        let next = TestChunk(seed: 82)
        try store.put(chunk.digest, chunk.bytes)
        try store.put(next.digest, next.bytes)
        #expect(purse.daemon.change { $0.paid } == 20)
        #expect(try purse.budget().spent == TokenAmount(20))
    }

    @Test(
        "what the daemon refused to begin is not spent, and what it may have paid is",
        arguments: [
            (400, false), (402, false), (413, false), (429, false), (408, true), (500, true),
            (502, true), (503, true), (504, true),
        ])
    func refused(status: Int, isSpent: Bool) throws {
        let purse = try Purse()
        defer { purse.remove() }
        purse.fail(.refuse(status, ""))
        let store = try purse.store()
        #expect(throws: StoreError.self) { try store.put(chunk.digest, chunk.bytes) }
        #expect(try purse.budget().spent == (isSpent ? TokenAmount(10) : .zero))
        #expect(purse.daemon.change { $0.paid } == 0)
    }

    @Test("what was paid before an answer was lost stays spent", arguments: [false, true])
    func lostAnswer(isDone: Bool) throws {
        let purse = try Purse()
        defer { purse.remove() }
        // On a connection that was used before, a request is sent once more.
        purse.fail(.hangUp(afterDoing: isDone), .hangUp(afterDoing: isDone))
        let store = try purse.store()
        #expect(throws: StoreError.self) { try store.put(chunk.digest, chunk.bytes) }
        #expect(try purse.budget().spent == TokenAmount(10))
        try store.put(chunk.digest, chunk.bytes)
        #expect(try purse.budget().spent == TokenAmount(isDone ? 10 : 20))
    }

    @Test("no more is given back than was set aside, and a purse that cannot be written keeps it")
    func givingBack() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/spent"
        let purse = try SpendingBudget(limit: nil, path: path)
        let first = try purse.spend(TokenAmount(7))
        // More than can be counted: only what was counted comes back.
        let second = try purse.spend(TokenAmount(.max))
        #expect(purse.spent == TokenAmount(.max))
        purse.giveBack(second)
        #expect(purse.spent == TokenAmount(7))
        #expect(try SpendingBudget(limit: nil, path: path).spent == TokenAmount(7))
        try FileManager.default.createDirectory(
            atPath: path + ".new", withIntermediateDirectories: false)
        purse.giveBack(first)
        #expect(purse.spent == TokenAmount(7))
        #expect(TokenAmount(3) - TokenAmount(5) == .zero)
    }
}
