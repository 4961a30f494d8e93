// SPDX-License-Identifier: Apache-2.0
//
// The Autonomi store against a daemon that refuses, lies, has no money, or is another one.

import AntdDouble
import Cryptography
import Foundation
import Primitives
import RemoteStores
import Scratchpads
import Stores
import Testing

/// A daemon and a store on it.
private struct Setting {
    static let pointer = String(repeating: "5c", count: 32)

    let daemon: AntdDouble
    let address: AutonomiAddress

    init(
        _ options: String = "", _ prepare: (inout AntdDouble.State) -> Void = { _ in }
    ) throws {
        daemon = try AntdDouble { state in
            state.keys = [Setting.pointer]
            prepare(&state)
        }
        guard
            case .autonomi(let address) = try StoreURL(
                "autonomi://127.0.0.1:\(daemon.port)\(options)")
        else { throw CocoaError(.featureUnsupported) }
        self.address = address
    }

    func store(_ budget: SpendingBudget? = nil) -> AutonomiStore {
        AutonomiStore(address, budget: budget, portFile: nil)
    }

    func pads() throws -> AutonomiPads {
        AutonomiPads(store(), pointer: try #require(PublicAddressText(Self.pointer)))
    }

    var paidChunks: [String] { daemon.change { $0.paidChunks } }
}

@Suite("Chunks on Autonomi")
struct AutonomiStoreTests {
    private let chunk = TestChunk(seed: 61, count: 5000)

    @Test("a chunk is paid for once, however often it is put")
    func paidOnce() throws {
        let setting = try Setting()
        defer { setting.daemon.stop() }
        let store = setting.store()
        for _ in 0..<3 { try store.put(chunk.digest, chunk.bytes) }
        // Another process knows nothing of the first.
        try setting.store().put(chunk.digest, chunk.bytes)
        setting.daemon.change { $0.refusesStanding = true }
        try setting.store().put(chunk.digest, chunk.bytes)
        #expect(setting.paidChunks == [chunk.digest.hex])
        #expect(setting.daemon.change { $0.paid } == 10)
        #expect(try store.get(chunk.digest) == chunk.bytes)
    }

    @Test("sixteen threads put and get at once")
    func parallel() throws {
        let setting = try Setting()
        defer { setting.daemon.stop() }
        let store = setting.store()
        let errors = onThreads(16) { thread in
            for index in 0..<10 {
                let chunk = TestChunk(seed: UInt64(thread * 100 + index), count: 3000)
                try store.put(chunk.digest, chunk.bytes)
                #expect(try store.get(chunk.digest) == chunk.bytes)
            }
        }
        #expect(errors.isEmpty && setting.paidChunks.count == 160)
    }

    @Test("bytes that the address does not name are never handed over")
    func corrupt() throws {
        let setting = try Setting()
        defer { setting.daemon.stop() }
        let other = Array("other".utf8)
        setting.daemon.change { $0.chunks[chunk.digest.hex] = other }
        let error = StoreError.corrupt(wanted: chunk.digest, got: Digests.of(other))
        #expect(throws: error) { try setting.store().get(chunk.digest) }
        #expect(try setting.store().has([chunk.digest]) == [chunk.digest])
    }

    @Test("a chunk of the older generation is got by its own digest, and none is put by it")
    func olderGeneration() throws {
        let setting = try Setting()
        defer { setting.daemon.stop() }
        let old = TestChunk(chunk.bytes, algorithm: .sha3)
        setting.daemon.change { $0.chunks[old.digest.hex] = old.bytes }
        #expect(try setting.store().get(old.digest) == old.bytes)
        let asNew = try #require(Digest(hex: old.digest.hex, algorithm: .blake3))
        #expect(throws: StoreError.missing(asNew)) { try setting.store().get(asNew) }
        #expect(throws: StoreError.refused("the network names chunks by BLAKE3 alone")) {
            try setting.store().put(old.digest, old.bytes)
        }
    }

