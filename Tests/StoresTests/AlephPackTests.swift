// SPDX-License-Identifier: Apache-2.0
//
// The pure parts of the store on Aleph Cloud: lists of packs, the index, the plan of repacking.

import AlephProtocol
import Primitives
import Stores
import TestSupport
import Testing

@testable import AlephStores

@Suite("Packs on Aleph Cloud")
struct AlephPackTests {
    private func digest(_ number: Int) -> Digest { TestChunk(seed: UInt64(number)).digest }

    private func pack(
        _ name: String, time: Double, _ chunks: [(Int, Int)], size: Int? = nil
    ) -> Pack {
        var directory = PackDirectory()
        for (number, size) in chunks { directory.append(digest(number), size: size) }
        if let size { directory.append(nil, size: size - directory.fileSize) }
        let hash = ItemHash(sha256Of: Array(name.utf8))
        return Pack(message: hash, file: hash, time: time, directory: directory)
    }

    @Test("a list of chunks is read as it was written, and damage to it is refused")
    func directory() throws {
        var dice = SeededGenerator(seed: 71)
        for _ in 0..<50 {
            var directory = PackDirectory()
            for number in 0..<Int.random(in: 0..<40, using: &dice) {
                directory.append(
                    number.isMultiple(of: 7) ? nil : TestChunk(dice.bytes(9)).digest,
                    size: Int.random(in: 0...StoreLimits.maximumChunkSize, using: &dice))
            }
            let bytes = directory.encoded()
            #expect(try PackDirectory(decoding: bytes) == directory)
            #expect(throws: CodingError.self) {
                try PackDirectory(decoding: Array(bytes.dropLast()))
            }
            #expect(throws: CodingError.self) { try PackDirectory(decoding: bytes + [0]) }
        }
    }

    @Test("a list over its limits is refused before anything is made of it")
    func hostileDirectory() {
        var writer = ByteWriter()
        writer.u8(1)
        writer.varint(UInt64(PackDirectory.entryLimit) + 1)
        #expect(throws: CodingError.self) { try PackDirectory(decoding: writer.bytes) }
        for (version, algorithm, size) in [
            (2, 1, 5), (1, 9, 5), (1, 1, StoreLimits.maximumChunkSize + 1), (1, 1, Int(UInt32.max)),
        ] as [(UInt8, UInt8, Int)] {
            var writer = ByteWriter()
            writer.u8(version)
            writer.varint(1)
            writer.u8(algorithm)
            writer.digest(digest(1))
            writer.u32le(UInt32(size))
            #expect(throws: CodingError.self) { try PackDirectory(decoding: writer.bytes) }
        }
    }

    @Test("the largest list fits into a message")
    func largestDirectory() throws {
        var directory = PackDirectory()
        for number in 0..<PackDirectory.entryLimit { directory.append(digest(number), size: 6000) }
        let account = try AlephAccount(derivingFrom: AlephBench.seed, chain: .ethereum)
        let signed = try account.sign(
            .store(directory.draft(ItemHash(sha256Of: [1]))), time: 1_795_300_000.123456,
            channel: "CAIRN-STORE", isAlwaysInline: true)
        let size = try #require(signed.envelope.itemContent).utf8.count
        #expect(size < MessageEnvelope.maximumInlineSize && size > 180_000)
        let read = try #require(Pack(try VerifiedMessage(signed.envelope)))
        #expect(read.directory == directory)
    }

    @Test("of several copies the newest pack's counts, in whichever order packs are found")
    func newestCounts() {
        let packs = [
            pack("a", time: 1, [(1, 10), (2, 20)]), pack("b", time: 2, [(2, 20), (3, 30)]),
            pack("c", time: 3, [(1, 10), (3, 30), (4, 40)]), pack("d", time: 3, [(4, 40)]),
        ]
        for seed in 0..<24 as Range<UInt64> {
            var dice = SeededGenerator(seed: seed)
            var index = PackIndex()
            for pack in packs.shuffled(using: &dice) { index.add(pack) }
            #expect(index.find(digest(2))?.pack == packs[1], "seed \(seed)")
            #expect(index.find(digest(3))?.pack == packs[2])
            // Equal times are told apart by the messages' names.
            let last = packs[2].outranks(packs[3]) ? packs[2] : packs[3]
            #expect(index.find(digest(4))?.pack == last)
            #expect(index.standing(packs[0].message)?.liveCount == 0)
            #expect(index.standing(packs[1].message)?.liveSize == 20)
        }
    }

    @Test("against a plain table, packs come and go and every chunk is found where it counts")
    func modelled() {
        for seed in 1...20 as ClosedRange<UInt64> {
            var dice = SeededGenerator(seed: seed)
            var index = PackIndex()
            var there: [Pack] = []
            for step in 0..<60 {
                if there.isEmpty || Int.random(in: 0..<3, using: &dice) > 0 {
                    let chunks = (0..<Int.random(in: 1..<6, using: &dice)).map { _ in
                        let number = Int.random(in: 0..<12, using: &dice)
                        return (number, number * 10 + 1)
                    }
                    // A chunk is once in a pack.
                    let once = Dictionary(chunks, uniquingKeysWith: { first, _ in first })
                    let time = Double(Int.random(in: 0..<9, using: &dice))
                    let new = pack("\(seed).\(step)", time: time, once.map { ($0.key, $0.value) })
                    index.add(new)
                    there.append(new)
                } else {
                    let gone = there.remove(at: Int.random(in: 0..<there.count, using: &dice))
                    index.remove([gone.message])
                }
                for number in 0..<12 {
                    let holders = there.filter { pack in
                        pack.directory.entries.contains { $0.digest == digest(number) }
                    }
                    let wanted = holders.max { $1.outranks($0) }
                    #expect(
                        index.find(digest(number))?.pack == wanted, "seed \(seed), step \(step)")
                }
                for standing in index.packs.values {
                    let live = index.live(standing.pack.message)
                    #expect(live.count == standing.liveCount, "seed \(seed), step \(step)")
                    #expect(live.reduce(0) { $0 + Int($1.place.size) } == standing.liveSize)
                }
            }
        }
    }

    private func plan(_ packs: [Pack], packSize: Int = 25 << 20) -> RepackPlan {
        var index = PackIndex()
        for pack in packs { index.add(pack) }
        return RepackPlan(index.packs.values, packSize: packSize)
    }

    @Test("a pack of which nothing counts is taken back, and one half of which counts is not")
    func garbage() {
        let old = pack("old", time: 1, [(1, 4000)])
        let new = pack("new", time: 2, [(1, 4000)])
        #expect(plan([old, new]).dead == [old.message])
        let half = pack("half", time: 1, [(1, 2 << 20), (2, 2 << 20)], size: 8 << 20)
        #expect(plan([half], packSize: 8 << 20) == RepackPlan())
        let less = pack("less", time: 1, [(1, 2 << 20), (2, 2 << 19)], size: 8 << 20)
        #expect(plan([less], packSize: 8 << 20).merge == [less.message])
    }

    @Test("four small packs of about one size become one, the oldest first, and three do not")
    func merging() {
        let small = (0..<4).map { pack("s\($0)", time: Double(9 - $0), [($0, 300 << 10)]) }
        #expect(plan(Array(small.dropLast())).merge.isEmpty)
        #expect(plan(small).merge == small.reversed().map(\.message))
        let large = (10..<12).map { pack("l\($0)", time: 1, [($0, 4 << 20)]) }
        #expect(plan(small.dropLast() + large).merge.isEmpty)
    }

    @Test("small syncs leave few packs, and move a byte a few times only")
    func amplification() {
        var index = PackIndex()
        var moved = 0
        var most = 0
        let syncs = 400
        let size = 100 << 10
        for number in 0..<syncs {
            index.add(pack("n\(number)", time: Double(number), [(number, size)]))
            let plan = RepackPlan(index.packs.values, packSize: 25 << 20)
            if !plan.merge.isEmpty {
                let live = plan.merge.flatMap { index.live($0) }
                var directory = PackDirectory()
                for (digest, place) in live { directory.append(digest, size: Int(place.size)) }
                moved += directory.fileSize
                let name = ItemHash(sha256Of: Array("m\(number)".utf8))
                index.add(
                    Pack(
                        message: name, file: name, time: Double(number) + 0.5,
                        directory: directory))
                index.remove(Set(plan.merge))
            }
            most = max(most, index.packs.count)
        }
        #expect(index.digests.count == syncs)
        #expect(most <= 16, "\(most) packs")
        #expect(moved <= 5 * syncs * size, "moved \(moved) of \(syncs * size)")
    }

    @Test("files that were used last are kept, the others make room")
    func cache() throws {
        let cache = PackCache(sizeLimit: 100)
        let names = (0..<4).map { ItemHash(sha256Of: [UInt8($0)]) }
        var loads = 0
        func read(_ number: Int) throws -> [UInt8] {
            try cache.file(names[number]) { () throws(StoreError) in
                loads += 1
                return [UInt8](repeating: UInt8(number), count: 40)
            }
        }
        for number in [0, 1, 0, 1] { #expect(try read(number)[0] == UInt8(number)) }
        #expect(loads == 2)
        _ = try read(0)
        _ = try read(2)
        _ = try read(0)
        #expect(loads == 3)
        _ = try read(1)
        #expect(loads == 4)
        #expect(throws: StoreError.full) {
            try cache.file(names[3]) { () throws(StoreError) in throw .full }
        }
        _ = try read(3)
        #expect(loads == 5)
    }
}
