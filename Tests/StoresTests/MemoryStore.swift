// SPDX-License-Identifier: Apache-2.0
//
// A store that forgets everything when it goes.

import Cryptography
import Primitives
import Scratchpads
import Stores
import Synchronization

/// Chunks and pads in dictionaries.
final class MemoryStore: ListableChunkStore, PadStore {
    private struct State {
        var chunks: [Digest: [UInt8]] = [:]
        var pads: [PadAddress: PadRecord] = [:]
        var damagedPads: Set<PadAddress> = []
    }

    private let state = Mutex(State())

    func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        guard bytes.count <= StoreLimits.maximumChunkSize else { throw .tooLarge }
        state.withLock { $0.chunks[digest] = bytes }
    }

    func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        guard let bytes = state.withLock({ $0.chunks[digest] }) else { throw .missing(digest) }
        let got = Digests.of(bytes, algorithm: digest.algorithm)
        guard got == digest else { throw .corrupt(wanted: digest, got: got) }
        return bytes
    }

    func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        state.withLock { state in Set(digests.filter { state.chunks[$0] != nil }) }
    }

    func sync() throws(StoreError) {}

    func list(_ body: (Digest) -> Bool) throws(StoreError) {
        for digest in state.withLock({ Array($0.chunks.keys) }) {
            guard body(digest) else { return }
        }
    }

    func delete(_ digest: Digest) throws(StoreError) {
        state.withLock { $0.chunks[digest] = nil }
    }

    func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        let (record, isDamaged) = state.withLock { state in
            (state.pads[address], state.damagedPads.contains(address))
        }
        if isDamaged { throw .corruptPad(address) }
        return record
    }

    func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        do throws(ScratchpadError) {
            try record.verify()
        } catch {
            throw .refused("not signed by its owner")
        }
        return state.withLock { state in
            let isDamaged = state.damagedPads.remove(record.address) != nil
            let standing = isDamaged ? nil : state.pads[record.address]
            if let standing, standing == record { return .accepted }
            if let standing, !CounterRule.accepts(standing: standing, offered: record) {
                return .standing(standing)
            }
            state.pads[record.address] = record
            return .accepted
        }
    }

    func damage(_ digest: Digest) {
        state.withLock { $0.chunks[digest]?[0] ^= 1 }
    }

    func damage(_ address: PadAddress) {
        _ = state.withLock { $0.damagedPads.insert(address) }
    }
}