    @Test(
        "each refusal of the daemon is the cause it stands for",
        arguments: [
            (404, "NOT_FOUND", StoreError.missing(TestChunk(seed: 61, count: 5000).digest)),
            (400, "BAD_REQUEST", .refused("the daemon's answer is 400")),
            (413, "TOO_LARGE", .tooLarge), (402, "PAYMENT_REQUIRED", .paymentRequired),
            (429, "", .busy(retryAfter: .seconds(7))),
            (500, "", .unreachable(retryAfter: .seconds(7))),
            (502, "NETWORK_ERROR", .unreachable(retryAfter: .seconds(7))),
            (503, "SERVICE_UNAVAILABLE", .unreachable(retryAfter: .seconds(7))),
            (504, "TIMEOUT", .unreachable(retryAfter: .seconds(7))),
            (501, "", .refused("the daemon's answer is 501")),
        ])
    func refusals(status: Int, code: String, error: StoreError) throws {
        let setting = try Setting()
        defer { setting.daemon.stop() }
        setting.daemon.change { $0.faults = [.refuse(status, code, retryAfter: 7)] }
        #expect(throws: error) { try setting.store().get(chunk.digest) }
    }

    @Test("an answer that was lost, and one that is no daemon's, leave the chunk to be put again")
    func lostAnswer() throws {
        let setting = try Setting()
        defer { setting.daemon.stop() }
        let store = setting.store()
        setting.daemon.change { $0.faults = [.hangUp(afterDoing: true)] }
        #expect(throws: StoreError.unreachable(retryAfter: nil)) {
            try store.put(chunk.digest, chunk.bytes)
        }
        try store.put(chunk.digest, chunk.bytes)
        #expect(setting.paidChunks.count == 1)
        setting.daemon.change { $0.faults = [.nonsense] }
        #expect(throws: StoreError.refused("what answers there is not the network's daemon")) {
            try store.get(chunk.digest)
        }
        setting.daemon.change { $0.liesAboutAddresses = true }
        let next = TestChunk(seed: 62)
        #expect(throws: StoreError.self) { try store.put(next.digest, next.bytes) }
    }

    @Test("a daemon without money says what it wants and what it has")
    func noMoney() throws {
        let setting = try Setting { state in
            state.balance = 4
            state.chunkPrice = 2_500_000_000_000_000_000
        }
        defer { setting.daemon.stop() }
        let sentence =
            "the network wants 2.5 tokens for a chunk, and the daemon's wallet has"
            + " 0.000000000000000004"
        #expect(throws: StoreError.unpaid(sentence)) {
            try setting.store().put(chunk.digest, chunk.bytes)
        }
        setting.daemon.change { $0.balance = nil }
        #expect(
            throws: StoreError.unpaid("the daemon has no wallet to pay from; start it with one")
        ) { try setting.store().put(chunk.digest, chunk.bytes) }
    }

    @Test("a daemon on another network gets nothing, and one that comes back is asked again")
    func otherNetwork() throws {
        let setting = try Setting("?network=mainnet")
        defer { setting.daemon.stop() }
        let store = setting.store()
        let sentence =
            "the daemon is on the network “test-network”, and this volume rests on “mainnet”"
        #expect(throws: StoreError.notAStore(sentence)) {
            try store.put(chunk.digest, chunk.bytes)
        }
        #expect(throws: StoreError.notAStore(sentence)) { try store.get(chunk.digest) }
        #expect(setting.paidChunks.isEmpty)
        setting.daemon.change { $0.network = "mainnet" }
        try store.put(chunk.digest, chunk.bytes)
    }

    @Test("what may be spent is never passed, and a restart forgets nothing")
    func budget() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let setting = try Setting()
        defer { setting.daemon.stop() }
        let path = folder.path + "/spent"
        func budget() throws -> SpendingBudget {
            try SpendingBudget(limit: TokenAmount(25), path: path)
        }
        let chunks = (0..<4).map { TestChunk(seed: 70 + $0) }
        try setting.store(try budget()).put(chunks[0].digest, chunks[0].bytes)
        let store = setting.store(try budget())
        // It is there: nothing is set aside for it.
        try store.put(chunks[0].digest, chunks[0].bytes)
        try store.put(chunks[1].digest, chunks[1].bytes)
        for _ in 0..<2 {
            #expect(throws: StoreError.self) { try store.put(chunks[2].digest, chunks[2].bytes) }
        }
        do {
            try store.put(chunks[3].digest, chunks[3].bytes)
        } catch {
            #expect("\(error)".contains("spending limit of 0.000000000000000025 tokens"))
        }
        #expect(setting.daemon.change { $0.paid } == 20)
        #expect(try budget().spent == TokenAmount(20))
        try Data("many".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: StoreError.self) { try budget() }
    }

    @Test("prices and gas are asked without anything being stored, in the way the address names")
    func prices() throws {
        let setting = try Setting("?payment_mode=merkle")
        defer { setting.daemon.stop() }
        let prices = try #require(AutonomiPrices(.autonomi(setting.address)))
        let quote = try prices.price(of: chunk.bytes)
        #expect(quote.amount == TokenAmount(10) && !quote.isStored)
        #expect(try prices.gas(for: chunk.bytes) == TokenAmount(7))
        try setting.store().put(chunk.digest, chunk.bytes)
        #expect(try prices.price(of: chunk.bytes).isStored)
        setting.daemon.change { $0.faults = [.refuse(404, "NOT_FOUND")] }
        #expect(try prices.gas(for: chunk.bytes) == nil)
        #expect(setting.daemon.change { $0.paid } == 10)
        #expect(AutonomiPrices(.folder(path: "/x")) == nil)
    }

    @Test("the daemon is found by the port it has written down, also after it moved")
    func discovery() throws {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        let path = folder.path + "/daemon.port"
        let first = try AntdDouble()
        try Data("\(first.port)\n50051\n".utf8).write(to: URL(fileURLWithPath: path))
        let store = AutonomiStore(AutonomiAddress(), budget: nil, portFile: path)
        try store.put(chunk.digest, chunk.bytes)
        first.stop()
        let second = try AntdDouble()
        defer { second.stop() }
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try store.get(chunk.digest) }
        try Data("\(second.port)\n50051\n".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: StoreError.missing(chunk.digest)) { try store.get(chunk.digest) }
    }

    @Test("sums are read, added and shown exactly")
    func amounts() throws {
        let sum = try #require(TokenAmount("1500000000000000000"))
        #expect(sum.tokens == "1.5" && TokenAmount.zero.tokens == "0")
        #expect(TokenAmount(1).tokens == "0.000000000000000001")
        #expect((sum + sum).tokens == "3" && (sum * 4).text == "6000000000000000000")
        #expect(TokenAmount(.max) + sum == TokenAmount(.max))
        for text in ["", "-1", "1.5", "0x1", String(repeating: "9", count: 40)] {
            #expect(TokenAmount(text) == nil, "\(text)")
        }
    }
}

