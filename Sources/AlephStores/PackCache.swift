// SPDX-License-Identifier: Apache-2.0
//
// Files of packs in memory: nodes send no part of a file, so that a pack is fetched once for all
// that is read from it.
//
// Invariants:
// - A file is fetched once for all who wait for it.
// - What is kept has at most `sizeLimit` bytes, or is one file.

internal import AlephProtocol
internal import Stores
internal import Threading

/// A bounded cache of files.
final class PackCache: Sendable {
    /// Bytes that are kept.
    static let sizeLimit = 80 << 20

    private struct State {
        var files: [ItemHash: [UInt8]] = [:]
        /// The least recently used first.
        var order: [ItemHash] = []
        var size = 0
        var loading: Set<ItemHash> = []
    }
    private let state = Monitor(State())
    private let sizeLimit: Int

    init(sizeLimit: Int = PackCache.sizeLimit) {
        self.sizeLimit = sizeLimit
    }

    /// The file, which `load` brings if it is not here.
    func file(
        _ hash: ItemHash, load: () throws(StoreError) -> [UInt8]
    ) throws(StoreError) -> [UInt8] {
        let kept = state.wait { state -> [UInt8]?? in
            if let bytes = state.files[hash] {
                Self.touch(hash, &state)
                return .some(bytes)
            }
            return state.loading.insert(hash).inserted ? .some(nil) : nil
        }
        if let kept = kept ?? nil { return kept }
        do throws(StoreError) {
            let bytes = try load()
            insert(hash, bytes)
            return bytes
        } catch {
            // Those who wait try for themselves: what failed here may have been this thread's.
            state.update { _ = $0.loading.remove(hash) }
            throw error
        }
    }

    /// Keeps a file.
    func insert(_ hash: ItemHash, _ bytes: [UInt8]) {
        state.update { state in
            state.loading.remove(hash)
            if state.files.updateValue(bytes, forKey: hash) == nil { state.size += bytes.count }
            Self.touch(hash, &state)
            while state.size > sizeLimit, state.order.count > 1 {
                let oldest = state.order.removeFirst()
                state.size -= state.files.removeValue(forKey: oldest)?.count ?? 0
            }
        }
    }

    private static func touch(_ hash: ItemHash, _ state: inout State) {
        state.order.removeAll { $0 == hash }
        state.order.append(hash)
    }
}
