// SPDX-License-Identifier: Apache-2.0
//
// Counts calls. Innermost of all layers: a call that is made again counts again.

internal import Primitives
package import Stores

/// Counts what a store is asked, how long that takes and what comes of it.
package final class MetricsLayer: StoreLayer, MetricsReporting {
    private let numbers = Lock(StoreMetrics())

    /// A layer that has counted nothing.
    package init() {}

    package func perform<Answer>(
        _ call: StoreCall, received: (Answer) -> Int,
        _ body: () throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer {
        let start = ContinuousClock.now
        do throws(StoreError) {
            let answer = try body()
            note(call, start, received(answer), nil)
            return answer
        } catch {
            note(call, start, 0, error)
            throw error
        }
    }

    package func metrics() -> StoreMetrics { numbers.withLock { $0 } }

    /// It waits for nothing.
    package func stop() {}

    private func note(
        _ call: StoreCall, _ start: ContinuousClock.Instant, _ received: Int, _ failure: StoreError?
    ) {
        let time = ContinuousClock.now - start
        numbers.withLock {
            $0[call.operation, default: OperationMetrics()]
                .note(time, sent: call.sent, received: received, failure: failure)
        }
    }
}
