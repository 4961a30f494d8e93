// SPDX-License-Identifier: Apache-2.0
//
// Progress where a person or a log sees it: one line at a terminal, drawn over itself; elsewhere a
// line now and then; or nothing.

package import Engine
import Primitives

/// Shows how one transfer goes.
package final class ProgressDisplay: Sendable {
    /// How often the line at a terminal is drawn anew.
    static let drawInterval = Duration.milliseconds(100)
    /// How often a log gets a line; the first one after as long.
    static let logInterval = Duration.seconds(5)

    /// Where it goes.
    package enum Mode: Sendable {
        /// A line at a terminal.
        case terminal
        /// Lines of a log.
        case log
        /// Nowhere.
        case quiet
    }

    private struct State {
        var meter: TransferMeter
        var synchronization = SyncProgress()
        let start = ContinuousClock.now
        var shownAt: ContinuousClock.Instant
        var isDrawn = false
    }
    private let mode: Mode
    private let state: Lock<State>

    /// - Parameters:
    ///   - label: what is done, in a word.
    ///   - isQuiet: whether nothing is shown at all.
    package init(_ label: String, isQuiet: Bool) {
        mode = isQuiet ? .quiet : Output.isWatched ? .terminal : .log
        let now = ContinuousClock.now
        // At a terminal the first line comes at once.
        let last = mode == .terminal ? now - ProgressDisplay.drawInterval : now
        state = Lock(State(meter: TransferMeter(label), shownAt: last))
    }

    /// Whether anybody sees it.
    package var isShown: Bool { mode != .quiet }

    /// Shows how far it is; `total` nil if nobody knows.
    package func show(done: UInt64, of total: UInt64?, _ note: String) {
        guard isShown else { return }
        let text = state.withLock { state -> String? in
            let now = ContinuousClock.now
            state.meter.note(done: done, of: total, note, at: now - state.start)
            let interval =
                mode == .terminal ? ProgressDisplay.drawInterval : ProgressDisplay.logInterval
            guard now - state.shownAt >= interval else { return nil }
            state.shownAt = now
            guard mode == .terminal else { return "cairn: \(state.meter.plain)\n" }
            state.isDrawn = true
            // \u{1B}[K clears what a longer line left. The last column stays free: a full line
            // would go on in the next.
            return "\r\(state.meter.line(width: Terminal.errorWidth - 1))\u{1B}[K"
        }
        if let text { Output.note(text) }
    }

    /// Shows how the store takes what is new.
    package func show(_ status: EngineStatus) {
        let (done, total) = state.withLock {
            $0.synchronization.amounts(
                remaining: status.dirtyBytes, flushed: status.bytesFlushed)
        }
        let isMoving = total > 0 && status.storeFailure.isEmpty
        show(
            done: done, of: total > 0 ? total : nil,
            isMoving ? "" : StatusText.progress(of: status))
    }

    /// Takes the line away.
    package func end() {
        let isDrawn = state.withLock { state in
            defer { state.isDrawn = false }
            return state.isDrawn
        }
        if isDrawn { Output.note("\r\u{1B}[K") }
    }
}
