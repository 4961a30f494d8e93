// SPDX-License-Identifier: Apache-2.0
//
// Files in parts: the manifest and its limits, storing, reading as one.

import AlephNodeDouble
import AlephProtocol
import Cryptography
import JSON
import LocalServer
import Synchronization
import TestSupport
import Testing

@testable import Aleph

/// The name of a part.
private let manyParts = String(repeating: "a", count: 64)

@Suite("Large files")
struct LargeFileTests {
    private static let digest = [UInt8](repeating: 7, count: 32)

    private func part(_ number: Int) -> ItemHash { ItemHash(sha256Of: [UInt8(number)]) }

    private func manifest(
        size: Int = 25, partSize: Int = 10, parts: Int = 3, name: String? = "film.mkv"
    ) throws -> LargeFileManifest {
        try LargeFileManifest(
            name: name, size: size, sha256: Self.digest, partSize: partSize,
            parts: (0..<parts).map(part))
    }

    @Test("a manifest is read as it was written, and this is how it is written")
    func frozen() throws {
        let manifest = try manifest()
        #expect(try LargeFileManifest(manifest.content) == manifest)
        let parts = (0..<3).map { "\"\(part($0))\"" }.joined(separator: ",")
        let digest = String(repeating: "07", count: 32)
        #expect(
            manifest.content.text(.compactASCII).filter { $0 != " " } == """
                {"version":1,"name":"film.mkv","size":25,"sha256":"\(digest)","part_size":10,\
                "parts":[\(parts)],"tags":["cairn-large-file"]}
                """)
        #expect(try LargeFileManifest(self.manifest(name: nil).content).name == nil)
    }

    /// One field of a manifest, shown short: whole values of this table are hundreds of kilobytes.
    struct HostileField: Sendable, CustomTestStringConvertible {
        let name: String
        let value: JSONValue

        var testDescription: String {
            let text = value.text(.compactASCII)
            return "\(name): " + (text.count > 40 ? "\(text.prefix(40))…" : text)
        }
    }

    @Test(
        "a hostile manifest is refused, with the field that is wrong",
        arguments: ([
            ("version", .number(JSONNumber(2))), ("version", .null), ("size", .string("25")),
            ("size", .number(JSONNumber(20))), ("size", .number(JSONNumber(31))),
            ("size", .number(JSONNumber(-1))), ("size", .number(JSONNumber(Int.max))),
            ("part_size", .number(JSONNumber(0))), ("part_size", .number(JSONNumber(Int.max))),
            ("part_size", .number(JSONNumber((100 << 20) + 1))), ("sha256", .string("07")),
            ("sha256", .null), ("parts", []), ("parts", ["x"]), ("parts", .null),
            ("parts", .array(Array(repeating: .string(manyParts), count: 10_001))),
            ("name", .string("a/b")), ("name", .string("..")), ("name", .string("")),
            ("name", .string("a\u{0}b")), ("name", .string(String(repeating: "n", count: 256))),
            ("name", .bool(true)),
        ] as [(String, JSONValue)]).map { HostileField(name: $0.0, value: $0.1) })
    func hostile(hostile: HostileField) throws {
        let field = hostile.name
        var content = try #require(try manifest().content.object)
        content[field] = hostile.value
        #expect {
            _ = try LargeFileManifest(.object(content))
        } throws: { error in
            // What a part's size means for the whole is told of the one or the other.
            error as? AlephProtocolError == .malformed(field: field)
                || (field == "parts" && error as? AlephProtocolError == .malformed(field: "size"))
        }
    }

    @Test("any range is the same bytes as in the whole")
    func pieces() throws {
        var dice = SeededGenerator(seed: 81)
        for _ in 0..<300 {
            let partSize = Int.random(in: 1...20, using: &dice)
            let size = Int.random(in: 1...100, using: &dice)
            let count = (size + partSize - 1) / partSize
            let manifest = try manifest(size: size, partSize: partSize, parts: count)
            let whole = Array(0..<size)
            let start = Int.random(in: 0...size + 5, using: &dice)
            let range = start..<start + Int.random(in: 0...40, using: &dice)
            let found = manifest.pieces(of: range).flatMap { piece in
                Array(whole[(piece.part * partSize)...].prefix(manifest.size(ofPart: piece.part)))[
                    piece.range]
            }
            #expect(found == Array(whole[range.clamped(to: 0..<size)]))
        }
    }

    private func source(_ bytes: [UInt8]) -> AlephSource { AlephSource(bytes) }

    private func stored(
        _ bytes: [UInt8], in network: TestNetwork, partSize: Int = 1000
    ) throws -> LargeFile {
        let signed = try network.client.storeLarge(
            source(bytes), name: "film.mkv", plan: StorePlan(payment: .credit),
            by: TestAccount.solana, partSize: partSize)
        return try network.client.largeFile(try network.client.processedMessage(signed.hash))
    }

    private func network() throws -> TestNetwork {
        let network = try TestNetwork()
        network.nodes[0].fund(TestAccount.solana.address, credits: 1e12)
        return network
    }

    @Test("a file is stored in parts and read as one, whole or in ranges")
    func roundTrip() throws {
        let network = try network()
        defer { network.stop() }
        var dice = SeededGenerator(seed: 82)
        for size in [1, 999, 1000, 1001, 5432] {
            let bytes = dice.bytes(size)
            let file = try stored(bytes, in: network)
            #expect(file.manifest.parts.count == (size + 999) / 1000)
            var whole: [UInt8] = []
            try file.forEachPart { part in
                whole += part
                return true
            }
            #expect(whole == bytes)
            for _ in 0..<20 {
                let offset = Int.random(in: 0...size + 3, using: &dice)
                let count = Int.random(in: 0...2500, using: &dice)
                #expect(
                    try file.read(at: offset, count: count)
                        == Array(bytes.dropFirst(offset).prefix(count)))
            }
            #expect(try file.read(at: -1, count: 5).isEmpty)
            #expect(try file.read(at: 0, count: .max) == bytes)
        }
    }

    @Test("parts are never larger than the node takes")
    func nodesLimit() throws {
        var settings = NodeDouble.Settings()
        settings.storageLimit = LargeFilePlan.minimumNodeLimit
        var network = try TestNetwork(settings: settings)
        network.nodes[0].fund(TestAccount.solana.address, credits: 1e12)
        let bytes = [UInt8](repeating: 3, count: 3 << 20)
        let file = try stored(bytes, in: network, partSize: 2 << 20)
        #expect(file.manifest.partSize == 1 << 20 && file.manifest.parts.count == 3)
        network.stop()
        // A node that takes next to nothing would have each byte paid as a part.
        settings.storageLimit -= 1
        network = try TestNetwork(settings: settings)
        defer { network.stop() }
        network.nodes[0].fund(TestAccount.solana.address, credits: 1e12)
        #expect(
            failure { _ = try stored(bytes, in: network) }
                == .tooLarge(limit: LargeFilePlan.minimumNodeLimit - 1))
        #expect(!network.nodes[0].questions.contains { $0.contains("add_file") })
    }

    @Test("only a message that makes it a part keeps a part, and only while it stays")
    func keeping() throws {
        let network = try network()
        defer { network.stop() }
        var dice = SeededGenerator(seed: 85)
        let bytes = dice.bytes(2000)
        // A file of the user's with the bytes of a part: to be removed by its user.
        let small = try network.client.store(
            source(Array(bytes.prefix(1000))), plan: StorePlan(payment: .credit),
            by: TestAccount.solana
        ) { StoreDraft(file: $0) }
        let file = try stored(bytes, in: network)
        _ = try network.client.publish(.forget([small.hash]), by: TestAccount.solana)
        #expect(try file.read(at: 0, count: 2000) == bytes)
        // What is being removed for want of money is listed, and will be gone.
        func uploads() -> Int { network.nodes[0].questions.count { $0.contains("add_file") } }
        let before = uploads()
        _ = try stored(bytes, in: network)
        #expect(uploads() == before)
        network.nodes[0].ledger.withLock { ledger in
            ledger.change(.store, from: .processed, to: .removing)
        }
        _ = try stored(bytes, in: network)
        #expect(uploads() == before + 2)
    }

    @Test("a file that is not wanted any more ends between two parts")
    func unwanted() throws {
        let network = try network()
        defer { network.stop() }
        let stored = Mutex(0)
        var plan = LargeFilePlan(name: nil, plan: StorePlan(payment: .credit))
        plan.partSize = 1000
        plan.stored = { _, _ in stored.withLock { $0 += 1 } }
        plan.isWanted = { stored.withLock { $0 } < 2 }
        var dice = SeededGenerator(seed: 86)
        let file = source(dice.bytes(5000))
        #expect(
            failure { _ = try network.client.storeParts(of: file, plan, by: TestAccount.solana) }
                == .cancelled)
        #expect(stored.withLock { $0 } == 2)
    }

    @Test("a node that sends more than a part has is not believed, and another one is asked")
    func tooMuch() throws {
        let network = try TestNetwork(2)
        defer { network.stop() }
        network.nodes[0].fund(TestAccount.solana.address, credits: 1e12)
        var dice = SeededGenerator(seed: 87)
        let bytes = dice.bytes(1500)
        let file = try stored(bytes, in: network)
        network.spread()
        let part = file.manifest.parts[0]
        network.nodes[0].plant([UInt8](repeating: 6, count: 5000), as: part.text)
        #expect(try file.read(at: 0, count: 1000) == Array(bytes.prefix(1000)))
        let taken = Mutex<[UInt8]>([])
        func download() throws {
            try network.client.download(
                part, limit: 1000, restart: { taken.withLock { $0 = [] } },
                into: { piece in
                    taken.withLock { taken in
                        for index in piece.indices { taken.append(piece[index]) }
                    }
                    return true
                })
        }
        try download()
        #expect(taken.withLock { $0 } == Array(bytes.prefix(1000)))
        network.nodes[1].plant([UInt8](repeating: 6, count: 5000), as: part.text)
        guard case .untrue? = failure(download) else {
            Issue.record("believed")
            return
        }
        #expect(taken.withLock { $0.count } <= 1000)
    }

    @Test("what was interrupted is gone on with: no part is stored twice")
    func resumed() throws {
        let network = try network()
        defer { network.stop() }
        var dice = SeededGenerator(seed: 83)
        let bytes = dice.bytes(5000)
        let uploads = Mutex(0)
        network.nodes[0].change { settings in
            settings.intercept = { request, _ in
                guard request.target.contains("add_file") else { return nil }
                let count = uploads.withLock { count in
                    count += 1
                    return count
                }
                return count > 3 ? .text(403, "403: Forbidden") : nil
            }
        }
        #expect(failure { _ = try stored(bytes, in: network) } != nil)
        network.nodes[0].change { $0.intercept = nil }
        let before = network.nodes[0].questions.count
        let file = try stored(bytes, in: network)
        let again = network.nodes[0].questions.dropFirst(before)
        // The fourth was taken by the node, though it said no.
        #expect(again.filter { $0.contains("add_file") }.count <= 2)
        #expect(try file.read(at: 0, count: 5000) == bytes)
    }

    @Test("a part with other bytes or another size is never given out")
    func lyingNode() throws {
        let network = try network()
        defer { network.stop() }
        var dice = SeededGenerator(seed: 84)
        let bytes = dice.bytes(2500)
        let file = try stored(bytes, in: network)
        network.nodes[0].plant([UInt8](repeating: 6, count: 1000), as: file.manifest.parts[1].text)
        #expect(try file.read(at: 0, count: 1000) == Array(bytes.prefix(1000)))
        #expect(failure { _ = try file.read(at: 1500, count: 1) }?.isOfOneNode == true)
        // A manifest whose parts have other sizes than it says.
        let wrong = try LargeFileManifest(
            name: nil, size: 2400, sha256: file.manifest.sha256, partSize: 1000,
            parts: [file.manifest.parts[0], file.manifest.parts[0], file.manifest.parts[2]])
        let other = LargeFile(wrong, over: network.client)
        #expect(failure { _ = try other.read(at: 2300, count: 10) } != nil)
        // One whose parts are sound and not the file that it names.
        let mixed = try LargeFileManifest(
            name: nil, size: 2000, sha256: file.manifest.sha256, partSize: 1000,
            parts: [file.manifest.parts[0], file.manifest.parts[0]])
        let error = failure {
            try LargeFile(mixed, over: network.client).forEachPart { _ in true }
        }
        guard case .untrue(.hashMismatch) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test("a hash leads to a file by its message, by a manifest, or by its own name")
    func resolved() throws {
        let network = try network()
        defer { network.stop() }
        let file = try stored([1, 2, 3], in: network, partSize: 2)
        let small = try network.client.store(
            source([4, 5]), plan: StorePlan(payment: .credit), by: TestAccount.solana
        ) { StoreDraft(file: $0) }
        let name = ItemHash(sha256Of: [4, 5])
        for hash in [small.hash, name] {
            guard case .whole(name) = try network.client.storedFile(hash) else {
                Issue.record("another file")
                return
            }
        }
        let manifest = try network.client.publish(
            .post(type: LargeFileManifest.postType, content: file.manifest.content),
            by: TestAccount.solana)
        guard case .parts(let found) = try network.client.storedFile(manifest.hash) else {
            Issue.record("not in parts")
            return
        }
        #expect(try found.read(at: 1, count: 9) == [2, 3])
        let post = try network.post(["no": "file"])
        #expect(failure { _ = try network.client.storedFile(post.hash) } != nil)
    }

    @Test("an empty file and one of too many parts are refused before anything is sent")
    func limits() throws {
        let network = try network()
        defer { network.stop() }
        #expect(failure { _ = try stored([], in: network) } != nil)
        let endless = AlephSource(size: 10_001) { _, count in [UInt8](repeating: 0, count: count) }
        let error = failure {
            _ = try network.client.storeLarge(
                endless, name: nil, by: TestAccount.solana, partSize: 1)
        }
        #expect(error == .tooLarge(limit: 10_000))
        #expect(!network.nodes[0].questions.contains { $0.contains("add_file") })
        let post = try network.post(["hello": "world"])
        let message = try network.client.processedMessage(post.hash)
        #expect(failure { _ = try network.client.largeFile(message) } != nil)
    }
}
