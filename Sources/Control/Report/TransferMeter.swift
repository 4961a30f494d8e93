// SPDX-License-Identifier: Apache-2.0
//
// How a transfer goes, as one line: a bar, how much of how much, how fast, how long still. Pure:
// the caller brings the clock and the terminal's width.
//
// Invariants: a line for a terminal is never wider than asked; the share shown never falls, and is
// below 100 % until everything is done.

/// Follows one transfer.
package struct TransferMeter: Sendable {
    /// The time over which the rate is taken: long enough to be calm, short enough to be true.
    static let window = Duration.seconds(5)
    /// Moments that are remembered for it.
    static let sampleLimit = 64
    /// The widest bar, in columns, and the narrowest that is worth one.
    static let barLimit = 30
    static let barFloor = 6
    /// Times left beyond this say nothing.
    static let longestEstimate = Duration.seconds(100 * 3600)

    private struct Sample {
        let at: Duration
        let done: UInt64
    }

    /// What is done, in words: `sync`, `put`.
    private let label: String
    private var samples: [Sample] = []
    private var done: UInt64 = 0
    private var total: UInt64?
    private var share = 0
    private var note = ""

    /// A transfer that has not begun.
    package init(_ label: String) {
        self.label = label
    }

    /// Notes how far it is.
    ///
    /// - Parameters:
    ///   - done: bytes; fewer than before count as before.
    ///   - total: bytes in all; nil if nobody knows. May grow.
    ///   - note: what is being done, or what is in the way; shown if there is room.
    ///   - at: time since the beginning.
    package mutating func note(done: UInt64, of total: UInt64?, _ note: String, at: Duration) {
        self.done = max(self.done, done)
        self.total = total.map { max($0, self.done) }
        self.note = note
        // Calls in quick succession only move the newest sample.
        if let last = samples.last, samples.count > 1,
            at - samples[samples.count - 2].at < TransferMeter.window / TransferMeter.sampleLimit
        {
            samples[samples.count - 1] = Sample(at: max(at, last.at), done: self.done)
        } else {
            samples.append(Sample(at: at, done: self.done))
        }
        while samples.count > 2, at - samples[1].at >= TransferMeter.window {
            samples.removeFirst()
        }
        if let total = self.total, total > 0 {
            let exact = Double(self.done) / Double(total) * 100
            share = max(share, self.done == total ? 100 : min(Int(exact), 99))
        }
    }

    /// Bytes a second of late; nil before there is anything to go by.
    var rate: Double? {
        guard let first = samples.first, let last = samples.last else { return nil }
        let time = (last.at - first.at) / .seconds(1)
        return time >= 0.2 ? Double(last.done - first.done) / time : nil
    }

    /// The time it will take still; nil if that cannot be said.
    var timeLeft: Duration? {
        guard let total, let rate, rate > 0, total > done else { return nil }
        let seconds = Double(total - done) / rate
        guard seconds < TransferMeter.longestEstimate / .seconds(1) else { return nil }
        return .seconds(seconds.rounded(.up))
    }

    /// The line for a terminal of so many columns; what has no room is left out, the most
    /// important last.
    package func line(width: Int) -> String {
        var parts = [label]
        if total != nil {
            parts.append(
                "\(String(repeating: " ", count: share < 10 ? 2 : share < 100 ? 1 : 0))\(share)%")
        }
        // In the order in which they are given up.
        var optional: [(order: Int, text: String)] = [(1, amount)]
        if let rate { optional.append((2, "\(SizeText.rounded(UInt64(rate)))/s")) }
        if let timeLeft { optional.append((0, "\(TransferMeter.clock(timeLeft)) left")) }
        if !note.isEmpty { optional.append((3, note)) }
        var kept: [(order: Int, text: String)] = []
        var used = TerminalText.columns(of: parts.joined(separator: " "))
        for part in optional.sorted(by: { $0.order < $1.order }) {
            var text = TerminalText.printable(part.text)
            // A note is a sentence: its beginning is of use too.
            if part.order == 3, width - used - 2 >= 12 {
                text = TerminalText.fitted(text, to: width - used - 2)
            }
            let columns = TerminalText.columns(of: text) + 2
            if used + columns > width { continue }
            used += columns
            kept.append((part.order, text))
        }
        if total != nil {
            let room = min(width - used - 3, TransferMeter.barLimit)
            if room >= TransferMeter.barFloor { parts.insert(bar(room), at: 1) }
        }
        let order = [1, 2, 0, 3]
        let tail = order.compactMap { place in kept.first { $0.order == place }?.text }
        let text = ([parts.joined(separator: " ")] + tail).joined(separator: "  ")
        return TerminalText.fitted(text, to: width)
    }

    /// The line for a log, where nobody watches.
    package var plain: String {
        var text = label + ": " + (total == nil ? amount : "\(share)%, \(amount)")
        if let rate { text += ", \(SizeText.rounded(UInt64(rate)))/s" }
        if let timeLeft { text += ", \(TransferMeter.clock(timeLeft)) left" }
        if !note.isEmpty { text += "; " + TerminalText.printable(note) }
        return text
    }

    private var amount: String {
        guard let total else { return SizeText.rounded(done) }
        return "\(SizeText.rounded(done)) of \(SizeText.rounded(total))"
    }

    private func bar(_ width: Int) -> String {
        let full = width * share / 100
        return "[" + String(repeating: "#", count: full)
            + String(repeating: "-", count: width - full) + "]"
    }

    /// `0:07`, `12:34`, `3:04:05`.
    static func clock(_ time: Duration) -> String {
        let seconds = max(0, time.components.seconds)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
        return hours > 0
            ? "\(hours):\(two(minutes)):\(two(seconds % 60))" : "\(minutes):\(two(seconds % 60))"
    }
}

/// What a synchronization has done, from the engine's own numbers. Pure.
package struct SyncProgress: Sendable {
    private var first: UInt64?
    private var total: UInt64 = 0

    /// Nothing seen yet.
    package init() {}

    /// How far it is, in bytes of files.
    ///
    /// A file counts as brought over when all of it is; until then what was handed to the store
    /// counts, so that one large file does not stand still.
    package mutating func amounts(
        remaining: UInt64, flushed: UInt64
    ) -> (done: UInt64, total: UInt64) {
        let start = first ?? flushed
        first = start
        let since = flushed - min(start, flushed)
        total = max(total, remaining)
        let finished = total - min(remaining, total)
        // The rest is the files' own end, and the revision: never shown as done before it is.
        let handed = remaining == 0 ? total : min(since, total - total / 100)
        return (max(finished, handed), total)
    }
}
