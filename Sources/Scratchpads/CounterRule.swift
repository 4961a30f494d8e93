// SPDX-License-Identifier: Apache-2.0
//
// The rules of counters: they only grow, and a store that shows an older one has rolled back.

/// What the counter of a record from a store says, to a machine that has seen others before.
package enum CounterJudgement: Equatable, Sendable {
    /// Above everything seen: news.
    case newer
    /// What was seen last.
    case current
    /// Below what was seen: the store has forgotten, or lies.
    case rolledBack(seen: UInt64)
}

/// The rules of counters.
package struct CounterRule: Sendable {
    /// The counter of a pad of which nothing was seen yet. The first record has the one after it.
    package static let nothingSeen: UInt64 = 0

    /// Whether `offered` may take the place of `standing`: there is none, or its counter is
    /// smaller. Both must have been verified, and be of one pad.
    package static func accepts(standing: PadRecord?, offered: PadRecord) -> Bool {
        guard let standing else { return true }
        precondition(standing.address == offered.address, "records of two pads do not compare")
        return offered.counter > standing.counter
    }

    /// The counter of the next record.
    ///
    /// - Parameter highestSeen: the highest this machine has seen or signed; `nothingSeen` for a
    ///   new pad.
    /// - Throws: `counterExhausted` after 2⁶⁴ − 1.
    package static func next(after highestSeen: UInt64) throws(ScratchpadError) -> UInt64 {
        guard highestSeen < UInt64.max else { throw .counterExhausted }
        return highestSeen + 1
    }

    /// What a counter that a store shows says.
    ///
    /// - Parameters:
    ///   - shown: the counter of a verified record.
    ///   - highestSeen: the highest this machine has seen or signed.
    package static func judge(shown: UInt64, highestSeen: UInt64) -> CounterJudgement {
        if shown > highestSeen { return .newer }
        return shown == highestSeen ? .current : .rolledBack(seen: highestSeen)
    }
}
