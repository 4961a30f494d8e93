// SPDX-License-Identifier: Apache-2.0
//
// What is fetched ahead of a reader, as a value: properties over many readers.

import Primitives
import SelfEncryption
import TestSupport
import Testing

@testable import Engine

@Suite("reading ahead")
struct ReadAheadTests {
    private static let size: UInt64 = 1 << 30
    private static let step: UInt64 = 128 << 10

    /// Reads a file from one end to the other, and gives what was advised.
    private func advised(
        to end: UInt64, by step: UInt64, size: UInt64, most: UInt64 = ReadAhead.most
    ) -> (ranges: [Range<UInt64>], widest: UInt64) {
        var ahead = ReadAhead()
        var ranges: [Range<UInt64>] = []
        var widest: UInt64 = 0
        for offset in stride(from: 0, to: end, by: Int(step)) {
            let read = offset..<min(offset + step, size)
            let advice = ahead.note(read, size: size, most: most)
            #expect(!advice.isSeek)
            guard let range = advice.range else { continue }
            ranges.append(range)
            widest = max(widest, range.upperBound - read.upperBound)
        }
        return (ranges, widest)
    }

    @Test("a sequential reader is advised every byte once, up to the end of the file")
    func sequential() {
        let (ranges, widest) = advised(to: Self.size, by: Self.step, size: Self.size)
        #expect(ranges.first?.lowerBound == Self.step)
        for (range, next) in zip(ranges, ranges.dropFirst()) {
            #expect(range.upperBound == next.lowerBound)
        }
        #expect(ranges.last?.upperBound == Self.size)
        #expect(widest == ReadAhead.most, "the window grows to its limit")
    }

    @Test("the window begins small, and doubles while half of it is read")
    func growth() {
        let (ranges, _) = advised(to: 16 << 20, by: Self.step, size: Self.size)
        var reached: UInt64 = 0
        for range in ranges {
            // At most four times what was read can have been asked for.
            #expect(range.upperBound <= max(4 * range.lowerBound, 8 << 20), "at \(reached)")
            reached = range.upperBound
        }
        #expect(reached > 32 << 20)
    }

    @Test(
        "no window passes the limit of the moment",
        arguments: [0, 1 << 20, 16 << 20, 1 << 40] as [UInt64])
    func limit(most: UInt64) {
        let (_, widest) = advised(to: 256 << 20, by: Self.step, size: Self.size, most: most)
        #expect(widest <= min(most, ReadAhead.most))
    }

    @Test("a look at a file's head costs little, a look at its middle nothing")
    func looks() {
        var head = ReadAhead()
        let first = head.note(0..<4096, size: Self.size, most: ReadAhead.most).range
        #expect(first == 4096..<4096 + ReadAhead.opening)
        var middle = ReadAhead()
        let place = Self.size / 2
        let second = middle.note(place..<place + 4096, size: Self.size, most: ReadAhead.most)
        #expect(second.range == nil)
    }

    @Test("readers at random places of a large file are advised nothing", arguments: 1...20)
    func random(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        var ahead = ReadAhead()
        let size: UInt64 = 1 << 40
        var advised: UInt64 = 0
        for _ in 0..<1000 {
            let offset = 1 + UInt64(dice.below(1 << 39))
            let advice = ahead.note(offset..<offset + 4096, size: size, most: ReadAhead.most)
            advised += UInt64(advice.range?.count ?? 0)
        }
        #expect(advised == 0, "seed \(seed)")
    }

    @Test("reads that come out of order within the kernel's read-ahead are one reader")
    func shuffled() {
        var dice = SeededGenerator(seed: 11)
        var ahead = ReadAhead()
        var offsets = Array(stride(from: 0, to: UInt64(256 << 20), by: Int(Self.step)))
        for start in stride(from: 0, to: offsets.count - 8, by: 8) {
            offsets[start..<start + 8].shuffle(using: &dice)
        }
        var reached: UInt64 = 0
        for offset in offsets {
            let read = offset..<offset + Self.step
            let advice = ahead.note(read, size: Self.size, most: ReadAhead.most)
            #expect(!advice.isSeek)
            reached = max(reached, advice.range?.upperBound ?? 0)
        }
        #expect(reached >= (256 + 48) << 20)
    }

