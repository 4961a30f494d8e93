// SPDX-License-Identifier: Apache-2.0
//
// Stores on Aleph Cloud, against doubles of its nodes.

import Aleph
import AlephNodeDouble
import AlephProtocol
import AlephStores
import Cryptography
import Foundation
import JSON
import Primitives
import RemoteStores
import Stores
import Synchronization
import Testing

extension StoreUnderTest {
    /// Aleph Cloud, from the address on.
    static let aleph = aleph("aleph", payment: "credit")
    /// The same in IPFS, unpaid.
    static let alephUnpaid = aleph("aleph, unpaid", payment: "unpaid")

    private static func aleph(_ name: String, payment: String) -> StoreUnderTest {
        StoreUnderTest(testDescription: name, repairsDamage: false) {
            let bench = try AlephBench(options: "payment=\(payment)&pack=4194336")
            return Bench(
                open: { try bench.open() }, damageChunk: { _ in }, damagePad: { _ in },
                remove: { bench.stop() })
        }
    }
}

/// Doubles of nodes, and the store of one account on them.
struct AlephBench: Sendable {
    static let seed = SecretBytes([UInt8](repeating: 0x2A, count: 32))

    let nodes: [NodeDouble]
    let url: StoreURL
    let account: AlephAccount

    /// - Parameters:
    ///   - credits: what the account has.
    ///   - count: nodes; what one has, the others do not learn by themselves.
    init(
        options: String = "", credits: Double = 1e12, count: Int = 1,
        settings: NodeDouble.Settings = NodeDouble.Settings()
    ) throws {
        let nodes = try (0..<count).map { _ in try NodeDouble(settings) }
        url = try StoreURL(
            NodeDouble.storeURL(nodes) + (options.isEmpty ? "" : "&" + options))
        account = try AlephAccount(derivingFrom: Self.seed, chain: .solana)
        self.nodes = nodes
        for node in nodes { node.fund(account.address, credits: credits) }
    }

    /// The store as from a new process.
    func open() throws -> OpenedStores {
        try StoreFactory.open(url, create: true, seed: Self.seed)
    }

    /// The store without the layers that repeat, pace and count.
    func bare(
        now: @escaping @Sendable () -> SuspendingClock.Instant = { .now }
    ) throws -> (network: AlephNetwork, chunks: AlephChunks, pads: AlephPads) {
        guard case .aleph(let address) = url else { preconditionFailure("an Aleph address") }
        let network = try AlephNetwork(address, account: account, now: now)
        return (
            network, AlephChunks(network, packSize: address.packSize), AlephPads(network)
        )
    }

    func stop() {
        for node in nodes { node.stop() }
    }

    /// Processed STORE messages, the packs.
    func packCount(_ node: Int = 0) -> Int { count(.store, .processed, node) }

    /// Messages of a type and a state, as a node has them.
    func count(_ type: MessageType, _ status: NodeLedger.Status, _ node: Int = 0) -> Int {
        nodes[node].ledger.withLock { $0.count(type, status) }
    }

    /// Gives a node all that another one has.
    func spread(from source: Int, to target: Int) {
        let ledger = nodes[source].ledger.withLock { $0 }
        nodes[target].ledger.withLock { $0 = ledger }
    }
}
