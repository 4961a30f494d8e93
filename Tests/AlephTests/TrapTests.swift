// SPDX-License-Identifier: Apache-2.0
//
// Answers of nodes that mean something else than they seem to; docs/aleph.md lists all of them.

import Aleph
import AlephNodeDouble
import AlephProtocol
import JSON
import LocalServer
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

    @Test(
        "numbers that no account can have are shown as they came",
        arguments: ["-1e300", "-1e15", "-0.5", "-0.0000000001", "1e300", "1e999"])
    func numbers(number: String) throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let account = TestAccount.solana
        let json = "{\"balance\":\(number),\"credit_balance\":\(number),\"cost\":\(number)}"
        network.nodes[0].change { settings in
            settings.intercept = { request, _ in
                let words = ["/balance", "/price/estimate"]
                guard words.contains(where: { request.target.contains($0) }) else {
                    return request.target.contains("add_file") ? .text(402, "") : nil
                }
                return NodeDouble.Reply(body: Array(json.utf8))
            }
        }
        for payment in [StorePayment.hold, .credit] {
            let error = failure {
                _ = try network.client.store(
                    AlephSource([1, 2, 3]), plan: StorePlan(payment: payment), by: account
                ) { StoreDraft(file: $0) }
            }
            guard case .paymentRequired? = error else {
                Issue.record("\(error as Any)")
                return
            }
            #expect("\(error as Any)".contains(number.prefix(1)))
        }
        let rejection = Rejection(
            code: 5, shortage: Shortage(unit: .aleph, available: number, required: "-" + number))
        #expect("\(rejection)".contains(number))
        #expect(Shortage.text(-0.5) == "-0.5" && Shortage.text(.nan) == "nan")
        #expect(Shortage.text(0) == "0" && Shortage.text(999_999.25) == "999999.25")
    }
}