    @Test("two readers of one handle keep a window each")
    func interleaved() {
        var ahead = ReadAhead()
        var reached: [UInt64] = [0, 0]
        let starts: [UInt64] = [0, Self.size / 2]
        for step in 0..<512 {
            for reader in 0..<2 {
                let offset = starts[reader] + UInt64(step) * Self.step
                let advice = ahead.note(
                    offset..<offset + Self.step, size: Self.size, most: ReadAhead.most)
                #expect(!advice.isSeek || step == 0)
                reached[reader] = max(reached[reader], advice.range?.upperBound ?? 0)
            }
        }
        for reader in 0..<2 { #expect(reached[reader] > starts[reader] + (100 << 20)) }
    }

    @Test("a seek drops what waits, and begins small again")
    func seek() {
        var ahead = ReadAhead()
        for offset in stride(from: 0, to: UInt64(128 << 20), by: Int(Self.step)) {
            _ = ahead.note(offset..<offset + Self.step, size: Self.size, most: ReadAhead.most)
        }
        // The first place after the only one: what waits for that is given up.
        let away = Self.size - (256 << 20)
        let first = ahead.note(away..<away + Self.step, size: Self.size, most: ReadAhead.most)
        #expect(first == ReadAhead.Advice(range: nil, isSeek: true))
        let second = ahead.note(
            away + Self.step..<away + 2 * Self.step, size: Self.size, most: ReadAhead.most)
        #expect((second.range?.count ?? 0) == Int(ReadAhead.first))
        // Who comes back goes on, with half the window, where the reader is.
        let back: UInt64 = 128 << 20
        let third = ahead.note(back..<back + Self.step, size: Self.size, most: ReadAhead.most)
        #expect(third.range?.lowerBound == back + Self.step)
        #expect((third.range?.count ?? 0) <= Int(ReadAhead.most / 2))
    }

    @Test("what could not be begun is advised again; after a failure nothing is until reads go on")
    func failures() {
        var ahead = ReadAhead()
        _ = ahead.note(0..<Self.step, size: Self.size, most: ReadAhead.most)
        let advice = ahead.note(
            Self.step..<2 * Self.step, size: Self.size, most: ReadAhead.most)
        guard let range = advice.range else {
            Issue.record("nothing was advised")
            return
        }
        ahead.retract(to: range.lowerBound)
        let again = ahead.note(
            2 * Self.step..<3 * Self.step, size: Self.size, most: ReadAhead.most)
        #expect(again.range?.lowerBound == max(range.lowerBound, 3 * Self.step))
        ahead.fail()
        let after = ahead.note(
            3 * Self.step..<4 * Self.step, size: Self.size, most: ReadAhead.most)
        #expect(after.range == nil)
    }

    @Test("advice stays within the file and the window, whatever is read", arguments: 1...50)
    func anything(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        var ahead = ReadAhead()
        let size = 1 + UInt64(dice.below(300 << 20))
        var position: UInt64 = 0
        for _ in 0..<500 {
            if dice.chance(10) { position = UInt64(dice.below(Int(size))) }
            let end = min(position + 1 + UInt64(dice.below(2 << 20)), size)
            guard position < end else {
                position = 0
                continue
            }
            let most = dice.chance(20) ? UInt64(dice.below(8 << 20)) : ReadAhead.most
            if let range = ahead.note(position..<end, size: size, most: most).range {
                #expect(range.upperBound <= size && !range.isEmpty, "seed \(seed)")
                #expect(
                    range.upperBound <= end + ReadAhead.nearness + min(most, ReadAhead.most),
                    "seed \(seed)")
            }
            if dice.chance(5) { ahead.retract(to: UInt64(dice.below(Int(size)))) }
            if dice.chance(1) { ahead.fail() }
            position = end
        }
    }
}

