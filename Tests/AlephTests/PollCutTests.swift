// SPDX-License-Identifier: Apache-2.0
//
// News by polling, where connections are cut in the middle of an answer.

import AlephNodeDouble
import AlephProtocol
import JSON
import LocalServer
import Synchronization
import TestSupport
import Testing

@testable import Aleph

@Suite("Polls that are cut")
struct PollCutTests {
    @Test("whatever answers are cut, each message is told of once", arguments: 1...12)
    func cut(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let network = try TestNetwork(patience: AlephPatience(rounds: 1))
        defer { network.stop() }
        var feed = MessageFeed(network.client, MessageFilter())
        _ = try feed.poll()
        var sent: [Int] = []
        var told: [Int] = []
        let cuts = Mutex((left: 0, done: 0))
        network.nodes[0].change { settings in
            settings.intercept = { request, reply in
                guard request.target.contains("messages.json") else { return nil }
                let isCut = cuts.withLock { cuts in
                    cuts.left -= 1
                    if cuts.left == 0 { cuts.done += 1 }
                    return cuts.left == 0
                }
                guard isCut else { return nil }
                var reply = reply
                reply.isCut = true
                return reply
            }
        }
        // More than a page, so that a poll can be cut between two of them.
        for round in 0..<4 {
            for _ in 0..<random.below(260) + 1 {
                let number = sent.count
                let signed = try TestAccount.solana.sign(
                    .post(type: "note", content: ["n": .number(JSONNumber(number))]),
                    time: network.client.clock.next(), channel: nil)
                network.nodes[0].admit(try signed.entry(arrival: number))
                sent.append(number)
            }
            cuts.withLock { $0.left = random.below(3) + 1 }
            do {
                told += try feed.poll().compactMap { $0.content["content"]?["n"]?.int }
            } catch {
                guard case .unreachable = error else {
                    Issue.record("seed \(seed), round \(round): \(error)")
                    return
                }
            }
            cuts.withLock { $0.left = 0 }
        }
        told += try feed.poll().compactMap { $0.content["content"]?["n"]?.int }
        #expect(told.sorted() == sent, "seed \(seed)")
        #expect(cuts.withLock { $0.done } > 0, "seed \(seed): nothing was cut")
    }
}
