// SPDX-License-Identifier: Apache-2.0
//
// Looks for what is new about what is kept in memory: nodes are asked for messages that came since.
//
// States: idle, until something is to be watched; running; ended, for ever. Invariant: a feed is in
// the hands of one thread at a time, the watch's own.

import Aleph
import AlephProtocol
import Primitives
import Threading

/// What is watched together, as one question to a node.
enum AlephInterest: Hashable, Sendable {
    /// All that belongs to an account.
    case owner(String)
    /// Messages with a tag; of several tags the first is asked for.
    case tags([String])
    /// Letters to an account.
    case letters(String)

    var filter: MessageFilter {
        var filter = MessageFilter()
        switch self {
        case .owner(let address): filter.owners = [address]
        case .tags(let tags): filter.tags = Array(tags.prefix(1))
        case .letters(let address):
            filter.types = [.post]
            filter.postTypes = [SealedLetter.postType]
            filter.tags = [SealedLetter.tag(for: address)]
        }
        return filter
    }
}

/// The thread that asks.
final class AlephWatch: Sendable {
    /// The most that is watched; what was used least lately is not any more.
    static let limit = 32
    /// Time between two questions while somebody uses the tree.
    static let interval = MessageFeed.interval
    /// The same when nobody did for `idleAfter`.
    static let idleInterval = Duration.seconds(60)
    /// How long the tree counts as used.
    static let idleAfter = Duration.seconds(120)
    /// For how long what is watched is believed without being read anew: of the messages that
    /// others take back, a list of tags hears nothing.
    static let lifetime = Duration.seconds(3600)

    private struct Watched {
        var feed: MessageFeed?
        var due: ContinuousClock.Instant
        var since: ContinuousClock.Instant
        var use: ContinuousClock.Instant
    }

    private struct State {
        var watched: [AlephInterest: Watched] = [:]
        var lastUse = ContinuousClock.now
        var isRunning = false
        var isEnded = false
    }

    /// What the owner of the watch does with what it hears.
    struct Ears: Sendable {
        /// A message that may be new.
        let news: @Sendable (AlephInterest, VerifiedMessage) -> Void
        /// Nobody tells of this any more: what is kept of it is to be let go.
        let lost: @Sendable (AlephInterest) -> Void
    }

    private let state = Monitor(State())
    private let client: AlephClient
    private let interval: Duration
    private let idleAfter: Duration
    private let ears = Lock<Ears?>(nil)

    /// - Parameters:
    ///   - interval: time between two questions; tests are in more of a hurry.
    ///   - idleAfter: how long the tree counts as used; the same.
    init(
        _ client: AlephClient, interval: Duration = AlephWatch.interval,
        idleAfter: Duration = AlephWatch.idleAfter
    ) {
        self.client = client
        self.interval = interval
        self.idleAfter = idleAfter
    }

    func begin(_ ears: Ears) { self.ears.withLock { $0 = ears } }

    /// Somebody uses the tree. Who comes back to it does not wait for the time of the idle.
    func noteUse() {
        state.withLock { state in
            let now = ContinuousClock.now
            if now - state.lastUse > idleAfter {
                for interest in state.watched.keys { state.watched[interest]?.due = now }
            }
            state.lastUse = now
        }
    }

    /// Somebody uses what is watched: others go before it.
    func noteUse(of interest: AlephInterest) {
        state.withLock { $0.watched[interest]?.use = .now }
    }

    /// From now on what is new about `interest` is told. Call it before what it is about is read,
    /// so that nothing comes between.
    func watch(_ interest: AlephInterest) {
        let now = ContinuousClock.now
        let feed = MessageFeed(client, interest.filter, since: client.time.now())
        let (lost, starts) = state.update { state -> ([AlephInterest], Bool) in
            state.watched[interest]?.use = now
            if state.watched[interest] != nil || state.isEnded { return ([], false) }
            state.watched[interest] = Watched(
                feed: feed, due: now + interval, since: now, use: now)
            var lost: [AlephInterest] = []
            while state.watched.count > AlephWatch.limit,
                let oldest = state.watched.min(by: { $0.value.use < $1.value.use })?.key
            {
                state.watched[oldest] = nil
                lost.append(oldest)
            }
            defer { state.isRunning = true }
            return (lost, !state.isRunning)
        }
        for gone in lost { ears.withLock { $0 }?.lost(gone) }
        if starts {
            WorkerPool.startThread("cairn-alephwatch", niceness: 5) { [weak self] in
                while let self, self.step() {}
            }
        }
    }

    /// Ends it. A question under way ends by itself.
    func stop() { state.update { $0.isEnded = true } }

    /// One question, or a wait for the time of the next; false at the end.
    private func step() -> Bool {
        let found = state.wait(atMost: .milliseconds(500)) {
            state -> (AlephInterest, MessageFeed)?? in
            if state.isEnded { return .some(nil) }
            let now = ContinuousClock.now
            let ready = state.watched.filter { $0.value.due <= now && $0.value.feed != nil }
            guard let next = ready.min(by: { $0.value.due < $1.value.due }),
                let feed = next.value.feed
            else { return nil }
            state.watched[next.key]?.feed = nil
            return .some((next.key, feed))
        }
        guard let found else { return true }
        guard let (interest, taken) = found else { return false }
        var feed = taken
        var isHeard = true
        do throws(AlephError) {
            for message in try feed.poll() { ears.withLock { $0 }?.news(interest, message) }
        } catch {
            // A node that is down: what is known stays, and it is asked again later.
            isHeard = false
        }
        let polled = feed
        let isOld = state.update { state -> Bool in
            let now = ContinuousClock.now
            guard let watched = state.watched[interest] else { return false }
            if isHeard && now - watched.since > AlephWatch.lifetime {
                state.watched[interest] = nil
                return true
            }
            let isIdle = now - state.lastUse > idleAfter
            let isSlow = isIdle || !isHeard
            state.watched[interest]?.feed = polled
            state.watched[interest]?.due =
                now + (isSlow ? max(AlephWatch.idleInterval, interval) : interval)
            return false
        }
        if isOld { ears.withLock { $0 }?.lost(interest) }
        return true
    }
}
