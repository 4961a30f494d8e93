// SPDX-License-Identifier: Apache-2.0
//
// What chunks cost on a store that costs.

package import Stores

/// Asks the network's daemon for prices; nothing is stored or paid.
package struct AutonomiPrices: Sendable {
    /// The store that is asked.
    package let url: StoreURL
    private let store: AutonomiStore

    /// Nil for a store that costs nothing.
    package init?(_ url: StoreURL) {
        guard case .autonomi(let address) = url else { return nil }
        self.url = url
        store = AutonomiStore(address, budget: nil, portFile: DaemonPort.standardFile)
    }

    /// What a chunk would cost, and whether it is on the network already.
    package func price(of chunk: [UInt8]) throws(StoreError) -> AntdQuote {
        try store.checkNetwork()
        do throws(AntdFailure) {
            return try store.client.quote(chunk)
        } catch {
            throw store.failure(error)
        }
    }
}
