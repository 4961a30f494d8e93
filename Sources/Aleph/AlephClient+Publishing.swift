// SPDX-License-Identifier: Apache-2.0
//
// Messages and files of ours, until the network has processed them.

package import AlephProtocol
internal import Cryptography

/// How a file is stored.
package struct StorePlan: Sendable, Equatable {
    /// Where it goes, and what its name is made of.
    package enum Engine: Sendable, Equatable {
        /// The network's own storage; the name is a SHA-256 digest.
        case storage
        /// IPFS; the name is a CID.
        case ipfs
    }

    /// Where it goes.
    package var engine: Engine
    /// How it is paid for; nil is the network's default, by holding tokens.
    package var payment: StorePayment?
    /// Whether it goes unpaid, which the network lets pass for small files in IPFS until
    /// 2027.
    package var isUnpaid: Bool

    /// A plan of these parts.
    package init(
        engine: Engine = .storage, payment: StorePayment? = nil, isUnpaid: Bool = false
    ) {
        self.engine = engine
        self.payment = payment
        self.isUnpaid = isUnpaid
    }
}

extension AlephClient {
    /// How long the first look at a message that is pending is put off; it doubles.
    private static let firstLook = Duration.milliseconds(40)
    /// The longest time between two looks.
    private static let longestLook = Duration.seconds(2)
    /// For how long a node may not know a message that it took.
    private static let unknownGrace = Duration.seconds(10)

    /// Signs and publishes a message, and returns when the network has processed it.
    ///
    /// - Parameters:
    ///   - after: the content's time of the newest message about the same thing, which this one
    ///     must beat.
    ///   - owner: for whom; nil is the account.
    /// - Returns: the message as it was signed.
    /// - Throws: `rejected`, `stillPending`, and what keeps it from being sent.
    package func publish(
        _ draft: MessageDraft, by account: AlephAccount, for owner: String? = nil,
        after: Double? = nil
    ) throws(AlephError) -> SignedMessage {
        let signed: SignedMessage
        do {
            signed = try account.sign(
                draft, for: owner, time: clock.next(after: after), channel: channel)
        } catch {
            throw .invalid(error)
        }
        try submitContent(signed)
        try publish(signed.envelope)
        return signed
    }

    /// Publishes a message that is signed, and returns when the network has processed it.
    ///
    /// The same message may be given again: what has arrived is not sent twice.
    package func publish(_ envelope: MessageEnvelope) throws(AlephError) {
        if try submit(envelope) { return }
        try waitForProcessing(envelope.itemHash)
    }

    /// Publishes a message that is signed, and does not wait for what becomes of it.
    ///
    /// - Returns: whether it is processed already.
    package func submit(_ envelope: MessageEnvelope) throws(AlephError) -> Bool {
        var mayHaveArrived = false
        let publication = try ask { node throws(AlephError) -> AlephNode.Publication in
            if mayHaveArrived, let known = try AlephClient.standing(envelope.itemHash, at: node) {
                return known
            }
            mayHaveArrived = true
            return try node.publish(envelope)
        }
        return publication == .processed
    }

    /// Hands over the content of a message that does not carry it, before the message.
    package func submitContent(_ signed: SignedMessage) throws(AlephError) {
        guard signed.envelope.itemType != .inline else { return }
        let content = AlephSource(signed.content)
        try ask { node throws(AlephError) in
            try node.uploadUnkept(content, as: signed.envelope.itemHash)
        }
    }

    /// Returns when a message of ours is processed.
    ///
    /// - Throws: `rejected` with the node's numbers; `forgotten`; `stillPending`.
    package func waitForProcessing(_ hash: ItemHash) throws(AlephError) {
        var waited = Duration.zero
        var look = AlephClient.firstLook
        while true {
            var status = "unknown"
            do {
                status = try ask { node throws(AlephError) in try node.statusName(of: hash) }
            } catch .notFound where waited < AlephClient.unknownGrace {
                // Taken, and not written down yet.
                status = "pending"
            }
            switch status {
            case "processed", "removing": return
            case "rejected": throw .rejected(try rejection(of: hash))
            case "forgotten": throw .forgotten
            case "removed": throw .notFound
            case "pending": break
            default: throw .malformedAnswer("an unknown status of the message")
            }
            guard waited < patience.processing else { throw .stillPending(hash) }
            guard time.sleep(look) else { throw .cancelled }
            waited += look
            look = min(look * 2, AlephClient.longestLook)
        }
    }

