// SPDX-License-Identifier: Apache-2.0
//
// Chunks on the Autonomi network, through its local daemon. The daemon carries raw chunks; what
// they hold, and whether they are what was asked for, is Cairn's own business.
//
// Invariants:
// - No bytes leave `get` that the digest does not name.
// - `put` returns only after the daemon has said that the network has the chunk, under the address
//   that we computed: a put chunk is acknowledged, and `sync` has nothing to do.
// - Where there is a spending limit, nothing is paid before its price was set aside; what certainly
//   was not paid is given back.
// - Nothing is sent to a daemon that is on another network than the volume.

internal import Cryptography
internal import HTTP
package import Primitives
package import Stores

/// The network as a chunk store.
package final class AutonomiStore: ChunkStore {
    /// Digests of chunks that are known to be on the network: putting one again costs no request.
    static let knownLimit = 65_536

    let client: AntdClient
    private let address: AutonomiAddress
    private let budget: SpendingBudget?

    private struct State {
        var known: Set<Digest> = []
        /// The daemon was asked which network it is on since it was last out of reach.
        var isNetworkChecked = false
    }
    private let state = Lock(State())

    /// A store on the daemon's network; nothing is asked yet.
    ///
    /// - Parameters:
    ///   - budget: what may be spent; nil for no limit, and no account of it.
    ///   - portFile: where a daemon leaves its port; nil for no such place.
    package init(_ address: AutonomiAddress, budget: SpendingBudget?, portFile: String?) {
        self.address = address
        self.budget = budget
        client = AntdClient(address, portFile: portFile)
    }

    /// Keeps a chunk, and pays for it unless the network has it already.
    package func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        guard bytes.count <= AutonomiLimits.chunkSize else { throw .tooLarge }
        guard digest.algorithm == .blake3 else {
            throw .refused("the network names chunks by BLAKE3 alone")
        }
        if state.withLock({ $0.known.contains(digest) }) { return }
        try checkNetwork()
        guard let price = try setAside(digest, bytes) else {
            remember(digest)
            return
        }
        let answer: (address: String, cost: TokenAmount)
        do throws(AntdFailure) {
            answer = try client.put(bytes)
        } catch .refused(let error) where error.isStanding {
            remember(digest)
            return
        } catch {
            let refusal = refusal(error, toPut: bytes)
            if !mayBePaid(error, refusal) { budget?.giveBack(price) }
            throw refusal
        }
        guard answer.address == digest.hex else {
            throw .refused("the daemon stored a chunk under another address than its digest")
        }
        remember(digest)
    }

    /// The chunk, verified.
    package func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        try checkNetwork()
        let bytes: [UInt8]
        do throws(AntdFailure) {
            bytes = try client.chunk(digest.hex)
        } catch .refused(let error) where error.isMissing {
            throw .missing(digest)
        } catch {
            throw failure(error)
        }
        let actual = Digests.of(bytes, algorithm: digest.algorithm)
        guard actual == digest else {
            // Under an address of one algorithm the network may have a chunk of the other's.
            let other: DigestAlgorithm = digest.algorithm == .blake3 ? .sha3 : .blake3
            if Digests.of(bytes, algorithm: other).hex == digest.hex { throw .missing(digest) }
            throw .corrupt(wanted: digest, got: actual)
        }
        return bytes
    }

    /// Those that the network has.
    ///
    /// The daemon has no question without an answer in bytes: each chunk is fetched, and dropped.
    package func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        var found: Set<Digest> = []
        for digest in digests {
            do throws(StoreError) {
                _ = try get(digest)
                found.insert(digest)
            } catch {
                switch error {
                case .missing: continue
                case .corrupt: found.insert(digest)
                default: throw error
                }
            }
        }
        return found
    }

    /// Nothing: what was put is on the network.
    package func sync() throws(StoreError) {}

    // MARK: Networks

    /// The network that the daemon is on.
    package func network() throws(StoreError) -> String {
        do throws(AntdFailure) {
            return try client.health().network
        } catch {
            throw failure(error)
        }
    }

    /// Asks the daemon, once since it was last out of reach, whether it is on the volume's network.
    func checkNetwork() throws(StoreError) {
        guard let wanted = address.network else { return }
        if state.withLock({ $0.isNetworkChecked }) { return }
        let found = try network()
        guard found == wanted else {
            throw .notAStore(
                "the daemon is on the network “\(found)”, and this volume rests on"
                    + " “\(wanted)”")
        }
        state.withLock { $0.isNetworkChecked = true }
    }

    // MARK: Paying

    /// Sets a chunk's price aside where there is a budget.
    ///
    /// - Returns: what was set aside; nil if the network is known to have the chunk.
    private func setAside(
        _ digest: Digest, _ bytes: [UInt8]
    ) throws(StoreError) -> TokenAmount? {
        guard let budget else { return .zero }
        let quote: AntdQuote
        do throws(AntdFailure) {
            quote = try client.quote(bytes)
        } catch .refused(let error) where error.isStanding {
            return nil
        } catch {
            throw refusal(error, toPut: bytes)
        }
        guard quote.address == digest.hex else {
            throw .refused("the daemon computes another address than the chunk's digest")
        }
        if quote.isStored { return nil }
        return try budget.spend(quote.amount)
    }

    /// Whether a put that failed may have been paid all the same. What the daemon has begun and
    /// could not finish may be: only what it did not get, or refused to begin, is not.
    private func mayBePaid(_ error: AntdFailure, _ refusal: StoreError) -> Bool {
        if case .unpaid = refusal { return false }
        return switch error {
        case .transport(let error): error.mayBeDone
        case .refused(let answer): answer.mayBePaid
        case .malformed: true
        }
    }

    /// Why a chunk was not stored, with the sums where it is about money.
    private func refusal(_ error: AntdFailure, toPut bytes: [UInt8]) -> StoreError {
        guard case .refused(let answer) = error else { return failure(error) }
        if answer.wantsPayment {
            let price = try? client.quote(bytes).amount
            let balance = try? client.balance()
            let sum = price.map { "\($0.tokens) tokens for a chunk" } ?? "to be paid for a chunk"
            let purse = balance.map { ", and the daemon's wallet has \($0.tokens)" } ?? ""
            return .unpaid("the network wants \(sum)\(purse)")
        }
        if answer.isUnavailable, !hasWallet() {
            return .unpaid("the daemon has no wallet to pay from; start it with one")
        }
        return failure(error)
    }

    /// False only if the daemon says that it has none.
    private func hasWallet() -> Bool {
        do throws(AntdFailure) {
            _ = try client.balance()
            return true
        } catch .refused(let error) where !error.isTransient || error.isUnavailable {
            return false
        } catch {
            return true
        }
    }

    // MARK: Answers

    /// The daemon's refusal in the words of stores.
    func failure(_ error: AntdFailure) -> StoreError {
        switch error {
        case .transport(let error):
            state.withLock { $0.isNetworkChecked = false }
            if case .tooLarge(limit: _) = error.cause {
                return .refused("the daemon's answer is too large")
            }
            return error.isTransient ? .unreachable(retryAfter: nil) : .refused("\(error)")
        case .malformed:
            return .refused("what answers there is not the network's daemon")
        case .refused(let error):
            if error.wantsPayment { return .paymentRequired }
            if error.isTooLarge { return .tooLarge }
            if error.status == 429 { return .busy(retryAfter: error.retryAfter) }
            if error.isTransient { return .unreachable(retryAfter: error.retryAfter) }
            return .refused("the daemon's answer is \(error.status)")
        }
    }

    private func remember(_ digest: Digest) {
        state.withLock { state in
            // Which of them are forgotten does not matter: asking again costs a request.
            if state.known.count >= Self.knownLimit { state.known.removeAll(keepingCapacity: true) }
            state.known.insert(digest)
        }
    }
}
