// SPDX-License-Identifier: Apache-2.0
//
// Pads as objects, each replaced only if it still is what was read.

internal import Glibc
internal import HTTP
package import Scratchpads
package import Stores
internal import Synchronization

extension S3Store: PadStore {
    /// A put is begun anew so often when others replace the pad meanwhile. Each time one of them
    /// got ahead, so this many would have to write the same pad at once.
    private static let attemptLimit = 64
    /// The longest pause before the next attempt, in microseconds: a request's time.
    private static let longestPause: UInt32 = 20_000

    /// What rests under a pad's key.
    private enum Resting {
        case nothing
        case record(PadRecord, tag: String?)
        case damaged(tag: String?)
    }

    /// The standing record of a pad.
    package func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        try beReady()
        switch try resting(address) {
        case .nothing: return nil
        case .record(let record, _): return record
        case .damaged: throw .corruptPad(address)
        }
    }

    /// Offers a record; the service has stored it when this returns `accepted`.
    ///
    /// On a service that cannot compare, the pad is read again afterwards: one that was replaced
    /// by another machine in the same moment is noticed if it is the other's that stands, and the
    /// other's is lost if it is ours. `comparesPads` tells.
    package func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        do throws(ScratchpadError) {
            try record.verify()
        } catch {
            throw .refused("the record's signature is not that of the pad's owner")
        }
        try beReady()
        let condition = try padCondition()
        if case .exact = condition { return try replace(record, condition) }
        // At least the threads of this process do not overtake each other.
        return try replacing.withLock { _ throws(StoreError) in try replace(record, condition) }
    }

    /// Whether the service replaces a pad only if nobody else did meanwhile.
    package func comparesPads() throws(StoreError) -> Bool {
        if case .exact = try padCondition() { true } else { false }
    }

    private func replace(
        _ record: PadRecord, _ condition: PadCondition
    ) throws(StoreError) -> PadPutOutcome {
        for attempt in 0..<S3Store.attemptLimit {
            // Those that were too late do not come back in step.
            if attempt > 0 { _ = usleep(UInt32.random(in: 0...S3Store.longestPause)) }
            let tag: String?
            let isThere: Bool
            switch try resting(record.address) {
            case .nothing: (tag, isThere) = (nil, false)
            case .damaged(let found): (tag, isThere) = (found, true)
            case .record(let standing, let found):
                if standing == record { return .accepted }
                guard CounterRule.accepts(standing: standing, offered: record) else {
                    return .standing(standing)
                }
                (tag, isThere) = (found, true)
            }
            var request = S3Request(
                method: .put, key: keys.pad(record.address), body: record.encoded())
            // What is there without a tag cannot be compared; `*` would refuse for ever.
            let isComparable = !isThere || tag != nil
            if isComparable { request.headers = condition.headers(tag: tag) }
            let response = try client.send(request, accepting: [404, 409, 412])
            if response.isSuccess {
                if isComparable, condition.isSafe(tag: tag) { return .accepted }
                // Goes round once more, and sees what stands.
                continue
            }
            if response.status == 404, S3Failure(response).code == "NoSuchBucket" {
                throw S3Failure(response).storeError(bucket: client.address.bucket)
            }
        }
        throw .busy(retryAfter: nil)
    }

    private func resting(_ address: PadAddress) throws(StoreError) -> Resting {
        let key = keys.pad(address)
        guard let response = try object(key, limit: PadRecord.maximumSize) else {
            let head = try client.send(S3Request(method: .head, key: key))
            return .damaged(tag: S3Store.tag(head))
        }
        if response.status == 404 {
            let failure = S3Failure(response)
            guard failure.code == "NoSuchKey" else {
                throw failure.storeError(bucket: client.address.bucket)
            }
            return .nothing
        }
        let tag = S3Store.tag(response)
        do throws(ScratchpadError) {
            let record = try PadRecord(decoding: response.body, schemes: [address.scheme])
            guard record.address == address else { return .damaged(tag: tag) }
            try record.verify()
            return .record(record, tag: tag)
        } catch {
            if case .unsupportedVersion(let version) = error {
                throw .newerFormat(
                    found: UInt64(version), supported: UInt64(PadRecord.formatVersion))
            }
            return .damaged(tag: tag)
        }
    }
}
