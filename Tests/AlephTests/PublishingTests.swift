// SPDX-License-Identifier: Apache-2.0
//
// What the client sends, against a double of a node.

import Aleph
import AlephNodeDouble
import AlephProtocol
import Foundation
import HTTP
import JSON
import LocalServer
import Synchronization
import Testing

struct PublishingTests {
    private let account = TestAccount.solana

    @Test("each kind of message is processed, and read back as it was signed")
    func kinds() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        for account in [TestAccount.solana, TestAccount.ethereum] {
            let post = try network.client.publish(
                .post(type: "note", content: ["n": 1]), by: account)
            let amend = try network.client.publish(
                .amend(original: post.hash, content: ["n": 2]), by: account)
            let element = try network.client.publish(
                .aggregate(key: "k", content: JSONObject([("a", 1)])), by: account)
            for signed in [post, amend, element] {
                let message = try network.client.processedMessage(signed.hash)
                #expect(message.envelope.itemContent == signed.envelope.itemContent)
                #expect(message.owner == account.address)
            }
            let forget = try network.client.publish(.forget([post.hash]), by: account)
            #expect(throws: AlephError.forgotten) {
                try network.client.processedMessage(post.hash)
            }
            #expect(try network.client.message(post.hash).stateName == "forgotten")
            #expect(try network.client.processedMessage(forget.hash).type == .forget)
        }
    }

    @Test("no request tells a node to wait, and a message sent twice costs no waiting")
    func noWaiting() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].change { settings in
            settings.syncWait = .seconds(30)
            settings.intercept = { request, reply in
                let body = String(decoding: request.body, as: UTF8.self)
                return body.contains("\"sync\":true") ? .text(599, "sync") : reply
            }
        }
        let post = try network.post(["n": 1])
        let start = ContinuousClock.now
        try network.client.publish(post.envelope)
        #expect(ContinuousClock.now - start < .seconds(10))
        _ = try network.client.publish(.forget([post.hash]), by: account)
        #expect(throws: AlephError.forgotten) { try network.client.publish(post.envelope) }
    }

    @Test("a rejection has its code and the node's numbers")
    func rejections() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let post = try network.post(1)
        let amend = try network.client.publish(
            .amend(original: post.hash, content: 2), by: account)
        func rejection(
            _ draft: MessageDraft, by account: AlephAccount? = nil, for owner: String? = nil
        )
            throws -> Rejection
        {
            let error = failure {
                _ = try network.client.publish(draft, by: account ?? self.account, for: owner)
            }
            guard case .rejected(let rejection)? = error else { throw AlephError.notFound }
            return rejection
        }
        #expect(try rejection(.amend(original: amend.hash, content: 3)).code == 102)
        let forget = try network.client.publish(.forget([amend.hash]), by: account)
        #expect(try rejection(.forget([forget.hash])).code == 502)
        let other = TestAccount.numbered(8)
        let foreign = try rejection(.post(type: "t", content: 1), by: other, for: account.address)
        #expect(foreign.code == 2)
        #expect(foreign.detail?.contains("not authorized") == true)
        #expect(!foreign.isQuota)

        let file = ItemHash(sha256Of: [1, 2, 3])
        network.nodes[0].plant([1, 2, 3], as: file.text)
        let credit = try rejection(.store(StoreDraft(file: file, payment: .credit)))
        #expect(credit.code == 6)
        #expect(credit.isQuota)
        #expect(credit.shortage?.available == "0.0")
        #expect(credit.shortage?.unit == .credits)
        #expect((credit.shortage?.missing ?? 0) > 107.8)
        #expect("\(AlephError.rejected(credit))".contains("short by 107.80"))
        // The first small file passes unpaid, the second does not.
        _ = try network.client.publish(.store(StoreDraft(file: file)), by: account)
        let tokens = try rejection(.store(StoreDraft(file: file)))
        #expect(tokens.code == 5)
        #expect(tokens.shortage?.unit == .aleph)
        #expect(AlephError.rejected(tokens).isQuota)
    }

    @Test("an upload that is not paid for says what the account has and needs")
    func unpaid() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].fund(account.address, tokens: 0.5, credits: 5)
        let file = AlephSource([UInt8](repeating: 1, count: 3 << 20))
        func shortage(_ plan: StorePlan) throws -> Shortage {
            let error = failure {
                _ = try network.client.store(file, plan: plan, by: account) { StoreDraft(file: $0) }
            }
            guard case .paymentRequired(let shortage)? = error else { throw AlephError.notFound }
            return shortage
        }
        let tokens = try shortage(StorePlan())
        #expect(tokens.unit == .aleph)
        #expect(tokens.available == "0.5")
        #expect(tokens.required.flatMap { Double($0) } == 1)
        #expect("\(AlephError.paymentRequired(tokens))".contains("short by 0.5"))
        let credits = try shortage(StorePlan(payment: .credit))
        #expect(credits.unit == .credits)
        #expect(credits.available == "5")
        #expect((credits.missing ?? 0) > 102)
    }

    @Test("files are stored in both engines, paid and unpaid, and read back by their names")
    func files() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].fund(account.address, tokens: 1000, credits: 1_000_000)
        let bytes = (0..<400_000).map { UInt8(truncatingIfNeeded: $0 * 31 + ($0 >> 8)) }
        let plans = [
            StorePlan(), StorePlan(engine: .ipfs), StorePlan(payment: .credit),
            StorePlan(engine: .ipfs, isUnpaid: true),
        ]
        for plan in plans {
            let signed = try network.client.store(
                AlephSource(bytes), plan: plan, by: account
            ) { name in
                StoreDraft(file: name, tags: ["t"], metadata: JSONObject([("name", "a.bin")]))
            }
            let message = try network.client.processedMessage(signed.hash)
            #expect(message.content["metadata"]?["name"] == "a.bin")
            #expect(message.content["payment"]?["type"]?.string == plan.payment?.rawValue)
            let name = try #require(message.content["item_hash"]?.string.flatMap { ItemHash($0) })
            #expect(name.type == (plan.engine == .ipfs ? .ipfs : .storage))
            #expect(try network.client.file(name, limit: 1 << 20) == bytes)
            #expect(try network.client.fileSize(name) == bytes.count)
        }
    }

    @Test("a file above the node's own limit is not sent at all")
    func limit() throws {
        var settings = NodeDouble.Settings()
        settings.storageLimit = 1000
        settings.unkeptLimit = 500
        let network = try TestNetwork(settings: settings)
        defer { network.stop() }
        network.nodes[0].fund(account.address, tokens: 1000)
        func store(_ size: Int, _ plan: StorePlan) throws {
            let file = AlephSource([UInt8](repeating: 1, count: size))
            _ = try network.client.store(file, plan: plan, by: account) { StoreDraft(file: $0) }
        }
        try store(1000, StorePlan())
        #expect(throws: AlephError.tooLarge(limit: 1000)) { try store(1001, StorePlan()) }
        let unpaid = StorePlan(engine: .ipfs, isUnpaid: true)
        try store(500, unpaid)
        #expect(throws: AlephError.tooLarge(limit: 500)) { try store(501, unpaid) }
        let posts = network.nodes[0].questions.filter { $0.hasPrefix("POST") }
        #expect(posts.count == 3)
        // Asked for once, and remembered.
        let asked = network.nodes[0].questions.filter { $0.contains("limits.json") }
        #expect(asked.count == 1)
    }

    @Test("a source that cannot be read stores nothing")
    func unreadable() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        network.nodes[0].fund(account.address, tokens: 1000)
        let reads = Mutex(0)
        for failsAt in [1, 2] {
            reads.withLock { $0 = 0 }
            let source = AlephSource(size: 100) { _, _ in
                let count = reads.withLock { count in
                    count += 1
                    return count
                }
                return count == failsAt ? nil : [UInt8](repeating: 1, count: 100)
            }
            #expect(throws: AlephError.self) {
                try network.client.store(source, by: account) { StoreDraft(file: $0) }
            }
        }
        #expect(network.nodes[0].ledger.withLock { $0.entries.isEmpty })
    }

    @Test("a content too large for its message goes beside it")
    func beside() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        let text = String(repeating: "é", count: 60_000)
        let signed = try network.post(.string(text))
        #expect(signed.envelope.itemType == .storage)
        let message = try network.client.processedMessage(signed.hash)
        #expect(message.content["content"]?.string == text)
    }

    @Test("a message that stays pending is waited for, and then given up by its name")
    func pending() throws {
        let network = try TestNetwork(
            patience: AlephPatience(rounds: 1, processing: .seconds(10)))
        defer { network.stop() }
        network.nodes[0].change { $0.pendingLooks = 3 }
        _ = try network.post(1)
        #expect(network.clock.waits.count == 3)
        network.nodes[0].change { $0.pendingLooks = 1000 }
        guard case .stillPending(let hash)? = failure({ _ = try network.post(2) }) else {
            Issue.record("a pending message is no success")
            return
        }
        #expect(try network.client.message(hash).stateName == "pending")
    }

    @Test("times grow with each message, though the clock stands still or goes back")
    func growing() throws {
        let network = try TestNetwork()
        defer { network.stop() }
        var last = 0.0
        for round in 0..<50 {
            if round % 10 == 9 { network.clock.move(by: -100) }
            let signed = try network.post(1)
            let time = try VerifiedMessage(signed.envelope).time
            #expect(time > last)
            last = time
        }
        // A message that must beat another machine's does, without moving the times of others.
        let ahead = try network.set("k", JSONObject([("a", 1)]), after: last + 1_000_000)
        #expect(try VerifiedMessage(ahead.envelope).time > last + 1_000_000)
        let next = try VerifiedMessage(try network.post(1).envelope).time
        #expect(next > last && next < last + 1000)
    }

    @Test("a thousand small files go in parallel, and none waits for a node to be told to wait")
    func thousand() throws {
        let node = try NodeDouble()
        defer { node.stop() }
        node.fund(account.address, tokens: 1000)
        let meeting = UploadMeeting(of: 8, at: node)
        let client = AlephClient(
            nodes: [try node.address],
            over: AlephHTTPTransport(HTTPClient(HTTPClient.Configuration(userAgent: "test"))))
        let failures = Mutex<[any Error]>([])
        // Threads of its own: tests share only as many as there are processors.
        let lanes = DispatchGroup()
        for lane in 0..<8 {
            lanes.enter()
            Thread.detachNewThread { [account] in
                defer { lanes.leave() }
                do {
                    for index in 0..<125 {
                        let file = AlephSource(Array("file \(lane) \(index)".utf8))
                        _ = try client.store(file, by: account) { StoreDraft(file: $0) }
                    }
                } catch {
                    failures.withLock { $0.append(error) }
                }
            }
        }
        lanes.wait()
        #expect(failures.withLock { $0.count } == 0)
        #expect(node.storeCount == 1000)
        #expect(meeting.isMet, "they went one after the other")
        #expect(!meeting.wasToldToWait)
        // A file is handed over, and what became of it asked for: once, where it is done at once.
        #expect(node.questions.count { $0.contains("/add_file") } == 1000)
        #expect(node.questions.count < 2100)
    }

    @Test("times of many threads are all different, even at the end of what doubles part")
    func threads() async {
        let clock = ContentClock(now: { 9_000_000_000 })
        let times = await withTaskGroup(of: [Double].self) { group in
            for _ in 0..<8 { group.addTask { (0..<2000).map { _ in clock.next() } } }
            return await group.reduce(into: []) { $0 += $1 }
        }
        #expect(Set(times).count == 16_000)
        #expect(clock.next(after: 1e15) > 1e15)
    }
}
