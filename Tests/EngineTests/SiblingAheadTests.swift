// SPDX-License-Identifier: Apache-2.0
//
// Which files are fetched before they are opened, as a value: properties over many readers.

import TestSupport
import Testing

@testable import Engine

@Suite("reading ahead of directories")
struct SiblingAheadTests {
    private typealias Sibling = SiblingAhead.Sibling

    /// A directory whose cookies have gaps, as after removals.
    private static func directory(_ count: Int, seed: UInt64) -> [UInt64] {
        var dice = SeededGenerator(seed: seed)
        var cookie: UInt64 = 0
        return (0..<count).map { _ in
            cookie += UInt64.random(in: 1...3, using: &dice)
            return cookie
        }
    }

    private static func note(
        _ ahead: inout SiblingAhead, _ cookie: UInt64, _ cookies: [UInt64], in parent: UInt64 = 7
    ) -> [UInt64] {
        ahead.note(cookie, in: parent) { after, count in
            cookies.filter { $0 > after }.prefix(count).map { Sibling(cookie: $0, ino: $0 + 1000) }
        }.map(\.cookie)
    }

    @Test(
        "who goes through a directory is advised each file once, in order, and never far ahead",
        arguments: 1...20 as ClosedRange<UInt64>)
    func through(seed: UInt64) {
        let cookies = Self.directory(300, seed: seed)
        var ahead = SiblingAhead()
        var advised: [UInt64] = []
        for (place, cookie) in cookies.enumerated() {
            for next in Self.note(&ahead, cookie, cookies) {
                let distance = (cookies.firstIndex(of: next) ?? 0) - place
                #expect((1...SiblingAhead.most).contains(distance), "seed \(seed)")
                advised.append(next)
            }
        }
        // The first three were begun before more was expected.
        #expect(advised == Array(cookies.dropFirst(3)), "seed \(seed)")
    }

    @Test(
        "who leaves some out is not advised those again that were passed",
        arguments: 1...20 as ClosedRange<UInt64>)
    func skipping(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let cookies = Self.directory(400, seed: seed)
        var ahead = SiblingAhead()
        var advised: Set<UInt64> = []
        var place = 0
        while place < cookies.count {
            for next in Self.note(&ahead, cookies[place], cookies) {
                #expect(next > cookies[place], "seed \(seed)")
                #expect(advised.insert(next).inserted, "seed \(seed)")
            }
            place += Int.random(in: 1...9, using: &dice)
        }
        #expect(advised.count > 300, "seed \(seed)")
    }

    @Test("who goes backwards, or far, is advised nothing")
    func disorder() {
        let cookies = Self.directory(1000, seed: 5)
        var ahead = SiblingAhead()
        for cookie in cookies.reversed() {
            #expect(Self.note(&ahead, cookie, cookies).isEmpty)
        }
        for place in stride(from: 0, to: 1000, by: SiblingAhead.reach * 2 + 1) {
            #expect(Self.note(&ahead, cookies[place], cookies).isEmpty)
        }
    }

    @Test("programs in several directories are followed each for itself, up to a limit")
    func directories() {
        let cookies = Self.directory(50, seed: 6)
        var ahead = SiblingAhead()
        var counts = [Int](repeating: 0, count: SiblingAhead.directoryLimit)
        for cookie in cookies {
            for parent in counts.indices {
                counts[parent] +=
                    Self.note(&ahead, cookie, cookies, in: UInt64(parent + 1)).count
            }
        }
        #expect(counts.allSatisfy { $0 == 47 })
        // One more than are followed: each is forgotten before its turn comes again.
        var crowded = SiblingAhead()
        for cookie in cookies {
            for parent in 0...SiblingAhead.directoryLimit {
                #expect(Self.note(&crowded, cookie, cookies, in: UInt64(parent)).isEmpty)
            }
        }
    }
}
