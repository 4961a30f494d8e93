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
        try requireRoom(for: own)
        return try records.withLock { _ throws(FileError) in
            // Nobody who opens it is kept from that, and so it is looked at once more below.
            if ifIdle, !isIdle(own) { return false }
            try local { () throws(SystemError) in try staging.keep(own.record) }
            return place(own, ifIdle: ifIdle)
        }
    }

    private func requireRoom(for own: AlephOwn) throws(FileError) {
        let isFull = state.withLock { state in
            state.owns[own.record.number] == nil && state.owns.count >= AlephMine.limit
        }
        guard isFull else { return }
        trouble.report("more than \(AlephMine.limit) files wait to be published")
        throw .noSpace
    }

    /// Puts a copy in the place of what was copied.
    ///
    /// - Parameter standing: what was there when the copy began; nil if nothing was.
    /// - Returns: false if it is another meanwhile, and nothing was done.
    func insert(_ own: AlephOwn, inPlaceOf standing: AlephOwn?) throws(FileError) -> Bool {
        // Looked at twice: what is another already needs no record, and a writer who comes while
        // that is made is not kept from it.
        try records.withLock { _ throws(FileError) in
            guard state.withLock({ isStanding(standing, for: own, $0) }) else { return false }
            try requireRoom(for: own)
            try local { () throws(SystemError) in try staging.keep(own.record) }
            let isPlaced = state.withLock { state in
                guard isStanding(standing, for: own, state) else { return false }
                put(own, &state)
                return true
            }
            if !isPlaced { try restoreRecord(own.record) }
            return isPlaced
        }
    }

    /// The record on the disk is again that in `owns`. `records` is held.
    private func restoreRecord(_ record: AlephRecord) throws(FileError) {
        let current = state.withLock { $0.owns[record.number]?.record }
        guard let current else { return staging.removeRecord(record.number) }
        try local { () throws(SystemError) in try staging.keep(current) }
    }

    private func isStanding(_ standing: AlephOwn?, for own: AlephOwn, _ state: State) -> Bool {
        let number = state.names[own.name]
        guard let standing else { return number == nil }
        guard number == standing.record.number, let current = state.owns[own.record.number] else {
            return false
        }
        return current.isUnchanged(since: standing)
    }

    private func isIdle(_ own: AlephOwn) -> Bool {
        state.withLock { $0.owns[own.record.number]?.isIdle(since: own) ?? false }
    }

    private func place(_ own: AlephOwn, ifIdle: Bool) -> Bool {
        state.withLock { state in
            let standing = state.owns[own.record.number]
            if ifIdle, !(standing?.isIdle(since: own) ?? false) { return false }
            put(own, &state)
            return true
        }
    }

    private func put(_ own: AlephOwn, _ state: inout State) {
        let standing = state.owns[own.record.number]
        state.viewBytes += (own.view?.count ?? 0) - (standing?.view?.count ?? 0)
        var placed = own
        // These may have changed since the caller looked, and are not the caller's to set.
        placed.isPublishing = standing?.isPublishing ?? false
        placed.sentBody = standing?.sentBody
        placed.told = standing?.told
        placed.writers = standing?.writers ?? 0
        placed.strays = standing?.strays ?? [:]
        state.owns[own.record.number] = placed
        state.names[own.name] = own.record.number
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

    /// Removes the bytes that were sent, if they are nobody's any more: who opened the name
    /// meanwhile has a copy, and the name may be gone, or have left them to another.
    func removeSent(_ job: Job) {
        guard let sent = job.own.record.body else { return }
        let number = job.own.record.number
        records.withLock { _ in
            let isKept = state.withLock { state in
                state.owns[number]?.record.body == sent
                    || state.owns.values.contains { $0.record.body == sent }
            }
            if !isKept { staging.removeBody(sent) }
        }
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
