// SPDX-License-Identifier: Apache-2.0
//
// What chunks cost on a store that costs.

package import Stores

/// Asks the network's daemon for prices; nothing is stored or paid.
package struct AutonomiPrices: Sendable {
    /// The store that is asked.
    package let url: StoreURL
    private let store: AutonomiStore
    private let mode: PaymentMode?

    /// Nil for a store that costs nothing.
    package init?(_ url: StoreURL) {
        guard case .autonomi(let address) = url else { return nil }
        self.url = url
        mode = address.paymentMode
        store = AutonomiStore(address, budget: nil, portFile: DaemonPort.standardFile)
    }

    /// What the chain would take beside the price, in the way that the store's address names; nil
    /// if the daemon does not say.
    package func gas(for bytes: [UInt8]) throws(StoreError) -> TokenAmount? {
        do throws(AntdFailure) {
            return try store.client.gas(for: bytes, mode)
        } catch .refused(let error) where !error.isTransient {
            return nil
        } catch {
            throw store.failure(error)
        }
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
