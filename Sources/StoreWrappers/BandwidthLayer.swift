// SPDX-License-Identifier: Apache-2.0
//
// Limits of bytes a second, each way.

internal import Primitives
package import Stores

/// Bytes a second, on average. Pure: the caller brings the clock.
///
/// Whoever moves bytes pays for them before, and the next one waits until their time at this rate
/// is over: calls begin one after the other, as many bytes apart as each moves, however many
/// threads there are. An idle line saves nothing up, so that a burst is one call's bytes at most; a
/// store behind HTTP moves those evenly too (`HTTPSpeeds`).
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

    /// Fewer or more bytes came than were paid for.
    package mutating func settle(paid: Int, moved: Int) {
        paidUntil += .seconds(1) * (Double(moved - paid) / Double(bytesPerSecond))
    }
}

/// What the next answer will have, going by the last ones: a call that is made before another has
/// ended must wait for bytes that nobody has counted yet. Pure.
package struct AnswerEstimate: Sendable {
    /// Before the first answer, in bytes.
    package static let first = 256 << 10
    /// The share of the newest answer in the estimate: one in so many.
    private static let weight = 4

    /// Bytes of the next answer, as far as one can tell.
    package private(set) var bytes = first

    /// No answer yet.
    package init() {}

    /// Notes an answer.
    package mutating func note(_ count: Int) {
        bytes += (count - bytes) / AnswerEstimate.weight
    }
}

/// Keeps what goes to a store, and what comes from it, below limits.
package final class BandwidthLayer: StoreLayer {
    private let upload: Lock<ByteRate?>
    private let download: Lock<ByteRate?>
    private let estimate = Lock(AnswerEstimate())
    private let pause = Pause()

    /// A layer with limits in bytes a second; nil for none.
    package init(upload: UInt64?, download: UInt64?) {
        self.upload = Lock(upload.map { ByteRate(bytesPerSecond: $0, now: .now) })
        self.download = Lock(download.map { ByteRate(bytesPerSecond: $0, now: .now) })
    }

    package func perform<Answer>(
        _ call: StoreCall, received: (Answer) -> Int,
        _ body: () throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer {
        if call.sent > 0 { try wait(upload, call.sent) }
        guard call.operation == .get || call.operation == .getPad else { return try body() }
        // What comes is known when it has come. Until then a guess is paid for, so that calls
        // which begin together do not come in one burst.
        let paid = call.operation == .get ? estimate.withLock { $0.bytes } : 0
        try wait(download, paid)
        var moved = 0
        defer { download.withLock { $0?.settle(paid: paid, moved: moved) } }
        let answer = try body()
        moved = received(answer)
        if call.operation == .get { estimate.withLock { $0.note(moved) } }
        return answer
    }

    package func stop() { pause.stop() }

    private func wait(
        _ rate: Lock<ByteRate?>, _ count: Int
    ) throws(StoreError) {
        let wait = rate.withLock { $0?.take(count, now: .now) } ?? .zero
        guard pause.sleep(wait) else { throw .unreachable(retryAfter: nil) }
    }
}