@Suite("the order of fetches")
struct FetchQueueTests {
    /// A queue whose every answer is looked at in expectations, which change nothing themselves.
    private final class Queue {
        var inner: FetchQueue<Digest, Int>
        init(_ limits: FetchQueue<Digest, Int>.Limits) { inner = FetchQueue(limits: limits) }
        func demand(_ job: Int) -> Bool { inner.demand(job) }
        func guess(_ digest: Digest, for reader: UInt64, _ job: Int) -> Bool {
            inner.guess(digest, for: reader, job)
        }
        func promote(_ digest: Digest) { inner.promote(digest) }
        func cancel(_ reader: UInt64) -> [Digest] { inner.cancel(reader) }
        func dropGuesses() { inner.dropGuesses() }
        func next() -> FetchQueue<Digest, Int>.Turn? { inner.next() }
        func end(isAhead: Bool) { inner.end(isAhead: isAhead) }
    }

    private let limits = FetchQueue<Digest, Int>.Limits(
        threads: 4, ahead: 2, waiting: 10, waitingAhead: 6)

    private func digest(_ number: Int) -> Digest {
        var bytes = [UInt8](repeating: 0, count: Digest.byteCount)
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: number >> (8 * index)) }
        guard let digest = Digest(bytes) else { preconditionFailure("32 bytes are a digest") }
        return digest
    }

    @Test("what somebody waits for comes before what is guessed")
    func demandsFirst() {
        let queue = Queue(limits)
        for number in 0..<3 { #expect(queue.guess(digest(number), for: 1, number)) }
        #expect(queue.demand(10))
        #expect(queue.next()?.job == 10)
        #expect(queue.next()?.job == 0)
        #expect(queue.next()?.job == 1)
        #expect(queue.next() == nil, "guesses never take the last threads")
        #expect(queue.demand(11))
        #expect(queue.next()?.job == 11)
    }

    @Test("a guess that somebody comes to wait for takes a demand's turn")
    func promotion() {
        let queue = Queue(limits)
        for number in 0..<5 { #expect(queue.guess(digest(number), for: 1, number)) }
        queue.promote(digest(4))
        queue.promote(digest(99))
        let turn = queue.next()
        #expect(turn?.job == 4 && turn?.isAhead == false)
        #expect(queue.inner.aheadCount == 4)
    }

    @Test("a reader who goes away takes the guesses for it along, and no others")
    func cancelling() {
        let queue = Queue(limits)
        for number in 0..<6 {
            #expect(queue.guess(digest(number), for: UInt64(number % 2), number))
        }
        #expect(!queue.guess(digest(6), for: 0, 6), "only so many may wait")
        #expect(queue.cancel(1) == [digest(1), digest(3), digest(5)])
        #expect(queue.cancel(1).isEmpty)
        #expect(queue.next()?.job == 0)
        queue.dropGuesses()
        #expect(queue.next() == nil)
    }

    @Test("limits hold and every fetch has one turn, whatever comes", arguments: 1...50)
    func anything(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let queue = Queue(limits)
        var running: [Bool] = []
        var expected: Set<Int> = []
        var seen: Set<Int> = []
        for number in 0..<2000 {
            switch dice.below(5) {
            case 0: if queue.demand(number) { expected.insert(number) }
            case 1:
                if queue.guess(digest(number), for: UInt64(dice.below(3)), number) {
                    expected.insert(number)
                }
            case 2:
                guard let turn = queue.next() else { continue }
                #expect(seen.insert(turn.job).inserted, "seed \(seed)")
                running.append(turn.isAhead)
            case 3:
                if let last = running.popLast() { queue.end(isAhead: last) }
            default:
                if dice.chance(70) {
                    queue.promote(digest(dice.below(number + 1)))
                } else {
                    for dropped in queue.cancel(UInt64(dice.below(3))) {
                        let word = dropped.bytes.prefix(8).reversed()
                        expected.remove(word.reduce(0) { $0 << 8 | Int($1) })
                    }
                }
            }
            #expect(running.count <= limits.threads, "seed \(seed)")
            #expect(running.filter { $0 }.count <= limits.ahead, "seed \(seed)")
            #expect(
                queue.inner.waitingCount <= limits.waiting + limits.waitingAhead, "seed \(seed)")
            #expect(queue.inner.aheadCount <= limits.waitingAhead, "seed \(seed)")
        }
        while let isAhead = running.popLast() { queue.end(isAhead: isAhead) }
        while let turn = queue.next() {
            #expect(seen.insert(turn.job).inserted, "seed \(seed)")
            queue.end(isAhead: turn.isAhead)
        }
        #expect(seen == expected, "seed \(seed)")
    }

    @Test("a queue that never runs empty keeps its order")
    func neverEmpty() {
        let queue = Queue(limits)
        #expect(queue.demand(0))
        for number in 1..<5000 {
            #expect(queue.demand(number))
            #expect(queue.next()?.job == number - 1)
            #expect(queue.inner.waitingCount == 1)
            queue.end(isAhead: false)
        }
    }

    /// A job that counts how many of it there are.
    private final class Counted {
        final class Count { var alive = 0 }
        private let count: Count
        init(_ count: Count) {
            self.count = count
            count.alive += 1
        }
        deinit { count.alive -= 1 }
    }

    @Test("a queue that never runs empty lets go of the fetches that had their turn")
    func forgetsTheSpent() {
        var queue = FetchQueue<Digest, Counted>(
            limits: FetchQueue<Digest, Counted>.Limits(threads: 4, ahead: 2))
        let count = Counted.Count()
        var isTaken = queue.demand(Counted(count))
        var most = 0
        for _ in 0..<5000 {
            isTaken = queue.demand(Counted(count)) && isTaken
            guard queue.next() != nil else { break }
            queue.end(isAhead: false)
            most = max(most, count.alive)
        }
        let waiting = queue.waitingCount
        #expect(isTaken && waiting == 1)
        #expect(most <= 1100, "\(most) of 5000 were kept")
    }

    private func key(_ number: Int, _ size: Int, source: Int = 0) -> ChunkKey {
        ChunkKey(
            ChunkDescriptor(
                index: 0, address: digest(number), source: digest(source), size: UInt64(size)))
    }

    @Test("the edges of a chunk are kept, its middle and the oldest chunks are not")
    func edges() {
        var edges = ChunkEdges()
        let plain = pattern(100_000, seed: 3)
        edges.keep(key(0, plain.count), plain)
        #expect(edges.bytes(key(0, plain.count), 5..<900) == Array(plain[5..<900]))
        #expect(edges.bytes(key(0, plain.count + 1), 5..<900) == nil, "another size is no answer")
        #expect(edges.bytes(key(0, plain.count, source: 1), 5..<900) == nil, "nor another source")
        let tail = plain.count - ChunkEdges.size..<plain.count
        #expect(edges.bytes(key(0, plain.count), tail) == Array(plain[tail]))
        #expect(edges.bytes(key(0, plain.count), 50_000..<50_001) == nil)
        #expect(edges.bytes(key(0, plain.count), 99_999..<100_001) == nil)
        #expect(edges.bytes(key(1, 3), 0..<1) == nil)
        for number in 1...ChunkEdges.limit { edges.keep(key(number, 3), [1, 2, 3]) }
        #expect(edges.bytes(key(0, plain.count), 0..<1) == nil)
        #expect(edges.bytes(key(1, 3), 1..<3) == [2, 3])
    }
}
