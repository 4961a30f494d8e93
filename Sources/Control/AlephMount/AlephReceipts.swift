// SPDX-License-Identifier: Apache-2.0
//
// Waits for what becomes of messages of ours: one thread asks for all of them together.
//
// Invariant: each message's `done` is called once, on that thread, unless the end comes first.

import Aleph
import AlephProtocol
import Primitives
import Threading

/// Messages that were handed over.
final class AlephReceipts: Sendable {
    typealias Outcome = Result<VerifiedMessage, AlephError>

    /// Time between two rounds while something young waits, and while nothing does.
    private static let pace = (young: Duration.milliseconds(100), old: Duration.milliseconds(500))
    /// How long a message is young: nodes look every few seconds at what is pending.
    private static let youth = Duration.seconds(5)
    /// How long it may be missing from a list before it is asked for by itself.
    private static let patience = Duration.seconds(1)
    /// The longest time between two such questions.
    private static let longestLook = Duration.seconds(10)
    /// For how long a node may not know what it took.
    private static let grace = Duration.seconds(15)

    private struct Waiting {
        let signed: SignedMessage
        let since: ContinuousClock.Instant
        var look = AlephReceipts.patience
        var due: ContinuousClock.Instant
        let done: @Sendable (Outcome) -> Void
    }

    private struct State {
        var waiting: [ItemHash: Waiting] = [:]
        var isRunning = false
        var isEnded = false
    }

    private let state = Monitor(State())
    private let client: AlephClient

    init(_ client: AlephClient) { self.client = client }

    /// How many wait.
    var count: Int { state.withLock { $0.waiting.count } }

    /// Calls `done` when the network has decided about a message.
    func wait(for signed: SignedMessage, _ done: @escaping @Sendable (Outcome) -> Void) {
        let now = ContinuousClock.now
        let starts = state.update { state -> Bool in
            guard !state.isEnded else { return false }
            state.waiting[signed.envelope.itemHash] = Waiting(
                signed: signed, since: now, due: now + AlephReceipts.patience, done: done)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if starts {
            WorkerPool.startThread("cairn-alephack") { [weak self] in
                while let self, self.round() {}
            }
        }
    }

    /// Ends it: who waits hears nothing more.
    func stop() {
        state.update { state in
            state.isEnded = true
            state.waiting = [:]
        }
    }

    private func round() -> Bool {
        let waiting = state.wait(atMost: .seconds(1)) { state -> [ItemHash: Waiting]? in
            if state.isEnded { return [:] }
            return state.waiting.isEmpty ? nil : state.waiting
        }
        guard let waiting else { return true }
        guard !waiting.isEmpty else { return false }
        let hashes = Array(waiting.keys)
        for start in stride(from: 0, to: hashes.count, by: AlephClient.receiptLimit) {
            let batch = Array(hashes[start..<min(start + AlephClient.receiptLimit, hashes.count)])
            // A node that does not answer is asked again with the next round.
            guard let processed = try? client.processed(among: batch) else { break }
            for hash in processed {
                guard let signed = waiting[hash]?.signed else { continue }
                end(hash, AlephReceipts.verified(signed))
            }
        }
        let now = ContinuousClock.now
        for (hash, message) in waiting where message.due <= now { askAlone(hash, message, now) }
        let hasYoung = waiting.values.contains { now - $0.since < AlephReceipts.youth }
        let pace = hasYoung ? AlephReceipts.pace.young : AlephReceipts.pace.old
        _ = state.wait(atMost: pace) { $0.isEnded ? true : nil }
        return true
    }

    private func askAlone(
        _ hash: ItemHash, _ message: Waiting, _ now: ContinuousClock.Instant
    ) {
        guard state.withLock({ $0.waiting[hash] != nil }) else { return }
        do throws(AlephError) {
            switch try client.message(hash) {
            case .processed: end(hash, AlephReceipts.verified(message.signed))
            case .other(.rejected(let rejection)): end(hash, .failure(.rejected(rejection)))
            case .other(.forgotten): end(hash, .failure(.forgotten))
            case .other(.removed): end(hash, .failure(.notFound))
            case .other: break
            }
        } catch .notFound where now - message.since > AlephReceipts.grace {
            end(hash, .failure(.unreachable(reason: "the node lost the message")))
        } catch {
            // Asked again.
        }
        state.withLock { state in
            let look = min(message.look * 2, AlephReceipts.longestLook)
            state.waiting[hash]?.look = look
            state.waiting[hash]?.due = .now + look
        }
    }

    private func end(_ hash: ItemHash, _ outcome: Outcome) {
        let done = state.withLock { $0.waiting.removeValue(forKey: hash)?.done }
        done?(outcome)
    }

    private static func verified(_ signed: SignedMessage) -> Outcome {
        do throws(AlephProtocolError) {
            return .success(try VerifiedMessage(signed.envelope, content: signed.content))
        } catch {
            return .failure(.untrue(error))
        }
    }
}
