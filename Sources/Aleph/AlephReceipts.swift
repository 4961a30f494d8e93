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
}
