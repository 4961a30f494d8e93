// SPDX-License-Identifier: Apache-2.0
//
// Pads on Aleph Cloud, which has no compare-and-swap: each record that is offered is an element of
// the pad's aggregate, and of all elements the record with the largest counter stands. The rule of
// the network, the greatest time, decides nothing here: clocks of machines differ.
//
// Two machines that offer different records under one counter at once both see the other's, or one
// of them does. Who sees another one, and loses against it, withdraws its own. Who wins waits for
// that: if the other stays, its machine did not see ours and counts on its own, so that ours is
// withdrawn. Through one node this lets at most one of them be accepted; through nodes that have
// not told each other yet both may be, and who reads next finds one record, the same everywhere.
//
// Invariants:
// - `put` answers `accepted` only after the network has processed the record, and no node that
//   answers lists another one that stands before it.
// - No record leaves here whose signature was not checked against its address.
// - What stands is never withdrawn.

internal import Aleph
internal import AlephProtocol
package import Scratchpads
package import Stores

/// The network as a pad store.
package final class AlephPads: PadStore, StoppableStore {
    /// Messages of one pad that are looked at, at most.
    static let elementLimit = 4096
    /// Elements that were passed by a larger counter, before they are taken back.
    static let passedLimit = 8
    /// For how long a machine that lost is given to withdraw its record, and how often that is
    /// looked at.
    static let withdrawal = (looks: 10, pause: Duration.milliseconds(500))

    private let network: AlephNetwork

    /// Pads of an account; nothing is asked yet.
    package init(_ network: AlephNetwork) {
        self.network = network
    }

    /// Ends what is under way.
    package func stop() { network.stop() }

    /// The record with the largest counter that any node lists.
    package func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        try standing(try elements(address), address)?.record
    }

    /// Offers a record.
    package func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        do throws(ScratchpadError) {
            try record.verify()
        } catch {
            throw .refused("the record's signature is not that of the pad's owner")
        }
        let before = try elements(record.address)
        if let own = before.good.first(where: { $0.record == record }) {
            // Offered before, and the answer was lost: it is settled from there.
            return try settled(record, own.message)
        }
        if let standing = best(before.good)?.record,
            !CounterRule.accepts(standing: standing, offered: record)
        {
            return .standing(standing)
        }
        if let version = before.newer { throw Self.newer(version) }
        let signed = try network.run { client throws(AlephError) in
            try client.publish(
                PadElement.draft(record), by: network.account, after: before.newestTime)
        }
        return try settled(record, signed.envelope.itemHash)
    }

    // MARK: Settling

    /// What came of a record that the network has processed.
    private func settled(
        _ record: PadRecord, _ message: ItemHash
    ) throws(StoreError) -> PadPutOutcome {
        var looks = 0
        while true {
            let found = try elements(record.address)
            guard let best = best(found.good)?.record, best != record else {
                let rival = found.good.first {
                    $0.record.counter == record.counter && $0.record != record
                }
                guard let rival else {
                    takeBackPassed(found.good, by: record)
                    return .accepted
                }
                // Its machine has seen ours and withdraws it, or counts on it for good.
                looks += 1
                guard looks <= Self.withdrawal.looks else {
                    try withdraw(message)
                    return .standing(rival.record)
                }
                guard network.sleep(Self.withdrawal.pause) else {
                    throw .unreachable(retryAfter: nil)
                }
                continue
            }
            if best.counter == record.counter { try withdraw(message) }
            return .standing(best)
        }
    }

    private func withdraw(_ message: ItemHash) throws(StoreError) {
        do throws(AlephError) {
            _ = try network.client.publish(
                .forget([message], reason: "withdrawn"), by: network.account)
        } catch .rejected(let rejection) where rejection.isForgottenAlready {
            // It is gone.
        } catch {
            throw network.storeError(error)
        }
    }

    /// Has the network forget what a record passed by, if it is much.
    private func takeBackPassed(_ elements: [PadElement], by record: PadRecord) {
        let passed = elements.filter { $0.record.counter < record.counter }
        // Large ones are fetched by every reader.
        guard passed.count >= Self.passedLimit || passed.contains(where: \.isBeside) else { return }
        let hashes = passed.prefix(MessageDraft.maximumTargetCount).map(\.message)
        // Room only: what is not taken back now is so after a later record.
        _ = try? network.client.publish(
            .forget(Array(hashes), reason: "passed by"), by: network.account)
    }

    // MARK: Elements

    private struct Elements {
        var good: [PadElement] = []
        var isDamaged = false
        var newer: UInt64?
        var newestTime: Double?
    }

    /// What all nodes that answer list about a pad.
    private func elements(_ address: PadAddress) throws(StoreError) -> Elements {
        var filter = MessageFilter()
        filter.types = [.aggregate]
        filter.owners = [network.account.address]
        filter.tags = [PadElement.key(address)]
        var found = Elements()
        var seen: Set<ItemHash> = []
        try network.survey(filter) { messages in
            for message in messages where seen.insert(message.itemHash).inserted {
                switch PadElement.read(message, of: address) {
                case .foreign: continue
                case .element(let element): found.good.append(element)
                case .damaged: found.isDamaged = true
                case .newer(let version): found.newer = max(found.newer ?? 0, version)
                }
                found.newestTime = max(found.newestTime ?? 0, message.time)
            }
            return seen.count < Self.elementLimit
        }
        return found
    }

    /// The element that stands: of equal counters the one that everybody comes to.
    private func best(_ elements: [PadElement]) -> PadElement? {
        elements.reduce(nil as PadElement?) { best, element in
            guard let best else { return element }
            return switch settle(ours: best.record, theirs: element.record) {
            case .same, .ours: best
            case .theirs: element
            case .fork(let winner, _): winner == best.record ? best : element
            }
        }
    }

    private func standing(
        _ found: Elements, _ address: PadAddress
    ) throws(StoreError) -> PadElement? {
        if let version = found.newer { throw Self.newer(version) }
        guard let best = best(found.good) else {
            guard !found.isDamaged else { throw .corruptPad(address) }
            return nil
        }
        return best
    }

    private static func newer(_ version: UInt64) -> StoreError {
        .newerFormat(found: version, supported: UInt64(PadRecord.formatVersion))
    }
}
