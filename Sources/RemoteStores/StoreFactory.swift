// SPDX-License-Identifier: Apache-2.0
//
// From an address to the stores behind it.

package import Stores

/// The two stores behind one address. They may be the same object.
package struct OpenedStores: Sendable {
    /// Keeps the chunks.
    package let chunks: any ChunkStore
    /// Keeps the pads.
    package let pads: any PadStore

    /// Names the two.
    package init(chunks: any ChunkStore, pads: any PadStore) {
        self.chunks = chunks
        self.pads = pads
    }
}

/// Opens stores. A new kind of store has a case in `StoreURL` and a line here.
package enum StoreFactory {
    /// Opens the stores at `url`.
    ///
    /// - Parameters:
    ///   - create: whether to make them if there are none.
    ///   - pads: where the pads rest, if not there.
    ///   - budget: what may be spent, where storing costs; nil for no limit.
    /// - Throws: what opening throws: `notAStore`, `newerFormat`, `refused`, `unreachable`.
    package static func open(
        _ url: StoreURL, create: Bool, pads: StoreURL? = nil, budget: SpendingBudget? = nil
    ) throws(StoreError) -> OpenedStores {
        guard let pads else {
            let (chunks, own) = try open(url, create, budget)
            guard let own else {
                throw .refused("it keeps chunks only; name another store for the pads")
            }
            return OpenedStores(chunks: chunks, pads: own)
        }
        guard let other = try open(pads, create, nil).pads else {
            throw .refused("the store named for the pads keeps chunks only")
        }
        return OpenedStores(chunks: try open(url, create, budget).chunks, pads: other)
    }

    /// What a new volume writes down as its store: the address, with what must not change later
    /// filled in by asking the store.
    ///
    /// - Parameter hasOtherPads: whether the pads rest elsewhere.
    /// - Throws: what asking throws; `refused` if pads cannot rest there, and rest nowhere else.
    package static func settled(
        _ url: StoreURL, hasOtherPads: Bool
    ) throws(StoreError) -> StoreURL {
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

    private static func open(
        _ url: StoreURL, _ create: Bool, _ budget: SpendingBudget?
    ) throws(StoreError) -> (chunks: any ChunkStore, pads: (any PadStore)?) {
        switch url {
        case .autonomi(let address):
            let store = AutonomiStore(address, budget: budget, portFile: DaemonPort.standardFile)
            if create { try store.checkNetwork() }
            return (store, address.pointer.map { AutonomiPads(store, pointer: $0) })
        case .folder(let path):
            let store = try ReturningFolderStore(path: path, createIfMissing: create)
            return (store, store)
        }
    }
}
