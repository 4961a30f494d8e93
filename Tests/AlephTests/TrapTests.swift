// SPDX-License-Identifier: Apache-2.0
//
// Answers of nodes that mean something else than they seem to; docs/aleph.md lists all of them.

import Aleph
import AlephNodeDouble
import AlephProtocol
import JSON
import Synchronization
import Testing

struct TrapTests {
    @Test("a message that one of a node's networks did not take is published all the same")
    func warning() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].change { $0.failedNetworks = ["ipfs"] }
        let post = try network.post(["n": 1])
        #expect(try network.client.message(post.hash).stateName == "processed")
    }

    @Test("a message that none of a node's networks took goes to another node, or says so")
    func unpublished() throws {
        let network = try TestNetwork(2, patience: AlephPatience(rounds: 1))
        defer { network.stop() }
        network.nodes[0].change { $0.failedNetworks = ["ipfs", "p2p"] }
        let post = try network.post(["n": 1])
        #expect(network.nodes[1].messageCounts == ["POST": 1])
        #expect(network.nodes[0].messageCounts.isEmpty)
        #expect(try network.client.message(post.hash).stateName == "processed")
        network.nodes[1].change { $0.failedNetworks = ["ipfs", "p2p"] }
        let error = failure { _ = try network.post(["n": 2]) }
        #expect(error?.isTransient == true)
        #expect("\(error as Any)".contains("could not pass the message on"), "\(error as Any)")
    }

    @Test("a message that is removed soon, for want of money, is there until it is")
    func removing() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let post = try network.post(["n": 1])
        func set(_ status: NodeLedger.Status) {
            network.nodes[0].ledger.withLock { $0.entries[post.hash.text]?.status = status }
        }
        set(.removing)
        #expect(try network.client.processedMessage(post.hash).content["content"] == ["n": 1])
        set(.removed)
        #expect(failure { _ = try network.client.processedMessage(post.hash) } != nil)
        #expect(try network.client.message(post.hash).stateName == "removed")
    }
}
