// SPDX-License-Identifier: Apache-2.0
//
// The calls to a store as a table: how many, how long each takes, how many bytes a second. Pure:
// the caller brings the clock.

package import Engine

/// Follows the counters of a store's calls.
package struct TransferTable: Sendable {
    /// The time over which rates are taken.
    static let window = Duration.seconds(3)
    /// Moments that are remembered for it.
    static let sampleLimit = 16

    private struct Sample {
        let at: Duration
        let operations: [OperationStatus]
    }
    private var samples: [Sample] = []

    /// Nothing seen yet.
    package init() {}

    /// Notes the counters as they are now.
    package mutating func note(_ operations: [OperationStatus], at: Duration) {
        // A mount that began anew counts from nothing.
        if let last = samples.last,
            last.operations.contains(where: { old in
                operations.first { $0.name == old.name }.map { $0.count < old.count } ?? true
            })
        {
            samples = []
        }
        samples.append(Sample(at: at, operations: operations))
        while samples.count > 2,
            samples.count > TransferTable.sampleLimit || at - samples[1].at >= TransferTable.window
        {
            samples.removeFirst()
        }
    }

    /// What one operation did in the window.
    private struct Recent {
        let name: String
        let total: OperationStatus
        let calls: UInt64
        let sent: UInt64
        let received: UInt64
        let microseconds: UInt64
        let seconds: Double
    }

    private var recent: [Recent] {
        guard let first = samples.first, let last = samples.last else { return [] }
        let seconds = (last.at - first.at) / .seconds(1)
        return last.operations.filter { $0.count > 0 }.map { now in
            let old = first.operations.first { $0.name == now.name }
            return Recent(
                name: now.name, total: now, calls: now.count - (old?.count ?? 0),
                sent: now.sentBytes - min(now.sentBytes, old?.sentBytes ?? 0),
                received: now.receivedBytes - min(now.receivedBytes, old?.receivedBytes ?? 0),
                microseconds: now.microseconds - min(now.microseconds, old?.microseconds ?? 0),
                seconds: seconds)
        }
    }

    /// The table, a line each; only a sentence while the store has not been asked.
    package var text: String {
        let rows = recent
        if rows.isEmpty { return "the store has not been asked yet\n" }
        let head = ["store calls", "calls", "failed", "calls/s", "each", "up/s", "down/s"]
        let cells = rows.map { row in
            [
                row.name, "\(row.total.count)", "\(row.total.failures)",
                row.seconds > 0 ? Self.rounded(Double(row.calls) / row.seconds) : "-",
                Self.time(row.calls > 0 ? row.microseconds / row.calls : nil),
                Self.speed(row.sent, row.seconds), Self.speed(row.received, row.seconds),
            ]
        }
        let widths = head.indices.map { column in
            ([head] + cells).map { $0[column].utf8.count }.max() ?? 0
        }
        return ([head] + cells).map { row in
            row.indices.map { column in
                let blank = String(
                    repeating: " ", count: widths[column] - row[column].utf8.count)
                return column == 0 ? row[column] + blank : blank + row[column]
            }.joined(separator: "  ") + "\n"
        }.joined()
    }

    /// All of it in a few words, for a log.
    package var summary: String {
        let rows = recent
        let seconds = rows.first?.seconds ?? 0
        let calls = rows.reduce(0) { $0 + $1.calls }
        return "\(Self.speed(rows.reduce(0) { $0 + $1.sent }, seconds)) up, "
            + "\(Self.speed(rows.reduce(0) { $0 + $1.received }, seconds)) down, "
            + "\(seconds > 0 ? Self.rounded(Double(calls) / seconds) : "-") calls/s"
    }

    private static func speed(_ bytes: UInt64, _ seconds: Double) -> String {
        guard seconds > 0 else { return "-" }
        return bytes == 0 ? "0" : SizeText.rounded(UInt64(Double(bytes) / seconds))
    }

    private static func rounded(_ number: Double) -> String {
        let tenths = UInt64((number * 10).rounded())
        return tenths >= 100 ? "\(tenths / 10)" : "\(tenths / 10).\(tenths % 10)"
    }

    private static func time(_ microseconds: UInt64?) -> String {
        guard let microseconds else { return "-" }
        return switch microseconds {
        case ..<10_000: "\(microseconds / 1000).\(microseconds / 100 % 10) ms"
        case ..<10_000_000: "\(microseconds / 1000) ms"
        default: "\(microseconds / 1_000_000) s"
        }
    }
}
