// SPDX-License-Identifier: Apache-2.0
//
// What a store was asked, for programs. Pure.

import Stores

extension StoreMetrics {
    /// An object by operation: calls, bytes, failures by kind, and how long calls took.
    var json: JSONText {
        let operations = sorted { $0.key.rawValue < $1.key.rawValue }
        return .object(operations.map { ($0.key.rawValue, $0.value.json) })
    }
}

extension OperationMetrics {
    /// The numbers of one operation. Of the latencies, those that no call had are left out.
    fileprivate var json: JSONText {
        let kinds = failures.sorted { $0.key < $1.key }.map { ($0.key, JSONText.count($0.value)) }
        let limits = OperationMetrics.latencyLimits.map { "\($0)" } + ["more"]
        let buckets = zip(limits, latencies).filter { $0.1 > 0 }
        return .object([
            ("calls", .count(count)),
            ("sentBytes", .count(sentBytes)),
            ("receivedBytes", .count(receivedBytes)),
            ("milliseconds", .integer(DurationText.milliseconds(of: time))),
            ("failures", .object(kinds)),
            ("callsByMilliseconds", .object(buckets.map { ($0.0, .count($0.1)) })),
        ])
    }
}
