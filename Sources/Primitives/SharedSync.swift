// SPDX-License-Identifier: Apache-2.0
//
// What of a file's writes a sync has covered: who comes together shares one.
//
// Invariants:
// - `covered` never passes what was not written before a sync began.
// - After one failed sync no later one is believed: the kernel may have dropped what it could not
//   write, says so once, and nobody can tell what it was.
// - The lock is held during a sync, and no other lock is taken under it.

internal import Synchronization

/// Keeps count of a file's writes, and brings them to the disk by a sync of the caller's.
package final class SharedSync<Failure: Error>: Sendable {
    /// Writes so far.
    private let written: Atomic<UInt64>
    /// How many of them are on the disk; raised under `failure` only.
    private let covered = Atomic<UInt64>(0)
    /// Held while syncing, so that those who wait find theirs synced by whoever went before them.
    /// Why the first sync that failed did.
    private let failure = Lock<Failure?>(nil)
    /// Whether `failure` has something, for who may not wait for a sync to end.
    private let hasFailed = Atomic<Bool>(false)

    /// - Parameter isSettled: false if there may be bytes in the file that never were synced.
    package init(isSettled: Bool) {
        written = Atomic(isSettled ? 0 : 1)
    }

    /// One more write is in the file.
    package func note() {
        written.add(1, ordering: .releasing)
    }

    /// Whether everything that was noted is on the disk.
    package var isSettled: Bool {
        covered.load(ordering: .acquiring) >= written.load(ordering: .acquiring)
    }

    /// Throws what the first sync that failed threw, if one has: nothing may be built on such a
    /// file. Waits for no sync of a file that is sound.
    package func checkSound() throws(Failure) {
        guard hasFailed.load(ordering: .acquiring) else { return }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    /// Brings to the disk every write that was noted before this was called; waits for nobody where
    /// they are there.
    ///
    /// - Parameters:
    ///   - isForced: also then: for bytes that nobody noted, such as zeros written ahead.
    ///   - body: the sync itself.
    /// - Throws: what `body` throws; and from then on the same, without calling it.
    package func sync(
        isForced: Bool = false, _ body: () throws(Failure) -> Void
    ) throws(Failure) {
        let wanted = written.load(ordering: .acquiring)
        let isThere = covered.load(ordering: .acquiring) >= wanted
        if isThere, !isForced, !hasFailed.load(ordering: .acquiring) { return }
        try failure.withLock { (failure) throws(Failure) in
            if let failure { throw failure }
            guard isForced || covered.load(ordering: .relaxed) < wanted else { return }
            // Whatever was noted by now was written by now: the sync covers it too.
            let reached = written.load(ordering: .acquiring)
            do throws(Failure) {
                try body()
            } catch {
                failure = error
                hasFailed.store(true, ordering: .releasing)
                throw error
            }
            covered.store(reached, ordering: .releasing)
        }
    }
}
