// SPDX-License-Identifier: Apache-2.0
//
// Names for which a directory has no room: they are not listed, and open all the same. Pure.
//
// Invariants:
// - `count` is that of all messages that were noted, at most `limit`.
// - Of a name that was noted all messages are here, unless it is said that some are not.

import AlephProtocol

/// The messages that have these names.
struct AlephBeyond: Sendable {
    /// The most messages.
    static let limit = 500_000
    /// The most messages of one name, each of which is compared with what is noted of it; of one
    /// that has more nobody can tell what it is. A name that two have by chance counts as one.
    static let versionLimit = 500
    /// What one of them costs, in bytes: a number and a hash in a table that is half full.
    static let cost = 112

    /// What is known of a name.
    enum Answer: Sendable, Equatable {
        /// There is none such.
        case absent
        /// These messages may have it; whether they do, and are there still, they say themselves.
        case messages([ItemHash])
        /// There are more names than are known, or more messages of this: nobody can tell.
        case unknown
    }

    private enum Held: Sendable {
        case one(AlephMessageName)
        case several([ItemHash])
        /// More than `versionLimit`.
        case tooMany

        init(_ message: ItemHash) {
            self = AlephMessageName(message).map { .one($0) } ?? .several([message])
        }

        /// All messages; nil for too many.
        var all: [ItemHash]? {
            switch self {
            case .one(let message): [message.hash]
            case .several(let messages): messages
            case .tooMany: nil
            }
        }

        /// Whether a message would add nothing.
        func has(_ message: ItemHash) -> Bool {
            switch self {
            case .one(let name): name == AlephMessageName(message)
            case .several(let messages): messages.contains(message)
            case .tooMany: true
            }
        }

        func joined(with message: ItemHash) -> Held {
            guard let all, all.count < versionLimit else { return .tooMany }
            return .several(all + [message])
        }
    }

    /// By numbers made of names: two that are equal by chance are told apart by the messages.
    private var names: [Int: Held] = [:]
    /// How many messages there are.
    private(set) var count = 0
    /// Whether there was no room for some.
    private(set) var isCut = false

    init() {}

    /// Notes messages that have a name.
    mutating func note(_ name: String, _ messages: [ItemHash]) {
        for message in messages {
            let held = names[name.hashValue]
            if held?.has(message) == true { continue }
            guard count < AlephBeyond.limit else {
                isCut = true
                return
            }
            names[name.hashValue] = held?.joined(with: message) ?? Held(message)
            count += 1
        }
    }

    /// What is known of a name.
    func answer(_ name: String) -> Answer {
        // One that is here may have more messages than are.
        if isCut { return .unknown }
        return names[name.hashValue].map { $0.all.map { .messages($0) } ?? .unknown } ?? .absent
    }
}
