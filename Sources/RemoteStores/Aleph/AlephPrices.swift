// SPDX-License-Identifier: Apache-2.0
//
// What packs cost on Aleph Cloud: a node's word, as all prices are.

internal import Aleph
internal import AlephProtocol
internal import HTTP
package import Stores

/// Asks a node for prices; nothing is stored or paid.
package struct AlephPrices: Sendable {
    /// The store that is asked.
    package let url: StoreURL
    private let address: AlephStoreAddress

    /// Nil for a store that costs nothing, or is not there.
    package init?(_ url: StoreURL) {
        guard case .aleph(let address) = url, address.payment != .unpaid else { return nil }
        self.url = url
        self.address = address
    }

    /// What keeping bytes in full packs would cost, in words.
    ///
    /// - Throws: `unreachable` if no node says.
    package func price(ofBytes bytes: UInt64) throws(StoreError) -> String {
        let packs = max((bytes + UInt64(address.packSize) - 1) / UInt64(address.packSize), 1)
        let http = HTTPClient(HTTPClient.Configuration(userAgent: "cairn"))
        let client = AlephClient(nodes: address.nodes, over: AlephHTTPTransport(http))
        let payment: StorePayment = address.payment == .hold ? .hold : .credit
        do throws(AlephError) {
            let cost = try client.cost(
                ofBytes: address.packSize, payment: payment,
                account: address.account ?? Self.nobody, chain: address.chain)
            let unit = payment == .hold ? "ALEPH held" : "credits a day"
            guard let one = cost.creditsADay ?? Double(cost.amount) else {
                throw .malformedAnswer("no cost")
            }
            return "about \(Shortage.text(one * Double(packs))) \(unit), in \(packs) packs"
        } catch {
            throw .unreachable(retryAfter: nil)
        }
    }

    /// Prices depend on no account; the question needs one.
    private static let nobody = "11111111111111111111111111111111"
}
