// SPDX-License-Identifier: Apache-2.0
//
// What happens when much that was changed is in memory only (decision 0047).
//
// A burst of changes is served from memory. It is drained when nobody asks for much any more, or by
// the commit that is due anyway; only at the limits is it drained by who makes it.

import Primitives
import Synchronization

extension Committer {
    /// Dirty inodes at which the background is told, and looks until it may drain them.
    static let crowdSize = 1024
    /// Dirty inodes at which it writes access times while programs are busy, too: who only reads
    /// never drains.
    static let accessCrowdSize = 4096
    /// Dirty inodes, of 1 to 2 KiB each, at which who changes one more drains some.
    static let dirtyLimit = 8192
    /// Bytes of unwritten inline content at which who writes more drains some.
    static let unwrittenLimit = 16 << 20
    /// Inodes that are drained at a limit: some ten milliseconds.
    static let drainedAtLimit = 1024

    /// Keeps what is in memory below the limits, and tells the background of much that is, or of
    /// much to commit. Called after bytes were written; `keepBelowLimits` after all else that
    /// makes, moves, removes or changes files.
    func drainIfCrowded() throws(FileError) {
        pressIfDue()
        let count = dirtyCount
        if isAtLimit(count) {
            // Who waited for the lock may find that another one has done it.
            try drainOldest(Committer.drainedAtLimit) { isAtLimit(dirtyCount) }
        } else if count >= Committer.crowdSize {
            tellOfCrowd()
        }
    }

    /// The same for who has done something that stands: where the disk is full, it is in the error
    /// log, and who writes or syncs next is told.
    func keepBelowLimits() {
        try? drainIfCrowded()
    }

    private func isAtLimit(_ count: Int) -> Bool {
        count >= Committer.dirtyLimit
            || volume.unwrittenInline.load(ordering: .relaxed) >= Committer.unwrittenLimit
    }

    /// Tells the background of much that is in memory. Called after a read.
    func tellIfCrowded() {
        if dirtyCount >= Committer.crowdSize { tellOfCrowd() }
    }

    /// Once for each crowd: then it looks by itself.
    private func tellOfCrowd() {
        if !isCrowdKnown.exchange(true, ordering: .relaxed) { crowd() }
    }

    /// Whether there is so much in memory that the background should look until there is less. If
    /// not, it is told when there is.
    func noteCrowd() -> Bool {
        // Before the count: who makes the crowd between the two tells of it.
        isCrowdKnown.store(false, ordering: .sequentiallyConsistent)
        guard dirtyCount >= Committer.crowdSize else { return false }
        isCrowdKnown.store(true, ordering: .relaxed)
        return true
    }

    /// Steps in which all would be looked at, if at least so many are dirty; else none.
    func steps(from least: Int) -> Int {
        let count = dirtyCount
        return count < least ? 0 : count / Committer.heldAtOnce + 1
    }

    /// Writes the access times of some files that were only read: what else there is stays for who
    /// changed it.
    ///
    /// - Returns: whether there were any.
    func drainAccessTimes() throws(FileError) -> Bool {
        try structure.withLock { (_) throws(FileError) in
            try write(back: takeDirty(atMost: Committer.heldAtOnce), .sealed, onlyRead: true) > 0
        }
    }

    /// Drains a crowd, and nothing less, in steps: what is left for a moment in which all is locked
    /// is little.
    ///
    /// - Parameter goesOn: called between two steps, when names are free; false ends it.
    func drainInSteps(while goesOn: () -> Bool) throws(FileError) {
        // As many as there are now: what stays in memory goes to the end of the list.
        for _ in 0..<steps(from: Committer.crowdSize) {
            try drainOldest(Committer.heldAtOnce)
            if !goesOn() { return }
        }
    }

    /// Drains those that are dirty for longest.
    ///
    /// - Parameter isDue: asked with names locked; false leaves all as it is.
    func drainOldest(_ count: Int, if isDue: () -> Bool = { true }) throws(FileError) {
        try structure.withLock { (_) throws(FileError) in
            if isDue() { _ = try write(back: takeDirty(atMost: count), .sealed) }
        }
    }

    /// Changes that no commit has kept so far: those with a number, and files that have something
    /// in memory. Looks at every dirty inode.
    var uncommittedCount: UInt64 {
        let given = volume.lastChange.load(ordering: .relaxed)
        let kept = committedChange.load(ordering: .relaxed)
        let waiting = volume.dirty.withLock { $0 }.count { inode in
            inode.state.withLock { !$0.isDeleted && $0.hasChangesOfPrograms }
        }
        return given - min(kept, given) + UInt64(waiting)
    }

    var dirtyCount: Int { volume.dirty.withLock { $0.count } }
}
