// SPDX-License-Identifier: Apache-2.0
//
// Pads on the Autonomi network, which has none: a pointer, which can be changed, leads to a chunk
// that lists the records. Each change of a pad pays for that chunk and for the pointer's update.
//
// The pointer belongs to a key that the daemon holds, so one daemon writes, and `PointerLock` lets
// its users take turns. Two daemons that hold the same key and write at once may lose each other's
// records: whoever saw the lost one finds that its counter went down, and says so.
//
// Invariants:
// - A record is accepted only after the pointer leads to a table that has it.
// - The pointer never leads to a chunk that the network has not acknowledged.
// - No record leaves here whose signature was not checked against its address.

internal import Cryptography
internal import Primitives
package import Scratchpads
package import Stores

/// Pads behind one pointer.
package final class AutonomiPads: PadStore {
    private let store: AutonomiStore
    private let pointer: PublicAddressText

    private struct State {
        /// The table that was read or written last, and the chunk that holds it.
        var table: (chunk: Digest, table: PadTable)?
    }
    /// Held for the whole of a `put`: of this user, one at a time changes the pointer.
    private let changing: PointerLock
    private let state = Lock(State())

    /// The pads behind `pointer`; nothing is asked yet.
    package init(_ store: AutonomiStore, pointer: PublicAddressText) {
        self.store = store
        self.pointer = pointer
        changing = PointerLock(pointer)
    }

    /// The most keys that are looked at for one that is free.
    private static let keyLimit = 64

    /// A pointer of the daemon's for the pads of a new volume, one that is not in use if there is
    /// such; nil if the daemon has none.
    package static func availablePointer(
        _ store: AutonomiStore
    ) throws(StoreError) -> PublicAddressText? {
        do throws(AntdFailure) {
            let keys = try store.client.pointerKeys()
            for key in keys.prefix(keyLimit) {
                do throws(AntdFailure) {
                    _ = try store.client.pointer(key)
                } catch .refused(let error) where error.isMissing {
                    return key
                }
            }
            return keys.first
        } catch .refused(let error) where error.status == 404 || error.status == 501 {
            return nil
        } catch {
            throw store.failure(error)
        }
    }

    /// The standing record of a pad.
    package func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        guard let table = try current()?.table else { return nil }
        return try record(address, in: table)
    }

    /// Offers a record; it is on the network when this returns `accepted`.
    package func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        do throws(ScratchpadError) {
            try record.verify()
        } catch {
            throw .refused("the record's signature is not that of the pad's owner")
        }
        return try changing.withLock { () throws(StoreError) in
            let before = try current()
            var table = before?.table ?? PadTable()
            let standing = try standing(record.address, in: table)
            if let standing, !CounterRule.accepts(standing: standing, offered: record) {
                return standing == record ? .accepted : .standing(standing)
            }
            try add(record, to: &table)
            try publish(table, isFirst: before == nil)
            return .accepted
        }
    }

    // MARK: Tables

    /// What the pointer leads to now; nil if there is no such pointer yet.
    private func current() throws(StoreError) -> (chunk: Digest, table: PadTable)? {
        try store.checkNetwork()
        let found: AntdPointer
        do throws(AntdFailure) {
            found = try store.client.pointer(pointer)
        } catch .refused(let error) where error.isMissing {
            return nil
        } catch {
            throw store.failure(error)
        }
        guard found.isChunk, let digest = Digest(hex: found.target.text) else {
            throw .notAStore("the pointer leads to another pointer, and not to a list of pads")
        }
        if let known = state.withLock({ $0.table }), known.chunk == digest { return known }
        let bytes = try store.get(digest)
        do throws(CodingError) {
            let table = (chunk: digest, table: try PadTable(decoding: bytes))
            state.withLock { $0.table = table }
            return table
        } catch {
            throw .notAStore("the pointer leads to something else than a list of pads")
        }
    }

    private func publish(_ table: PadTable, isFirst: Bool) throws(StoreError) {
        let bytes = table.encoded()
        guard bytes.count <= AutonomiLimits.chunkSize, table.entries.count <= PadTable.entryLimit
        else { throw .full }
        let digest = Digests.of(bytes)
        try store.put(digest, bytes)
        guard let target = PublicAddressText(digest.hex) else {
            preconditionFailure("a digest's text is an address")
        }
        do throws(AntdFailure) {
            if isFirst {
                _ = try store.client.makePointer(pointer, to: target)
            } else {
                _ = try store.client.updatePointer(pointer, to: target)
            }
        } catch .refused(let error) where error.wantsPayment {
            throw .unpaid("the network wants to be paid for the change of a pointer")
        } catch .refused(let error) where error.isMissing {
            throw .refused("the daemon does not have the key of this volume's pointer")
        } catch .refused(let error) where error.status == 409 && error.code == .pointerFinal {
            throw .refused("this volume's pointer can be changed no more")
        } catch .refused(let error) where error.status == 409 {
            // Somebody else changed it meanwhile: asked again, the newer table counts.
            throw .unreachable(retryAfter: nil)
        } catch {
            throw store.failure(error)
        }
        state.withLock { $0.table = (digest, table) }
    }

    private func add(_ record: PadRecord, to table: inout PadTable) throws(StoreError) {
        guard record.encodedSize > PadTable.inlineLimit else {
            table.entries[record.address] = .here(record)
            return
        }
        let bytes = record.encoded()
        guard bytes.count <= AutonomiLimits.chunkSize else { throw .tooLarge }
        let digest = Digests.of(bytes)
        try store.put(digest, bytes)
        table.entries[record.address] = .chunk(digest)
    }

    // MARK: Records

    /// The record that stands, or nil where one can be replaced by any: none, or a damaged one.
    private func standing(
        _ address: PadAddress, in table: PadTable
    ) throws(StoreError) -> PadRecord? {
        do throws(StoreError) {
            return try record(address, in: table)
        } catch .corruptPad {
            return nil
        } catch {
            throw error
        }
    }

    private func record(
        _ address: PadAddress, in table: PadTable
    ) throws(StoreError) -> PadRecord? {
        switch table.entries[address] {
        case nil: return nil
        case .here(let record): return try verified(record, address)
        case .chunk(let digest):
            let bytes = try chunk(digest, of: address)
            let record: PadRecord
            do throws(ScratchpadError) {
                record = try PadRecord(decoding: bytes)
            } catch {
                if case .unsupportedVersion(let version) = error {
                    throw .newerFormat(
                        found: UInt64(version), supported: UInt64(PadRecord.formatVersion))
                }
                throw .corruptPad(address)
            }
            return try verified(record, address)
        }
    }

    private func verified(
        _ record: PadRecord, _ address: PadAddress
    ) throws(StoreError) -> PadRecord {
        guard record.address == address else { throw .corruptPad(address) }
        do throws(ScratchpadError) { try record.verify() } catch { throw .corruptPad(address) }
        return record
    }

    private func chunk(_ digest: Digest, of address: PadAddress) throws(StoreError) -> [UInt8] {
        do throws(StoreError) {
            return try store.get(digest)
        } catch .missing, .corrupt {
            throw .corruptPad(address)
        } catch {
            throw error
        }
    }
}
