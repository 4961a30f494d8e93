// SPDX-License-Identifier: Apache-2.0
//
// Which parts of large files are being stored and which are being taken back: one file may have the
// same part as another. Pure.
//
// Invariant: a part that somebody relies on is not retired, and nobody is told to rely on one that
// is.

import AlephProtocol

/// The parts.
struct AlephParts: Sendable {
    private var users: [UInt64: Set<ItemHash>] = [:]
    private var retiring: [ItemHash: Int] = [:]

    init() {}

    /// A file that is being stored has a part.
    ///
    /// - Parameter user: names the attempt, for `release`.
    /// - Returns: whether a message that keeps it already may be relied on.
    mutating func use(_ part: ItemHash, by user: UInt64) -> Bool {
        users[user, default: []].insert(part)
        return retiring[part] == nil
    }

    /// Its manifest is published, or will not be.
    mutating func release(_ user: UInt64) { users[user] = nil }

    /// Those of `parts` that may be taken back: nobody is told to rely on them until `retired`.
    mutating func retire(_ parts: Set<ItemHash>) -> Set<ItemHash> {
        let free = users.values.reduce(parts) { $0.subtracting($1) }
        for part in free { retiring[part, default: 0] += 1 }
        return free
    }

    /// They were taken back, or could not be.
    mutating func retired(_ parts: Set<ItemHash>) {
        for part in parts {
            guard let count = retiring[part] else { continue }
            retiring[part] = count > 1 ? count - 1 : nil
        }
    }
}