    private func rejection(of hash: ItemHash) throws(AlephError) -> Rejection {
        let state = try ask { node throws(AlephError) in try node.message(hash) }
        guard case .rejected(let rejection) = state else {
            throw .malformedAnswer("a rejection without a reason")
        }
        return rejection
    }

    /// What a node has made of a message already; nil if it does not know it.
    private static func standing(
        _ hash: ItemHash, at node: AlephNode
    ) throws(AlephError) -> AlephNode.Publication? {
        do {
            switch try node.statusName(of: hash) {
            case "processed", "removing": return .processed
            default: return .pending
            }
        } catch .notFound {
            return nil
        }
    }
}

extension AlephClient {
    /// The name a file will have.
    package static func name(
        of file: AlephSource, engine: StorePlan.Engine
    ) throws(AlephError) -> ItemHash {
        switch engine {
        case .storage:
            var hasher = SHA256Hasher()
            guard file.forEachPiece({ hasher.update($0) }) else { throw .sourceFailed }
            return ItemHash(sha256: hasher.finalize())
        case .ipfs:
            var hasher = UnixFSHasher()
            guard file.forEachPiece({ hasher.update($0) }) else { throw .sourceFailed }
            return ItemHash(hasher.finalize().cid)
        }
    }

    /// Stores a file, and returns when the network has processed the message that keeps it.
    ///
    /// The bytes are read twice: for their name, and as they are sent.
    ///
    /// - Parameters:
    ///   - draft: gives the file its name, and says what it is found by.
    ///   - after: the content's time of the newest message under the same `ref`.
    /// - Throws: `tooLarge` with the node's limit; `paymentRequired` and `rejected` with what the
    ///   account has and needs.
    package func store(
        _ file: AlephSource, plan: StorePlan = StorePlan(), by account: AlephAccount,
        after: Double? = nil, draft: (ItemHash) -> StoreDraft
    ) throws(AlephError) -> SignedMessage {
        let limit = try limit(of: plan)
        guard file.size <= limit else { throw .tooLarge(limit: limit) }
        let hash = try AlephClient.name(of: file, engine: plan.engine)
        let signed: SignedMessage
        do {
            var store = draft(hash)
            store.file = hash
            store.payment = plan.payment
            // Nodes take the message beside a file only with its content in it.
            signed = try account.sign(
                .store(store), time: clock.next(after: after), channel: channel,
                isAlwaysInline: true)
        } catch {
            throw .invalid(error)
        }
        if try !submit(file, as: hash, signed.envelope, plan: plan, by: account) {
            try waitForProcessing(signed.envelope.itemHash)
        }
        return signed
    }

    /// Hands over a file and the message that keeps it, and does not wait for what becomes of it.
    ///
    /// - Returns: whether it is processed already.
    /// - Throws: as `store`.
    package func submit(
        _ file: AlephSource, as hash: ItemHash, _ envelope: MessageEnvelope, plan: StorePlan,
        by account: AlephAccount
    ) throws(AlephError) -> Bool {
        do {
            if plan.isUnpaid {
                try ask { node throws(AlephError) in try node.uploadUnkept(file, as: hash) }
                return try submit(envelope)
            }
            try ask { node throws(AlephError) in
                try node.upload(file, with: envelope, to: hash.type)
            }
            return false
        } catch .paymentRequired(let shortage) {
            throw .paymentRequired(
                numbers(shortage, size: file.size, plan: plan, account: account))
        }
    }

    /// The most bytes of a file that a plan can store.
    package func limit(of plan: StorePlan) throws(AlephError) -> Int {
        let limits = try uploadLimits()
        return plan.isUnpaid
            ? limits.unkept : plan.engine == .ipfs ? limits.ipfs : limits.storage
    }

    /// Fills in what a node that asks for payment does not say.
    func numbers(
        _ known: Shortage, size: Int, plan: StorePlan, account: AlephAccount
    ) -> Shortage {
        var shortage = known
        let payment = plan.payment ?? .hold
        shortage.unit = payment == .credit ? .credits : .aleph
        // The refusal stands without its numbers too: whatever fails here is left out.
        if let balance = try? balance(of: account.address) {
            shortage.available = payment == .credit ? balance.credits : balance.balance
        }
        if let cost = try? cost(
            ofBytes: size, payment: payment, account: account.address, chain: account.chain)
        {
            shortage.required = cost.creditsADay.map { Shortage.text($0) } ?? cost.amount
        }
        return shortage
    }
}
