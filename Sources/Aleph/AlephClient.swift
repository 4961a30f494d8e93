// SPDX-License-Identifier: Apache-2.0
//
// The network, through several nodes of which each may fail, lag or lie.
//
// Invariants:
// - Nothing is given out as a message or a file unless its hash, and a message's signature, were
//   checked here.
// - A node that said something untrue is asked last from then on.
// - A message of ours is signed once for each attempt that failed for good; what may have arrived
//   is sent again as it is, so that nothing is published twice.

internal import Primitives

/// How long, and how often, the client tries.
package struct AlephPatience: Sendable {
    /// How often all nodes are asked before it is given up.
    package var rounds: Int
    /// How long to wait after the first round; it doubles with each.
    package var firstWait: Duration
    /// The longest wait between rounds, and the most that is granted to a node that asks for one.
    package var longestWait: Duration
    /// How long a message of ours may be pending.
    package var processing: Duration

    /// Patience of these numbers.
    package init(
        rounds: Int = 4, firstWait: Duration = .milliseconds(300),
        longestWait: Duration = .seconds(20), processing: Duration = .seconds(120)
    ) {
        precondition(rounds >= 1, "nobody is asked")
        self.rounds = rounds
        self.firstWait = firstWait
        self.longestWait = longestWait
        self.processing = processing
    }
}

/// The network as one thing.
///
/// Calls block, from any number of threads. Each goes to one node after the other until one has
/// answered, then begins anew after a wait.
package final class AlephClient: Sendable {
    private struct State {
        /// Faults of each node: it is asked after those with fewer.
        var faults: [Int]
        var limits: (value: UploadLimits, until: Double)?
    }

    /// A fault that no number of other failures makes up for.
    private static let lieWeight = 1000
    /// For how many seconds a node's limits are remembered.
    private static let limitLifetime = 3600.0

    /// What time it is.
    package let time: AlephTime
    /// The times of our messages.
    package let clock: ContentClock
    /// The application's name for its messages.
    package let channel: String?
    let patience: AlephPatience
    private let nodes: [AlephNode]
    private let state: Lock<State>

    /// The application's name for what Cairn publishes.
    package static let defaultChannel = "CAIRN"

    /// The network through these nodes, the first of which is asked first.
    ///
    /// - Parameter nodes: 1 to `AlephNodeAddress.maximumCount`.
    package init(
        nodes: [AlephNodeAddress], over transport: any AlephTransport,
        channel: String? = AlephClient.defaultChannel, patience: AlephPatience = AlephPatience(),
        time: AlephTime = .system
    ) {
        precondition((1...AlephNodeAddress.maximumCount).contains(nodes.count), "no such number")
        self.nodes = nodes.map { AlephNode($0, over: transport) }
        self.channel = channel
        self.patience = patience
        self.time = time
        clock = ContentClock(now: time.now)
        state = Lock(State(faults: [Int](repeating: 0, count: nodes.count)))
    }

    // MARK: Asking

    /// Whether an answer of one node is enough.
    enum Thoroughness {
        /// The first answer counts.
        case firstAnswer
        /// That something is not there must be said by all: others may have it already.
        case allMustMiss
    }

    /// Asks one node after the other until one answers, and all of them again after a wait.
    func ask<Result>(
        _ thoroughness: Thoroughness = .firstAnswer,
        _ body: (AlephNode) throws(AlephError) -> Result
    ) throws(AlephError) -> Result {
        var wait = patience.firstWait
        for round in 1...patience.rounds {
            let failure: AlephError
            do {
                return try askOnce(thoroughness, body)
            } catch {
                failure = error
            }
            guard failure.isTransient, round < patience.rounds else { throw failure }
            var next = wait
            if case .busy(_, let asked?) = failure { next = max(wait, asked) }
            guard time.sleep(min(next, patience.longestWait)) else { throw .cancelled }
            wait = min(wait * 2, patience.longestWait)
        }
        throw .cancelled
    }

    /// Asks each node once.
    ///
    /// - Throws: the failure that says most: what may pass before what a single node lacks.
    private func askOnce<Result>(
        _ thoroughness: Thoroughness, _ body: (AlephNode) throws(AlephError) -> Result
    ) throws(AlephError) -> Result {
        var failures: [AlephError] = []
        for index in order() {
            do {
                let result = try body(nodes[index])
                forgive(index)
                return result
            } catch {
                if error.isOfOneNode {
                    blame(index, for: error)
                } else if error != .notFound || thoroughness == .firstAnswer {
                    throw error
                }
                failures.append(error)
            }
        }
        let passing = failures.first { $0.isTransient }
        guard let failure = passing ?? failures.first(where: { $0 != .notFound }) ?? failures.first
        else { throw .cancelled }
        throw failure
    }

    /// The nodes, those with the fewest faults first.
    private func order() -> [Int] {
        let faults = state.withLock { $0.faults }
        return nodes.indices.sorted { (faults[$0], $0) < (faults[$1], $1) }
    }

    private func blame(_ index: Int, for error: AlephError) {
        let weight =
            switch error {
            case .untrue, .malformedAnswer: AlephClient.lieWeight
            default: 1
            }
        state.withLock { $0.faults[index] = min($0.faults[index] + weight, 1_000_000) }
    }

    /// A node that works again is asked in its turn again; one that lied is not.
    private func forgive(_ index: Int) {
        state.withLock { state in
            if state.faults[index] < AlephClient.lieWeight { state.faults[index] = 0 }
        }
    }

    /// The sizes that a node takes, asked for once an hour.
    package func uploadLimits() throws(AlephError) -> UploadLimits {
        let now = time.now()
        if let known = state.withLock({ $0.limits }), known.until > now { return known.value }
        let limits = try ask { node throws(AlephError) in try node.uploadLimits() }
        state.withLock { $0.limits = (limits, now + AlephClient.limitLifetime) }
        return limits
    }
}
