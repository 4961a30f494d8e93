// SPDX-License-Identifier: Apache-2.0
//
// What became of many messages of ours, asked in few questions: a thousand that wait each for
// themselves would ask a node some thousand times a second.

package import AlephProtocol

extension AlephClient {
    /// The most messages of one question: their names are in its address.
    package static let receiptLimit = 50

    /// Of these messages, those that were processed.
    ///
    /// - Parameters:
    ///   - hashes: at most `receiptLimit`.
    ///   - isKeptOn: leaves out those that will be removed for want of money.
    package func processed(
        among hashes: [ItemHash], isKeptOn: Bool = false
    ) throws(AlephError) -> Set<ItemHash> {
        precondition(hashes.count <= AlephClient.receiptLimit, "an address has an end")
        var filter = MessageFilter()
        filter.hashes = hashes
        if isKeptOn { filter.states = ["processed"] }
        var found: Set<ItemHash> = []
        var pages = MessagePages(self, filter)
        while let page = try pages.next() {
            found.formUnion(page.messages.map { $0.itemHash })
        }
        return found
    }

    /// Whether nothing is left of a message: its owner took it back, or nobody paid for it.
    ///
    /// That one node does not know it says nothing, for it may lag; nor that a list lacks it, for
    /// what cannot be checked is not listed.
    ///
    /// - Parameter isUnknownGone: whether one that no node knows counts as gone.
    /// - Throws: where a node does not answer and no other one knows it, what keeps it from that.
    package func isGone(_ hash: ItemHash, isUnknownGone: Bool) throws(AlephError) -> Bool {
        do {
            let status = try ask(.allMustMiss) { node throws(AlephError) in
                try node.statusName(of: hash)
            }
            return status == "forgotten" || status == "removed"
        } catch .notFound {
            return isUnknownGone
        }
    }
}
