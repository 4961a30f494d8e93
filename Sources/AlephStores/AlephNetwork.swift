// SPDX-License-Identifier: Apache-2.0
//
// What chunks and pads share: the nodes, each alone and all together, the account, and the words of
// stores for what goes wrong.
//
// Invariants:
// - Nothing is handed on that the account did not sign itself.
// - Once stopped, every call and every wait ends.

package import Aleph
package import AlephProtocol
internal import HTTP
internal import Primitives
package import Stores
internal import Threading

/// The network, as one account uses it for a store.
package final class AlephNetwork: Sendable {
    /// Requests at once.
    static let connectionLimit = 32
    /// For how long a node that failed is left out of surveys, while others answer.
    static let silence = Duration.seconds(30)
    /// How long one node may take for its part of a survey, beside what `AlephPace` grants for what
    /// the account signed itself: who makes up messages without end gets no more for it.
    static let surveyTime = Duration.seconds(120)
    /// The application's name for the messages of a store.
    static let channel = "CAIRN-STORE"

    /// All nodes as one.
    let client: AlephClient
    /// Each node by itself: what one hides, another shows.
    private let each: [AlephClient]
    /// Whose the store is.
    package let account: AlephAccount
    /// How files are stored.
    let plan: StorePlan

    /// What surveys are timed by.
    private let now: @Sendable () -> SuspendingClock.Instant
    private let silentUntil: Lock<[ContinuousClock.Instant?]>
    private let cancellation = HTTPCancellation()
    private let isStopped = Monitor(false)

    /// The network at an address; nothing is asked yet.
    ///
    /// - Parameter now: what surveys are timed by.
    /// - Throws: `refused` if the address names another account than this.
    package init(
        _ address: AlephStoreAddress, account: AlephAccount,
        now: @escaping @Sendable () -> SuspendingClock.Instant = { .now }
    ) throws(StoreError) {
        if let wanted = address.account, !AlephAddress.isSame(wanted, account.address) {
            throw .refused(
                "it belongs to the account \(wanted), and the key here is that of"
                    + " \(account.address)")
        }
        self.account = account
        self.now = now
        plan =
            switch address.payment {
            case .credit: StorePlan(payment: .credit)
            case .hold: StorePlan(payment: .hold)
            case .unpaid: StorePlan(engine: .ipfs, isUnpaid: true)
            }
        let http = HTTPClient(
            HTTPClient.Configuration(
                userAgent: "cairn", connectionLimit: AlephNetwork.connectionLimit))
        let transport = AlephHTTPTransport(http, cancelledBy: cancellation)
        let system = AlephTime.system
        let isStopped = isStopped
        let time = AlephTime(
            now: system.now,
            sleep: { wait in isStopped.wait(atMost: wait) { $0 ? true : nil } == nil })
        // What a call of a store failed at is tried again outside, in one place for all stores.
        let patience = AlephPatience(rounds: 1, processing: .seconds(60))
        func client(_ nodes: [AlephNodeAddress]) -> AlephClient {
            AlephClient(
                nodes: nodes, over: transport, channel: AlephNetwork.channel, patience: patience,
                time: time)
        }
        self.client = client(address.nodes)
        each = address.nodes.map { client([$0]) }
        silentUntil = Lock(Array(repeating: nil, count: address.nodes.count))
    }

    /// Ends every call and wait, now and from now on.
    func stop() {
        cancellation.cancel()
        isStopped.update { $0 = true }
    }

    /// Waits.
    ///
    /// - Returns: false if there is no point in going on: the store was stopped.
    func sleep(_ time: Duration) -> Bool { client.time.sleep(time) }

    /// Runs a request; what goes wrong is told in the words of stores.
    func run<Answer>(
        _ body: (AlephClient) throws(AlephError) -> Answer
    ) throws(StoreError) -> Answer {
        do {
            return try body(client)
        } catch {
            throw storeError(error)
        }
    }

    // MARK: Surveys

    /// Asks every node for the account's own messages that fit a filter, the newest first. A node
    /// whose list does not end in time has not answered.
    ///
    /// - Parameter body: takes a page of one node; false ends that node's list.
    /// - Returns: whether all nodes answered to the end, or to where `body` had enough.
    /// - Throws: why, if none did.
    @discardableResult
    func survey(
        _ filter: MessageFilter, _ body: ([VerifiedMessage]) -> Bool
    ) throws(StoreError) -> Bool {
        var answered = 0
        var failure = AlephError.cancelled
        for index in awake() {
            do throws(AlephError) {
                try list(filter, at: each[index], body)
                answered += 1
                silentUntil.withLock { $0[index] = nil }
            } catch {
                failure = error
                silentUntil.withLock { $0[index] = .now + AlephNetwork.silence }
            }
        }
        guard answered > 0 else { throw storeError(failure) }
        return answered == each.count
    }

    /// One node's part of a survey.
    private func list(
        _ filter: MessageFilter, at node: AlephClient, _ body: ([VerifiedMessage]) -> Bool
    ) throws(AlephError) {
        let start = now()
        // Each message counts once: the same ones again buy no time.
        var counted: Set<ItemHash> = []
        var size = 0
        var pages = MessagePages(node, filter)
        while let page = try pages.next(unless: {
            now() > start + Self.surveyTime + AlephPace.extra(for: size)
        }) {
            let own = page.messages.filter { message in
                message.isOwnersOwn && AlephAddress.isSame(message.owner, account.address)
            }
            for message in own where counted.insert(message.itemHash).inserted {
                size += message.contentSize
            }
            guard body(own) else { return }
        }
    }

    /// The nodes that are worth asking; all of them if none has answered of late.
    private func awake() -> [Int] {
        let now = ContinuousClock.now
        let awake = silentUntil.withLock { times in
            times.indices.filter { times[$0].map { $0 <= now } ?? true }
        }
        return awake.isEmpty ? Array(each.indices) : awake
    }

    /// Makes sure that every node says, asked alone, that it has processed a message.
    ///
    /// - Throws: `stillPending` if one has not; what failed if one does not say.
    func requireEverywhere(_ message: ItemHash) throws(AlephError) {
        guard awake().count == each.count else {
            throw .unreachable(reason: "a node has not answered of late")
        }
        for (index, node) in each.enumerated() {
            do throws(AlephError) {
                guard try node.hasProcessed(message) else { throw .stillPending(message) }
            } catch {
                // Who stands still is left alone, and holds nobody up again and again.
                if case .unreachable = error {
                    silentUntil.withLock { $0[index] = .now + AlephNetwork.silence }
                }
                throw error
            }
        }
    }

    // MARK: Failures

    /// What a failure of the network means for a store.
    func storeError(_ error: AlephError) -> StoreError {
        switch error {
        case .busy(status: 429, let retryAfter): .busy(retryAfter: retryAfter)
        case .busy(_, let retryAfter): .unreachable(retryAfter: retryAfter)
        case .paymentRequired(let shortage):
            .unpaid("the account \(account.address) cannot pay: \(shortage)")
        case .rejected(let rejection) where rejection.isQuota:
            .unpaid("the account \(account.address) cannot pay: \(rejection)")
        case .tooLarge: .tooLarge
        case .refused(let status, _) where status < 500: .refused("\(error)")
        case .rejected, .invalid: .refused("\(error)")
        // Nodes that lag, fail or lie: another one, or the same one later, may do better.
        case .unreachable, .stillPending, .malformedAnswer, .untrue, .notFound, .forgotten,
            .refused, .sourceFailed, .cancelled:
            .unreachable(retryAfter: nil)
        }
    }
}
