// SPDX-License-Identifier: Apache-2.0
//
// A store with a layer around it is a store: it promises what the inner one promises.

internal import Primitives
internal import Scratchpads
package import Stores

/// Puts layers around stores.
package enum StoreLayers {
    /// `store` inside `layer`; listable, and reporting its capacity, if `store` is.
    package static func wrap(
        _ store: any ChunkStore, in layer: any StoreLayer
    ) -> any ChunkStore {
        guard let listable = store as? any ListableChunkStore else {
            return LayeredChunkStore(store, layer)
        }
        guard let reporting = store as? any ListableChunkStore & CapacityReporting else {
            return LayeredListableStore(listable, layer)
        }
        return LayeredReportingStore(reporting, layer)
    }

    /// `store` inside `layer`.
    package static func wrap(_ store: any PadStore, in layer: any StoreLayer) -> any PadStore {
        LayeredPadStore(store, layer)
    }
}

/// A chunk store inside a layer.
class LayeredChunkStore: ChunkStore, StoppableStore, MetricsReporting, @unchecked Sendable {
    // @unchecked because: a class that is inherited from; all its properties are constants of
    // Sendable types, and so are those of the two that inherit.
    private let inner: any ChunkStore
    let layer: any StoreLayer

    init(_ inner: any ChunkStore, _ layer: any StoreLayer) {
        self.inner = inner
        self.layer = layer
    }

    func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        let call = StoreCall(.put, sent: bytes.count)
        try layer.perform(call, received: { 0 }) { () throws(StoreError) in
            try inner.put(digest, bytes)
        }
    }

    func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        try layer.perform(StoreCall(.get), received: { $0.count }) { () throws(StoreError) in
            try inner.get(digest)
        }
    }

    func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        try layer.perform(StoreCall(.has), received: { _ in 0 }) { () throws(StoreError) in
            try inner.has(digests)
        }
    }

    func sync() throws(StoreError) {
        try layer.perform(StoreCall(.sync), received: { 0 }) { () throws(StoreError) in
            try inner.sync()
        }
    }

    var usefulConcurrency: Int { inner.usefulConcurrency }
    var takesUnnamedChunks: Bool { inner.takesUnnamedChunks }

    func stop() {
        layer.stop()
        (inner as? any StoppableStore)?.stop()
    }

    func metrics() -> StoreMetrics {
        if let counting = layer as? any MetricsReporting { return counting.metrics() }
        return (inner as? any MetricsReporting)?.metrics() ?? [:]
    }
}

/// A listable store inside a layer.
class LayeredListableStore: LayeredChunkStore, ListableChunkStore, @unchecked Sendable {
    // @unchecked because: as in the class it inherits from.
    private let inner: any ListableChunkStore

    init(_ inner: any ListableChunkStore, _ layer: any StoreLayer) {
        self.inner = inner
        super.init(inner, layer)
    }

    func list(_ body: (Digest) -> Bool) throws(StoreError) {
        try layer.perform(StoreCall(.list), received: { 0 }) { () throws(StoreError) in
            try inner.list(body)
        }
    }

    func delete(_ digest: Digest) throws(StoreError) {
        try layer.perform(StoreCall(.delete), received: { 0 }) { () throws(StoreError) in
            try inner.delete(digest)
        }
    }
}

/// A listable store that knows its capacity, inside a layer.
final class LayeredReportingStore: LayeredListableStore, CapacityReporting, @unchecked Sendable {
    // @unchecked because: as in the class it inherits from.
    private let reporting: any CapacityReporting

    init(_ inner: any ListableChunkStore & CapacityReporting, _ layer: any StoreLayer) {
        reporting = inner
        super.init(inner, layer)
    }

    func capacity() throws(StoreError) -> StoreCapacity {
        try layer.perform(StoreCall(.capacity), received: { _ in 0 }) { () throws(StoreError) in
            try reporting.capacity()
        }
    }
}

/// A pad store inside a layer.
final class LayeredPadStore: PadStore, StoppableStore {
    private let inner: any PadStore
    private let layer: any StoreLayer

    init(_ inner: any PadStore, _ layer: any StoreLayer) {
        self.inner = inner
        self.layer = layer
    }

    func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        try layer.perform(StoreCall(.getPad), received: { $0?.encodedSize ?? 0 }) {
            () throws(StoreError) in
            try inner.get(address)
        }
    }

    func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        let call = StoreCall(.putPad, sent: record.encodedSize)
        return try layer.perform(call, received: { _ in 0 }) { () throws(StoreError) in
            try inner.put(record)
        }
    }

    func stop() {
        layer.stop()
        (inner as? any StoppableStore)?.stop()
    }
}
