// SPDX-License-Identifier: Apache-2.0
//
// Opening stores on the Autonomi network, and what a new volume writes down of networks.

package import Cryptography
internal import Scratchpads
package import Stores

extension StoreFactory {
    /// What a new volume writes down as its store: the address, with what must not change later
    /// filled in by asking the store.
    ///
    /// - Parameters:
    ///   - hasOtherPads: whether the pads rest elsewhere.
    ///   - seed: the volume's, for stores that belong to an account.
    /// - Throws: what asking throws; `refused` if pads cannot rest there, and rest nowhere else.
    package static func settled(
        _ url: StoreURL, hasOtherPads: Bool, seed: SecretBytes? = nil
    ) throws(StoreError) -> StoreURL {
        if case .aleph(let address) = url { return try settledAleph(address, seed: seed) }
        guard case .autonomi(var address) = url else { return url }
        let store = AutonomiStore(address, budget: nil, portFile: DaemonPort.standardFile)
        if address.network == nil { address.network = try store.network() }
        if address.pointer == nil, !hasOtherPads {
            address.pointer = try AutonomiPads.availablePointer(store)
            guard address.pointer != nil else {
                throw .refused("this daemon offers no pointers; name another store for the pads")
            }
        }
        return .autonomi(address)
    }

    static func openedAutonomi(
        _ address: AutonomiAddress, create: Bool, _ budget: SpendingBudget?
    ) throws(StoreError) -> OpenedStores {
        let store = AutonomiStore(address, budget: budget, portFile: DaemonPort.standardFile)
        if create { try store.checkNetwork() }
        guard let pointer = address.pointer else {
            return OpenedStores(chunks: store, pads: NoPads())
        }
        return OpenedStores(chunks: store, pads: AutonomiPads(store, pointer: pointer))
    }
}

/// The pads of a store that keeps chunks only.
struct NoPads: PadStore {
    private static let refusal = StoreError.refused(
        "it keeps chunks only; name another store for the pads")

    func get(_ address: PadAddress) throws(StoreError) -> PadRecord? { throw Self.refusal }

    func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome { throw Self.refusal }
}
