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
    /// - Parameter create: whether to make them if there are none.
    /// - Throws: what opening throws: `notAStore`, `newerFormat`, `refused`, `unreachable`.
    package static func open(_ url: StoreURL, create: Bool) throws(StoreError) -> OpenedStores {
        switch url {
        case .folder(let path):
            let store = try ReturningFolderStore(path: path, createIfMissing: create)
            return OpenedStores(chunks: store, pads: store)
        }
    }
}
