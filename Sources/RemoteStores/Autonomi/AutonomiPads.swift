// SPDX-License-Identifier: Apache-2.0
//
// Pads on the Autonomi network, which has none: a pointer, which can be changed, leads to a chunk
// that lists the records. Each change of a pad pays for that chunk and for the pointer's update.
//
// The pointer belongs to a key that the daemon holds, and changes without a condition: there is no
// "if it is still this". On one machine `PointerLock` lets volumes take turns. Two machines whose
// daemons hold the same key are kept apart by looking: at the pointer again right before it is
// changed, and right after. Whoever finds another's table there begins again on top of it. What
// slips through even so, because one changed it between the other's look and change, is found by
// the next change of whoever lost: a pad that is gone is put again, and one that has another
// record under the counter that was put here is the other machine's, which `put` answers with.
//
// Invariants:
// - A record is accepted only after the pointer leads to a table that has it, or the daemon has
//   taken that change and nobody is seen to have made another one over it: a network that lags
//   shows for a while what was before.
// - A change that the daemon has taken is not asked for again while it may be on its way: each is
//   paid.
// - The pointer never leads to a chunk that the network has not acknowledged.
// - No record leaves here whose signature was not checked against its address.

internal import Cryptography
internal import Glibc
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
        /// What this process has put last.
        var own: [PadAddress: OwnRecord] = [:]
    }

    /// What the table must have of a pad, or something later.
    private struct OwnRecord {
        let counter: UInt64
        let place: PadTable.Place
    }
    /// Pads of which it is known what this process has put; beyond that all are forgotten.
    private static let ownLimit = 4096

    /// Held for the whole of a `put`: of this user, one at a time changes the pointer.
    private let changing: PointerLock
    private let state = Lock(State())
    private let sleep: @Sendable (Duration) -> Void

    /// The looks at a pointer after a change of it, and what is waited before the second; before
    /// each further one twice as long: 6 seconds in all.
    private static let settling = (looks: 6, firstPause: Duration.milliseconds(200))

    /// The pads behind `pointer`; nothing is asked yet.
    ///
    /// - Parameter sleep: waits.
    package init(
        _ store: AutonomiStore, pointer: PublicAddressText,
        sleep: @escaping @Sendable (Duration) -> Void = { usleep(UInt32($0 / .microseconds(1))) }
    ) {
        self.store = store
        self.pointer = pointer
        self.sleep = sleep
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
            try restore(&table)
            let standing = try standing(record.address, in: table)
            if let standing, !CounterRule.accepts(standing: standing, offered: record) {
                guard standing == record else { return .standing(standing) }
                note(record, table.entries[record.address])
                return .accepted
            }
            if let standing, isForked(standing, table.entries[record.address]) {
                note(standing, table.entries[record.address])
                return .standing(standing)
            }
            try add(record, to: &table)
            try publish(table, over: before?.chunk)
            note(record, table.entries[record.address])
            return .accepted
        }
    }

    // MARK: Other machines

    /// Puts back into a table what this process has put and another machine's table has lost.
    private func restore(_ table: inout PadTable) throws(StoreError) {
        for (address, own) in state.withLock({ $0.own }) where table.entries[address] != own.place {
            let other = try standing(address, in: table)
            if let other, other.counter >= own.counter { continue }
            table.entries[address] = own.place
        }
    }

    /// Whether another record stands under the very counter that this process has put one with.
    private func isForked(_ standing: PadRecord, _ place: PadTable.Place?) -> Bool {
        guard let own = state.withLock({ $0.own[standing.address] }) else { return false }
        return own.counter == standing.counter && own.place != place
    }

    private func note(_ record: PadRecord, _ place: PadTable.Place?) {
        guard let place else { return }
        state.withLock { state in
            if state.own.count >= Self.ownLimit { state.own.removeAll(keepingCapacity: true) }
            state.own[record.address] = OwnRecord(counter: record.counter, place: place)
        }
    }

    /// Makes sure that the pointer leads to this chunk; nil for a pointer that is not made yet.
    private func requireTarget(_ chunk: Digest?) throws(StoreError) {
        guard try target() == chunk else { throw .unreachable(retryAfter: nil) }
    }

    /// Looks after a change that the daemon has taken whether it stands.
    ///
    /// - Throws: `unreachable` if somebody else made another change over it.
    private func requireChange(from before: Digest?, to chunk: Digest) throws(StoreError) {
        var pause = Self.settling.firstPause
        for look in 1...Self.settling.looks {
            let found = try target()
            if found == chunk { return }
            guard found == before else { throw .unreachable(retryAfter: nil) }
            guard look < Self.settling.looks else { return }
            sleep(pause)
            pause *= 2
        }
    }

    // MARK: Tables

    /// The chunk that the pointer leads to now; nil if there is no such pointer yet.
    private func target() throws(StoreError) -> Digest? {
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
        return digest
    }

    /// What the pointer leads to now; nil if there is no such pointer yet.
    private func current() throws(StoreError) -> (chunk: Digest, table: PadTable)? {
        try store.checkNetwork()
        guard let digest = try target() else { return nil }
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

    /// Lets the pointer lead to a table that was made from the one in the chunk `before`.
    ///
    /// - Throws: `unreachable` if another machine changes the pointer at the same time: asked
    ///   again, its table counts.
    private func publish(_ table: PadTable, over before: Digest?) throws(StoreError) {
        let bytes = table.encoded()
        guard bytes.count <= AutonomiLimits.chunkSize, table.entries.count <= PadTable.entryLimit
        else { throw .full }
        let digest = Digests.of(bytes)
        try store.put(digest, bytes)
        guard let target = PublicAddressText(digest.hex) else {
            preconditionFailure("a digest's text is an address")
        }
        try requireTarget(before)
        do throws(AntdFailure) {
            if before == nil {
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
        try requireChange(from: before, to: digest)
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
