// SPDX-License-Identifier: Apache-2.0
//
// What a store was asked, in the text that Prometheus reads. docs/format.md, "Status".

package import Stores

extension StoreMetrics {
    /// Counters by operation, failures by kind, and a histogram of latencies.
    var text: String {
        guard !isEmpty else { return "" }
        let operations = sorted { $0.key.rawValue < $1.key.rawValue }
        var lines = ["# TYPE cairn_store_requests_total counter"]
        for (operation, numbers) in operations {
            lines.append("cairn_store_requests_total{\(operation.label)} \(numbers.count)")
        }
        lines.append("# TYPE cairn_store_errors_total counter")
        for (operation, numbers) in operations {
            for (kind, count) in numbers.failures.sorted(by: { $0.key < $1.key }) {
                lines.append(
                    "cairn_store_errors_total{\(operation.label),kind=\"\(kind)\"} \(count)")
            }
        }
        lines.append("# TYPE cairn_store_bytes_total counter")
        for (operation, numbers) in operations {
            for (way, bytes) in [("sent", numbers.sentBytes), ("received", numbers.receivedBytes)] {
                lines.append(
                    "cairn_store_bytes_total{\(operation.label),direction=\"\(way)\"} \(bytes)")
            }
        }
        lines.append("# TYPE cairn_store_request_seconds histogram")
        for (operation, numbers) in operations {
            lines += StoreMetrics.histogram(operation, numbers)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func histogram(
        _ operation: StoreOperation, _ numbers: OperationMetrics
    ) -> [String] {
        let name = "cairn_store_request_seconds"
        var lines: [String] = []
        var sum: UInt64 = 0
        for (limit, count) in zip(OperationMetrics.latencyLimits, numbers.latencies) {
            sum += count
            let seconds = Double(limit) / 1000
            lines.append("\(name)_bucket{\(operation.label),le=\"\(seconds)\"} \(sum)")
        }
        let all = "\(name)_bucket{\(operation.label),le=\"+Inf\"} \(numbers.count)"
        let time = "\(name)_sum{\(operation.label)} \(numbers.time / .seconds(1))"
        return lines + [all, time, "\(name)_count{\(operation.label)} \(numbers.count)"]
    }
}

extension StoreOperation {
    fileprivate var label: String { "operation=\"\(rawValue)\"" }
}

extension OperationStatus {
    /// The sums of one operation's numbers.
    package init(_ operation: StoreOperation, _ numbers: OperationMetrics) {
        let (seconds, attoseconds) = numbers.time.components
        self.init(
            name: operation.rawValue, count: numbers.count,
            failures: numbers.failures.values.reduce(0, +), sentBytes: numbers.sentBytes,
            receivedBytes: numbers.receivedBytes,
            microseconds: UInt64(max(0, seconds)) * 1_000_000
                + UInt64(max(0, attoseconds)) / 1_000_000_000_000)
    }
}
