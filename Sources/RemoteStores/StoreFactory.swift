// SPDX-License-Identifier: Apache-2.0
//
// From an address to the stores behind it.

package import Cryptography
internal import S3
internal import StoreWrappers
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

/// How stores are used, whatever they are.
package struct StoreSettings: Hashable, Sendable {
    /// What the limits may be, in bytes a second.
    package static let bandwidths: ClosedRange<UInt64> = ByteRate.limits

    /// The most bytes a second that go to the stores; nil for no limit.
    package var uploadLimit: UInt64?
    /// The most bytes a second that come from them; nil for no limit.
    package var downloadLimit: UInt64?

    /// No limits.
    package init(uploadLimit: UInt64? = nil, downloadLimit: UInt64? = nil) {
        self.uploadLimit = uploadLimit
        self.downloadLimit = downloadLimit
    }
}

/// Opens stores. A new kind of store has a case in `StoreURL` and a line here.
package enum StoreFactory {
    /// Opens the stores at `url`, with what lies around them: limits of bandwidth outside; then,
    /// for stores behind a network, retry, pace and number of calls; and counting inside.
    ///
    /// - Parameters:
    ///   - create: whether to make them if there are none.
    ///   - settings: what holds for all that is opened here together.
    ///   - pads: where the pads rest, if not at `url`.
    ///   - budget: what may be spent on chunks, where storing costs; nil for no limit.
    ///   - known: remembers which folder stores these are; nil to take whichever are there.
    ///   - seed: the volume's, for stores that belong to an account; nil if there is none.
    /// - Throws: what opening throws: `notAStore`, `newerFormat`, `refused`, `unreachable`.
    package static func open(
        _ url: StoreURL, create: Bool, settings: StoreSettings = StoreSettings(),
        pads: StoreURL? = nil, budget: SpendingBudget? = nil, known: KnownStores? = nil,
        seed: SecretBytes? = nil
    ) throws(StoreError) -> OpenedStores {
        let opening = Opening(
            create: create, settings: settings, budget: budget, known: known, seed: seed)
        var stores = try opened(url, opening)
        if let pads {
            var free = opening
            free.budget = nil
            stores = OpenedStores(chunks: stores.chunks, pads: try opened(pads, free).pads)
        }
        if settings.uploadLimit != nil || settings.downloadLimit != nil {
            stores = stores.wrapped(
                in: BandwidthLayer(
                    upload: settings.uploadLimit, download: settings.downloadLimit))
        }
        return stores
    }

    /// How all that lies behind one address is opened.
    private struct Opening {
        let create: Bool
        let settings: StoreSettings
        var budget: SpendingBudget?
        let known: KnownStores?
        let seed: SecretBytes?
    }

    private static func opened(
        _ url: StoreURL, _ opening: Opening
    ) throws(StoreError) -> OpenedStores {
        switch url {
        case .autonomi(let address):
            return try openedAutonomi(address, create: opening.create, opening.budget)
                .wrapped(in: MetricsLayer()).overNetwork()
        case .aleph(let address):
            return try openedAleph(address, seed: opening.seed)
                .wrapped(in: MetricsLayer()).overNetwork()
        case .folder(let path):
            let store = try ReturningFolderStore(
                path: path, createIfMissing: opening.create, known: opening.known)
            return OpenedStores(chunks: store, pads: store).wrapped(in: MetricsLayer())
        case .s3(let address):
            let store = try S3Store(
                address, create: opening.create, uploadSpeed: opening.settings.uploadLimit,
                downloadSpeed: opening.settings.downloadLimit)
            return OpenedStores(chunks: store, pads: store).wrapped(in: MetricsLayer())
                .overNetwork()
        case .mirror(let first, let second):
            let near = try opened(first, opening)
            let far = try opened(second, opening)
            let store = MirrorStore((near.chunks, near.pads), (far.chunks, far.pads))
            return OpenedStores(chunks: store, pads: store)
        }
    }
}

extension OpenedStores {
    /// Both inside one layer.
    fileprivate func wrapped(in layer: any StoreLayer) -> OpenedStores {
        OpenedStores(
            chunks: StoreLayers.wrap(chunks, in: layer), pads: StoreLayers.wrap(pads, in: layer))
    }

    /// Both as one uses a store that other people use too, over lines that fail.
    fileprivate func overNetwork() -> OpenedStores {
        wrapped(in: ConcurrencyLayer()).wrapped(in: PaceLayer()).wrapped(in: RetryLayer())
    }
}
