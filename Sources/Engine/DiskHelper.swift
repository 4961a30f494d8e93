// SPDX-License-Identifier: Apache-2.0
//
// A thread that asks the disk for what nobody waits for yet. Who serves a program does not ask
// itself: handing the disk a megabyte takes as long as waiting for one block.

import Synchronization
import Threading

/// Asks the disk, one piece of work after the other; what is too much is left out.
final class DiskHelper: Sendable {
    /// Pieces of work that wait at most.
    static let limit = 8

    private let pool: WorkerPool
    private let waiting = Atomic<Int>(0)

    /// - Parameter name: of the thread, as `ps -T` shows it.
    init(_ name: String) {
        pool = WorkerPool(name, threads: 1)
    }

    /// Has something done for which it is no harm if it is not. Returns at once.
    ///
    /// - Returns: false if too much waits: `work` is not called then.
    func ask(_ work: @escaping @Sendable () -> Void) -> Bool {
        let isAccepted = waiting.add(1, ordering: .relaxed).newValue <= DiskHelper.limit
        let isQueued =
            isAccepted
            && pool.submit { [self] in
                work()
                waiting.subtract(1, ordering: .relaxed)
            }
        if !isQueued { waiting.subtract(1, ordering: .relaxed) }
        return isQueued
    }

    func stop(until deadline: ContinuousClock.Instant) {
        pool.stop(until: deadline)
    }
}
