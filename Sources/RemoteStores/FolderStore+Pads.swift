// SPDX-License-Identifier: Apache-2.0
//
// Pads in a folder: one file each, replaced under the store's lock.

internal import Glibc
package import Scratchpads
package import Stores

extension FolderStore: PadStore {
    /// The standing record of a pad.
    package func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        let bytes: [UInt8]
        do throws(SystemError) {
            let file = try layout.pads.file(PadName.path(of: address))
            let size = try file.status().size
            guard size <= PadRecord.maximumSize else { throw SystemError(code: EOVERFLOW) }
            bytes = try file.read(size: size)
        } catch {
            switch error.code {
            case ENOENT: break
            case EOVERFLOW: throw .corruptPad(address)
            default: throw error.storeError
            }
            try checkPresence()
            return nil
        }
        do throws(ScratchpadError) {
            let record = try PadRecord(decoding: bytes, schemes: [address.scheme])
            guard record.address == address else { throw .foreignPad }
            try record.verify()
            return record
        } catch {
            if case .unsupportedVersion(let version) = error {
                throw .newerFormat(
                    found: UInt64(version), supported: UInt64(PadRecord.formatVersion))
            }
            throw .corruptPad(address)
        }
    }

    /// Offers a record; it is on the disk when this returns `accepted`.
    package func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        do throws(ScratchpadError) {
            try record.verify()
        } catch {
            throw .refused("the record's signature is not that of the pad's owner")
        }
        return try padLock.withLock { () throws(StoreError) in
            if let standing = try standing(for: record) {
                if standing != record { return .standing(standing) }
                // Whoever wrote it may have died before its name was on the disk.
                do throws(SystemError) {
                    let group = ChunkName.folder(PadName.first(of: record.address))
                    try layout.pads.folder(group).syncNames()
                    try layout.pads.syncNames()
                } catch {
                    throw error.storeError
                }
                return .accepted
            }
            do throws(SystemError) {
                try install(
                    record.encoded().span, at: PadName.path(of: record.address), in: layout.pads,
                    group: PadName.first(of: record.address), isSynced: true)
            } catch {
                throw error.storeError
            }
            return .accepted
        }
    }

    /// The record that keeps `offered` from standing; nil if it may stand.
    private func standing(for offered: PadRecord) throws(StoreError) -> PadRecord? {
        do throws(StoreError) {
            let standing = try get(offered.address)
            return CounterRule.accepts(standing: standing, offered: offered) ? nil : standing
        } catch {
            // Damaged: it has no counter that could be believed, and no content to be lost.
            guard case .corruptPad = error else { throw error }
            return nil
        }
    }
}
