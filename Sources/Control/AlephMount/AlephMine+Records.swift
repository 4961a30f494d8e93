// SPDX-License-Identifier: Apache-2.0
//
// Changed names of `me/` and their records on the disk, which change together.
//
// Invariant: `records` is held from the change of the one to that of the other.

import Aleph
import AlephProtocol
import Engine
import Glibc
import Primitives
import Threading

extension AlephMine {
    /// Puts a name in its place, with its record on the disk first.
    ///
    /// - Parameter ifIdle: as `forgetOwn` has it.
    /// - Returns: whether it did.
    @discardableResult
    func insert(_ own: AlephOwn, ifIdle: Bool = false) throws(FileError) -> Bool {
        let isFull = state.withLock { state in
            state.owns[own.record.number] == nil && state.owns.count >= AlephMine.limit
        }
        if isFull {
            trouble.report("more than \(AlephMine.limit) files wait to be published")
            throw .noSpace
        }
        return try records.withLock { _ throws(FileError) in
            // Nobody who opens it is kept from that, and so it is looked at once more below.
            if ifIdle, !isIdle(own) { return false }
            try local { () throws(SystemError) in try staging.keep(own.record) }
            return place(own, ifIdle: ifIdle)
        }
    }

    private func isIdle(_ own: AlephOwn) -> Bool {
        state.withLock { $0.owns[own.record.number]?.isIdle(since: own) ?? false }
    }

    private func place(_ own: AlephOwn, ifIdle: Bool) -> Bool {
        state.withLock { state in
            let standing = state.owns[own.record.number]
            if ifIdle, !(standing?.isIdle(since: own) ?? false) { return false }
            state.viewBytes += (own.view?.count ?? 0) - (standing?.view?.count ?? 0)
            var placed = own
            // These may have changed since the caller looked, and are not the caller's to set.
            placed.isPublishing = standing?.isPublishing ?? false
            placed.writers = standing?.writers ?? 0
            placed.strays = standing?.strays ?? [:]
            state.owns[own.record.number] = placed
            state.names[own.name] = own.record.number
            return true
        }
    }

    /// Keeps a record that has changed, as it is now. If the disk is full, the older one stands.
    func keep(_ number: UInt64) {
        records.withLock { _ in
            guard let record = state.withLock({ $0.owns[number]?.record }) else { return }
            do throws(SystemError) {
                try staging.keep(record)
            } catch {
                trouble.report("what is to be published cannot be noted on the disk: \(error)")
            }
        }
    }

    /// Lets go of a name, with its record, and its bytes unless somebody else has them.
    ///
    /// - Parameter ifIdle: only if nobody has it open, or wrote to it, since `own` was looked at.
    /// - Returns: whether it did.
    @discardableResult
    func forgetOwn(_ own: AlephOwn, keepsBody: Bool, ifIdle: Bool = false) -> Bool {
        let number = own.record.number
        let strays = records.withLock { _ -> [ItemHash: ItemHash]? in
            let strays = state.update { state -> [ItemHash: ItemHash]? in
                if ifIdle, !(state.owns[number]?.isIdle(since: own) ?? false) { return nil }
                if state.names[own.name] == number { state.names[own.name] = nil }
                let last = state.owns.removeValue(forKey: number)
                state.viewBytes -= last?.view?.count ?? 0
                let strays = last?.strays ?? [:]
                if !strays.isEmpty { state.forgetsSent += 1 }
                return strays
            }
            guard let strays else { return nil }
            var record = own.record
            if keepsBody { record.body = nil }
            staging.remove(record)
            return strays
        }
        guard let strays else { return false }
        takeBack(strays: strays)
        return true
    }

    func unname(_ own: AlephOwn) {
        state.withLock { state in
            if state.names[own.name] == own.record.number { state.names[own.name] = nil }
        }
    }

    func drop(_ name: AlephOwnName) {
        if let standing = own(name) { forgetOwn(standing, keepsBody: false) }
    }

    func local<Result>(
        _ body: () throws(SystemError) -> Result
    ) throws(FileError) -> Result {
        do throws(SystemError) {
            return try body()
        } catch {
            switch error.code {
            case ENOSPC, EDQUOT: throw .noSpace
            case EFBIG: throw .tooLarge
            default:
                trouble.report("the local disk failed: \(error)")
                throw .inputOutput
            }
        }
    }
}
