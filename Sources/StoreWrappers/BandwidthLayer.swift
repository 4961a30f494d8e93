// SPDX-License-Identifier: Apache-2.0
//
// Limits of bytes a second, each way.

package import Stores
internal import Synchronization

/// Bytes a second, on average. Pure: the caller brings the clock.
///
/// Whoever moved bytes has paid for them when their time at this rate is over; the next one waits
/// for that. So a chunk goes at the line's own speed, and the line rests afterwards.
package struct ByteRate: Sendable {
    /// What `--limit-upload` and `--limit-download` may be, in bytes a second.
    package static let limits: ClosedRange<UInt64> = 1024...(1 << 40)

    private let bytesPerSecond: UInt64
    private var paidUntil: ContinuousClock.Instant

    /// A line that has not been used yet.
    package init(bytesPerSecond: UInt64, now: ContinuousClock.Instant) {
        precondition(ByteRate.limits.contains(bytesPerSecond), "a rate out of its limits")
        self.bytesPerSecond = bytesPerSecond
        paidUntil = now
    }

    /// Moves bytes.
    ///
    /// - Returns: how long to wait before.
    package mutating func take(_ count: Int, now: ContinuousClock.Instant) -> Duration {
        let start = max(paidUntil, now)
        paidUntil = start + .seconds(1) * (Double(count) / Double(bytesPerSecond))
        return start - now
    }
}

/// Keeps what goes to a store, and what comes from it, below limits.
package final class BandwidthLayer: StoreLayer {
    private let upload: Mutex<ByteRate?>
    private let download: Mutex<ByteRate?>
    private let pause = Pause()

    /// A layer with limits in bytes a second; nil for none.
    package init(upload: UInt64?, download: UInt64?) {
        self.upload = Mutex(upload.map { ByteRate(bytesPerSecond: $0, now: .now) })
        self.download = Mutex(download.map { ByteRate(bytesPerSecond: $0, now: .now) })
    }

    package func perform<Answer>(
        _ call: StoreCall, received: (Answer) -> Int,
        _ body: () throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer {
        if call.sent > 0 { try wait(upload, call.sent) }
        // What comes is known when it has come: first what came before is paid for.
        let mayReceive = call.operation == .get || call.operation == .getPad
        if mayReceive { try wait(download, 0) }
        let answer = try body()
        if mayReceive { _ = download.withLock { $0?.take(received(answer), now: .now) } }
        return answer
    }

    package func stop() { pause.stop() }

    private func wait(
        _ rate: borrowing Mutex<ByteRate?>, _ count: Int
    ) throws(StoreError) {
        let wait = rate.withLock { $0?.take(count, now: .now) } ?? .zero
        guard pause.sleep(wait) else { throw .unreachable(retryAfter: nil) }
    }
}
