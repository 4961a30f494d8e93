// SPDX-License-Identifier: Apache-2.0
//
// Functions that are left to be called, and calls that wake nobody.

import Foundation
import Primitives
import Testing

@testable import Engine

@Suite("listeners")
struct ListenerTests {
    /// Frames between whoever calls this and the beginning of its thread, up to Foundation's limit
    /// of 128. Not told from addresses: the address sanitizer has locals elsewhere than on the
    /// stack.
    @inline(never)
    private static func depth() -> Int { Thread.callStackReturnAddresses.count }

    @Test("the ten thousandth call goes through no more frames than the first")
    func callsStayShallow() throws {
        let depths = Lock<[Int]>([])
        let listener = Listener<Bool>()
        listener.set { isLooked in
            if isLooked { depths.withLock { $0.append(ListenerTests.depth()) } }
        }
        for number in 1...10_000 { listener(number == 1 || number == 10_000) }
        let seen = depths.withLock { $0 }
        #expect(seen.count == 2)
        #expect((2..<128).contains(try #require(seen.first)))
        #expect(seen.first == seen.last)
    }

    @Test("only the function set last is called, and none after nil")
    func lastIsCalled() {
        let calls = Lock<[String]>([])
        let listener = Listener<Void>()
        listener()
        listener.set { calls.withLock { $0.append("first") } }
        listener.set { calls.withLock { $0.append("second") } }
        listener()
        listener.set(nil)
        listener()
        #expect(calls.withLock { $0 } == ["second"])
    }
}
