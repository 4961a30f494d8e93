// SPDX-License-Identifier: Apache-2.0
//
// Pads on Aleph Cloud: the counter decides, whatever clocks and nodes say.

import Aleph
import AlephNodeDouble
import AlephProtocol
import JSON
import LocalServer
import Primitives
import RemoteStores
import Scratchpads
import Stores
import Synchronization
import TestSupport
import Testing

@testable import AlephStores

@Suite("Pads on Aleph Cloud")
struct AlephPadTests {
    private let pad = WriteCapability(testSeed: 41)

    @Test("a record of a clock that is ahead loses against a larger counter")
    func clocks() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        // From a machine whose clock is 100 years ahead.
        let early = try pad.seal("early", counter: 3)
        let signed = try bench.account.sign(
            PadElement.draft(early), time: 4_950_000_000, channel: nil)
        let json = try #require(signed.envelope.json.object)
        bench.nodes[0].admit(try #require(NodeForm.entry(json, arrival: 1)))
        let pads = try bench.bare().pads
        #expect(try pads.get(pad.address) == early)
        let late = try pad.seal("late", counter: 4)
        #expect(try pads.put(late) == .accepted)
        #expect(try bench.bare().pads.get(pad.address) == late)
        // What the network itself takes for the newest is this one too.
        #expect(try pads.put(early) == .standing(late))
    }

    @Test("records that were passed by are taken back, and the one that stands never is")
    func passed() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        let pads = try bench.bare().pads
        for counter in 1...30 as ClosedRange<UInt64> {
            #expect(try pads.put(try pad.seal("\(counter)", counter: counter)) == .accepted)
            #expect(bench.count(.aggregate, .processed) <= AlephPads.passedLimit + 1)
        }
        #expect(try bench.bare().pads.get(pad.address)?.counter == 30)
    }

    // SEMANTICS: Of machines that offer different content of a pad under one counter at the same
    // moment, through one node, at most one is told that its content stands.
    @Test("different records under one counter at once: one is accepted, and it stands")
    func race() throws {
        for round in 0..<6 as Range<UInt8> {
            let bench = try AlephBench()
            defer { bench.stop() }
            let pad = WriteCapability(testSeed: 100 + round)
            let records = try (0..<3).map { try pad.seal("machine \($0)", counter: 5) }
            let accepted = Mutex<[PadRecord]>([])
            let errors = onThreads(3) { machine in
                let pads = try bench.bare().pads
                let outcome = try pads.put(records[machine])
                if outcome == .accepted { accepted.withLock { $0.append(records[machine]) } }
            }
            #expect(errors.isEmpty, "\(errors)")
            let winners = accepted.withLock { $0 }
            #expect(winners.count <= 1, "round \(round)")
            if let winner = winners.first {
                #expect(try bench.bare().pads.get(pad.address) == winner)
            }
        }
    }

    @Test("who won against a record that stays yields to it")
    func yielding() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        let pads = try bench.bare().pads
        let pair = try [pad.seal("one", counter: 5), pad.seal("two", counter: 5)]
        guard case .fork(let winner, let loser) = settle(ours: pair[0], theirs: pair[1]) else {
            Issue.record("no fork")
            return
        }
        // The loser's machine looked before the winner was there, and counts on its record: it
        // appears between our look and our message.
        let account = bench.account
        let node = bench.nodes[0]
        let isPlanted = Mutex(false)
        node.change { settings in
            settings.intercept = { [weak node] request, _ in
                guard request.method == "POST", let node,
                    !isPlanted.withLock({ planted in
                        defer { planted = true }
                        return planted
                    }),
                    let signed = try? account.sign(
                        PadElement.draft(loser), time: 1_700_000_000, channel: nil),
                    let json = signed.envelope.json.object,
                    let entry = NodeForm.entry(json, arrival: 0)
                else { return nil }
                node.admit(entry)
                return nil
            }
        }
        #expect(try pads.put(winner) == .standing(loser))
        #expect(try bench.bare().pads.get(pad.address) == loser)
    }

    @Test("a node that hides the newest record is seen through by another")
    func hidden() throws {
        let bench = try AlephBench(count: 2)
        defer { bench.stop() }
        let old = try pad.seal("old", counter: 1)
        let new = try pad.seal("new", counter: 2)
        #expect(try bench.bare().pads.put(old) == .accepted)
        bench.spread(from: 0, to: 1)
        let lagging = bench.nodes[0].ledger.withLock { $0 }
        #expect(try bench.bare().pads.put(new) == .accepted)
        bench.spread(from: 0, to: 1)
        bench.nodes[0].ledger.withLock { $0 = lagging }
        let pads = try bench.bare().pads
        #expect(try pads.get(pad.address) == new)
        #expect(try pads.put(try pad.seal("other", counter: 2)) == .standing(new))
    }

    @Test("one node of two is enough")
    func oneNodeDown() throws {
        let bench = try AlephBench(count: 2)
        defer { bench.stop() }
        bench.nodes[0].stop()
        let record = try pad.seal("here", counter: 1)
        let pads = try bench.bare().pads
        #expect(try pads.get(pad.address) == nil)
        #expect(try pads.put(record) == .accepted)
        #expect(try bench.bare().pads.get(pad.address) == record)
    }

    @Test("an answer that is lost leaves one record, and the same offer is accepted after")
    func lostAnswer() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        let pads = try bench.bare().pads
        let record = try pad.seal("text", counter: 1)
        bench.nodes[0].change { settings in
            settings.intercept = { request, _ in
                request.method == "POST" ? NodeDouble.Reply(isCut: true) : nil
            }
        }
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try pads.put(record) }
        bench.nodes[0].change { $0.intercept = nil }
        #expect(try pads.put(record) == .accepted)
        #expect(bench.count(.aggregate, .processed) == 1)
    }

    @Test("damaged and newer records of the account are told apart, and a sound one stands")
    func damage() throws {
        let bench = try AlephBench()
        defer { bench.stop() }
        func admit(_ text: String, _ time: Double) throws {
            let draft = MessageDraft.aggregate(
                key: PadElement.key(pad.address),
                content: JSONObject([
                    ("record", .string(text)), ("tags", [.string(PadElement.key(pad.address))]),
                ]))
            let signed = try bench.account.sign(draft, time: time, channel: nil)
            let json = try #require(signed.envelope.json.object)
            bench.nodes[0].admit(try #require(NodeForm.entry(json, arrival: Int(time))))
        }
        try admit("no base 64!", 1)
        let pads = try bench.bare().pads
        #expect(throws: StoreError.corruptPad(pad.address)) { try pads.get(pad.address) }
        let other = try WriteCapability(testSeed: 42).seal("other", counter: 9)
        try admit(Base64.encode(other.encoded()), 2)
        #expect(throws: StoreError.corruptPad(pad.address)) { try pads.get(pad.address) }
        let record = try pad.seal("sound", counter: 1)
        #expect(try pads.put(record) == .accepted)
        #expect(try pads.get(pad.address) == record)
        var newer = record.encoded()
        newer[4] = 9
        try admit(Base64.encode(newer), 3)
        let error = StoreError.newerFormat(found: 9, supported: 1)
        #expect(throws: error) { try pads.get(pad.address) }
        #expect(throws: error) { try pads.put(try pad.seal("next", counter: 2)) }
    }
}
