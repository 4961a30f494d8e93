// SPDX-License-Identifier: Apache-2.0
//
// Storing a file in two steps, for those who must be able to try again: the message is signed and
// remembered first, and sent as often as it takes. What has arrived is not paid twice.

package import AlephProtocol

extension AlephClient {
    /// Signs the message that keeps a file, and sends nothing.
    ///
    /// - Parameters:
    ///   - hash: the file's name.
    ///   - after: a content's time that this message must beat.
    package func signStore(
        of hash: ItemHash, _ draft: StoreDraft, plan: StorePlan, by account: AlephAccount,
        after: Double? = nil
    ) throws(AlephError) -> SignedMessage {
        do {
            var store = draft
            store.file = hash
            store.payment = plan.payment
            // Nodes take the message beside a file only with its content in it.
            return try account.sign(
                .store(store), time: clock.next(after: after), channel: channel,
                isAlwaysInline: true)
        } catch {
            throw .invalid(error)
        }
    }

    /// Hands over a file and the message that keeps it, and returns when that is processed.
    ///
    /// - Parameters:
    ///   - signed: from `signStore`, for this file.
    ///   - isRepeated: whether it was tried before with the same message: then what has arrived is
    ///     not sent, and not paid, twice.
    /// - Throws: as `store`. After `paymentRequired`, `rejected` and `forgotten` the same message
    ///   will not do any more: sign another one.
    package func deliver(
        _ file: AlephSource, with signed: SignedMessage, plan: StorePlan,
        by account: AlephAccount, isRepeated: Bool = false
    ) throws(AlephError) {
        let hash = signed.envelope.itemHash
        let isKnown = isRepeated ? try isKnown(hash) : false
        do {
            if isKnown {
                try waitForProcessing(hash)
            } else if plan.isUnpaid {
                let name = try AlephClient.name(of: file, engine: plan.engine)
                try ask { node throws(AlephError) in try node.uploadUnkept(file, as: name) }
                try publish(signed.envelope)
            } else {
                let type: ItemType = plan.engine == .ipfs ? .ipfs : .storage
                try ask { node throws(AlephError) in
                    try node.upload(file, with: signed.envelope, to: type)
                }
                try waitForProcessing(hash)
            }
        } catch .paymentRequired(let shortage) {
            throw .paymentRequired(
                numbers(shortage, size: file.size, plan: plan, account: account))
        }
    }

    /// Whether a message counts, by the word of a node; of one that nobody pays for any more, and
    /// of one that no node knows, it does not.
    package func hasProcessed(_ hash: ItemHash) throws(AlephError) -> Bool {
        do {
            return try ask(.allMustMiss) { node throws(AlephError) in
                try node.statusName(of: hash) == "processed"
            }
        } catch .notFound {
            return false
        }
    }

    /// Whether a node has a message already, in whatever state.
    private func isKnown(_ hash: ItemHash) throws(AlephError) -> Bool {
        do {
            _ = try ask(.allMustMiss) { node throws(AlephError) in try node.statusName(of: hash) }
            return true
        } catch .notFound {
            return false
        }
    }
}