@Suite("Pads on Autonomi")
struct AutonomiPadsTests {
    private let pad = WriteCapability(testSeed: 51)
    private let other = WriteCapability(testSeed: 52)

    @Test("each change moves the pointer to a chunk that lists all pads")
    func pointer() throws {
        let setting = try Setting()
        defer { setting.daemon.stop() }
        let pads = try setting.pads()
        #expect(try AutonomiPads.availablePointer(setting.store())?.text == Setting.pointer)
        #expect(try pads.put(try pad.seal("one", counter: 1)) == .accepted)
        let large = try other.seal(String(repeating: "x", count: 9000), counter: 4)
        #expect(try pads.put(large) == .accepted)
        #expect(try pads.put(try pad.seal("two", counter: 2)) == .accepted)
        let standing = try #require(setting.daemon.change { $0.pointers[Setting.pointer] })
        #expect(standing.counter == 2 && standing.kind == "chunk")
        #expect(setting.daemon.change { $0.chunks[standing.target] != nil })
        // Another machine has nothing but the pointer's address.
        let again = try setting.pads()
        #expect(try again.get(pad.address)?.counter == 2)
        #expect(try again.get(other.address) == large)
    }

    @Test("a daemon without the key, without pointers or without money is said so")
    func refused() throws {
        let setting = try Setting()
        defer { setting.daemon.stop() }
        let record = try pad.seal("one", counter: 1)
        setting.daemon.change { $0.keys = [] }
        #expect(
            throws: StoreError.refused("the daemon does not have the key of this volume's pointer")
        ) { try setting.pads().put(record) }
        setting.daemon.change { $0.keys = nil }
        #expect(try AutonomiPads.availablePointer(setting.store()) == nil)
        setting.daemon.change { state in
            state.keys = [Setting.pointer]
            state.balance = 2
        }
        #expect(
            throws: StoreError.unpaid("the network wants to be paid for the change of a pointer")
        ) { try setting.pads().put(record) }
        #expect(try setting.pads().get(pad.address) == nil)
    }

    @Test("a pointer that leads elsewhere is nobody's list of pads")
    func foreignPointer() throws {
        let setting = try Setting()
        defer { setting.daemon.stop() }
        let bytes = Array("something else".utf8)
        let address = Digests.of(bytes).hex
        _ = try setting.pads().put(try other.seal("x", counter: 1))
        setting.daemon.change { state in
            state.chunks[address] = bytes
            state.pointers[Setting.pointer]?.target = address
        }
        #expect(throws: StoreError.self) { try setting.pads().get(pad.address) }
        let record = try pad.seal("one", counter: 1)
        #expect(throws: StoreError.self) { try setting.pads().put(record) }
        setting.daemon.change { $0.pointers[Setting.pointer]?.kind = "pointer" }
        #expect(throws: StoreError.self) { try setting.pads().get(pad.address) }
    }

    @Test("a new volume writes down the network and the pointer it rests on")
    func settled() throws {
        let setting = try Setting()
        defer { setting.daemon.stop() }
        let settled = try StoreFactory.settled(.autonomi(setting.address), hasOtherPads: false)
        #expect(
            settled.text == "autonomi://127.0.0.1:\(setting.daemon.port)?network=test-network"
                + "&pointer=\(Setting.pointer)")
        #expect(try StoreURL(settled.text) == settled)
        setting.daemon.change { $0.keys = nil }
        #expect(throws: StoreError.self) {
            try StoreFactory.settled(.autonomi(setting.address), hasOtherPads: false)
        }
        let apart = try StoreFactory.settled(.autonomi(setting.address), hasOtherPads: true)
        let stores = try StoreFactory.open(apart, create: false)
        #expect(
            throws: StoreError.refused("it keeps chunks only; name another store for the pads")
        ) { try stores.pads.get(pad.address) }
    }

    @Test(
        "an address that is none is refused",
        arguments: [
            "autonomi://host:0", "autonomi://host:70000", "autonomi://a/b", "autonomi://h?x=1",
            "autonomi://h?network=", "autonomi://h?pointer=abc", "autonomi://h?network=a&network=a",
            "autonomi://h?payment_mode=never", "autonomi://user@host",
        ])
    func addresses(text: String) {
        #expect(throws: StoreURLError.malformed) { try StoreURL(text) }
    }

    @Test(
        "an address comes back from its text",
        arguments: [
            "autonomi://127.0.0.1", "autonomi://localhost:8082",
            "autonomi://[::1]:9?network=default&payment_mode=merkle",
        ])
    func addressText(text: String) throws {
        #expect(try StoreURL(text).text == text)
        #expect(try StoreURL("autonomi:").text == "autonomi://127.0.0.1")
    }
}
