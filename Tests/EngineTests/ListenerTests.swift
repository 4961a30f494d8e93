// SPDX-License-Identifier: Apache-2.0
//
// Functions that are left to be called, and calls that wake nobody.

import Primitives
import Testing

@testable import Engine

@Suite("listeners")
struct ListenerTests {
    /// An address in the stack of whoever calls this, near enough.
    @inline(never)
    private static func depth() -> UInt {
        var mark: UInt8 = 0
        // SAFETY: the address is only compared, never followed.
        return unsafe withUnsafePointer(to: &mark) { UInt(bitPattern: $0) }
    }

    @Test("the ten thousandth call goes through no more frames than the first")
    func callsStayShallow() throws {
        let depths = Lock<[UInt]>([])
        let listener = Listener<Int>()
        listener.set { _ in depths.withLock { $0.append(ListenerTests.depth()) } }
        for number in 0..<10_000 { listener(number) }
        let seen = depths.withLock { $0 }
        #expect(seen.count == 10_000)
        #expect(Set(seen).count == 1)
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
