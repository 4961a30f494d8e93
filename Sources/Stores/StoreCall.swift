// SPDX-License-Identifier: Apache-2.0
//
// Calls of stores, as numbers: what was asked, how long it took, what came of it. Every store can
// be counted by these, whatever it is.

/// What a store is asked.
package enum StoreOperation: String, CaseIterable, Sendable {
    case put, get, has, sync, list, delete
    case getPad = "get_pad"
    case putPad = "put_pad"
    case capacity
}

/// The numbers of one operation.
package struct OperationMetrics: Equatable, Sendable {
    /// The upper ends of the buckets of `latencies`, in milliseconds; the last bucket is open.
    package static let latencyLimits: [Int] = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 30_000,
    ]

    /// Calls that ended, well or not.
    package var count: UInt64 = 0
    /// Bytes that were handed over in calls that succeeded.
    package var sentBytes: UInt64 = 0
    /// Bytes that came.
    package var receivedBytes: UInt64 = 0
    /// How long all calls took together.
    package var time = Duration.zero
    /// Calls by how long they took, each in one bucket.
    package var latencies = [UInt64](repeating: 0, count: latencyLimits.count + 1)
    /// Calls that failed, by `StoreError.kind`.
    package var failures: [String: UInt64] = [:]

    /// Nothing was called yet.
    package init() {}

    /// Notes a call.
    package mutating func note(
        _ time: Duration, sent: Int, received: Int, failure: StoreError?
    ) {
        count += 1
        self.time += time
        let bucket = OperationMetrics.latencyLimits.firstIndex { time <= .milliseconds($0) }
        latencies[bucket ?? OperationMetrics.latencyLimits.count] += 1
        if let failure {
            failures[failure.kind, default: 0] += 1
        } else {
            sentBytes += UInt64(sent)
            receivedBytes += UInt64(received)
        }
    }
}

extension OperationMetrics {
    /// Adds the numbers of another store.
    package mutating func add(_ other: OperationMetrics) {
        count += other.count
        sentBytes += other.sentBytes
        receivedBytes += other.receivedBytes
        time += other.time
        for index in latencies.indices { latencies[index] += other.latencies[index] }
        failures.merge(other.failures) { $0 + $1 }
    }
}

/// The numbers of a store, by operation.
package typealias StoreMetrics = [StoreOperation: OperationMetrics]

/// A store that counts what it is asked.
package protocol MetricsReporting: Sendable {
    /// The numbers so far.
    func metrics() -> StoreMetrics
}

/// A store whose calls may take long, and can be ended from another thread.
package protocol StoppableStore: Sendable {
    /// Ends the calls under way, and every later one, with `unreachable`: the process is about to
    /// go. Returns at once.
    func stop()
}

extension StoreError {
    /// A word for each cause, for counting.
    package var kind: String {
        switch self {
        case .missing, .missingPad: "missing"
        case .corrupt, .corruptPad: "corrupt"
        case .unreachable: "unreachable"
        case .busy: "busy"
        case .refused: "refused"
        case .full: "full"
        case .quotaExceeded: "quota"
        case .paymentRequired, .unpaid: "payment"
        case .readOnly: "read_only"
        case .notAStore: "not_a_store"
        case .newerFormat: "newer_format"
        case .tooLarge: "too_large"
        }
    }
}
