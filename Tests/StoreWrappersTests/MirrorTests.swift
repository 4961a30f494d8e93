// SPDX-License-Identifier: Apache-2.0
//
// Two stores alike, of which one is lost, damaged or behind.

import Cryptography
import Primitives
import Scratchpads
import StoreWrappers
import Stores
import Testing

@Suite("Mirror", .timeLimit(.minutes(5)))
struct MirrorTests {
    private let one = PlainStore()
    private let two = PlainStore()
    private let pad = WriteCapability(seed: SecretBytes([UInt8](repeating: 3, count: 32)))
    private var mirror: MirrorStore { MirrorStore((one, one), (two, two)) }
    private let bytes = Array("chunk".utf8)
    private var digest: Digest { Digests.of(bytes) }

    private func record(_ text: String, _ counter: UInt64) throws -> PadRecord {
        try pad.seal(Array(text.utf8).span, encoding: 1, counter: counter)
    }

    // SEMANTICS: Of a mirror, one store may be away: everything can be read, and nothing is flushed
    // or published until it is back.
    @Test("writing needs both")
    func writing() throws {
        let mirror = mirror
        try mirror.put(digest, bytes)
        #expect(try one.get(digest) == bytes && two.get(digest) == bytes)
        for side in [one, two] {
            side.fail(.unreachable(retryAfter: nil))
            #expect(throws: StoreError.unreachable(retryAfter: nil)) {
                try mirror.put(digest, bytes)
            }
            #expect(throws: StoreError.unreachable(retryAfter: nil)) { try mirror.sync() }
            #expect(throws: StoreError.unreachable(retryAfter: nil)) {
                try mirror.put(record("a", 1))
            }
            side.fail(nil)
        }
    }

    // SEMANTICS: Of a mirror, one store may be away: everything can be read, and nothing is flushed
    // or published until it is back.
    @Test("reading needs one, whichever, and what one lost is brought back")
    func reading() throws {
        let mirror = mirror
        try mirror.put(digest, bytes)
        for (lost, other) in [(one, two), (two, one)] {
            try lost.delete(digest)
            other.fail(nil)
            #expect(try mirror.get(digest) == bytes)
            lost.fail(.unreachable(retryAfter: nil))
            #expect(try mirror.get(digest) == bytes)
            lost.fail(nil)
            try mirror.put(digest, bytes)
        }
        try one.delete(digest)
        one.delay(.zero)
        two.delay(.milliseconds(30))
        for _ in 0..<60 { _ = try mirror.get(digest) }
        #expect(try one.get(digest) == bytes)
        try one.delete(digest)
        try two.delete(digest)
        #expect(throws: StoreError.missing(digest)) { try mirror.get(digest) }
    }

    @Test("damage of the near one is read around, and repaired")
    func repair() throws {
        let mirror = mirror
        try mirror.put(digest, bytes)
        one.damage(digest)
        #expect(try mirror.get(digest) == bytes)
        #expect(try one.get(digest) == bytes)
    }

    @Test("the faster one is asked first")
    func nearest() throws {
        let mirror = mirror
        try mirror.put(digest, bytes)
        one.delay(.milliseconds(20))
        for _ in 0..<5 { _ = try mirror.get(digest) }
        let before = one.callCount
        for _ in 0..<10 { _ = try mirror.get(digest) }
        #expect(one.callCount == before)
    }

    @Test("of two records the newer stands, and the other store gets it")
    func pads() throws {
        let mirror = mirror
        #expect(try mirror.get(pad.address) == nil)
        #expect(try mirror.put(record("first", 1)) == .accepted)
        _ = try two.put(record("second", 2))
        #expect(try mirror.get(pad.address) == record("second", 2))
        #expect(try one.get(pad.address) == record("second", 2))
        _ = try one.put(record("third", 3))
        #expect(try mirror.put(record("late", 2)) == .standing(record("third", 3)))
        one.fail(.unreachable(retryAfter: nil))
        #expect(try mirror.get(pad.address)?.counter == 2)
        one.fail(nil)
        #expect(try mirror.get(pad.address) == record("third", 3))
        #expect(try two.get(pad.address) == record("third", 3))
    }

    @Test("no record at one says nothing while the other does not answer")
    func absentPad() throws {
        let mirror = mirror
        two.fail(.unreachable(retryAfter: nil))
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try mirror.get(pad.address) }
    }

    @Test("what only one has is listed, and not counted as there")
    func lists() throws {
        let mirror = mirror
        try mirror.put(digest, bytes)
        let other = Digests.of([1])
        try two.put(other, [1])
        #expect(try mirror.has([digest, other]) == [digest])
        var seen: [Digest] = []
        try mirror.list {
            seen.append($0)
            return true
        }
        #expect(seen.count == 2 && Set(seen) == [digest, other])
        try mirror.delete(digest)
        #expect(throws: StoreError.missing(digest)) { try one.get(digest) }
        #expect(throws: StoreError.missing(digest)) { try two.get(digest) }
    }
}
