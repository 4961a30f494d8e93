// SPDX-License-Identifier: Apache-2.0
//
// Which fetch is next: those that somebody waits for before those ahead of a reader. Pure.
//
// A fetch is waiting, then running, then over; one ahead may be dropped while it waits, or become
// demanded. Invariants:
// 1. At most `limits.threads` fetches run, and of those ahead at most `limits.ahead`: whoever waits
//    finds a thread that no guess has taken.
// 2. At most `limits.waitingAhead` fetches ahead wait, and `limits.waiting` demanded ones.
// 3. Within its kind, first come is first served.

/// Fetches in the order of their turn.
struct FetchQueue<Key: Equatable, Job> {
    /// Jobs that had their turn and are still in the list, at most: a list that is never empty must
    /// not grow for ever.
    private static var spent: Int { 1024 }

    /// How much may wait and run.
    struct Limits: Sendable {
        /// Fetches at once.
        var threads: Int
        /// Of them, those nobody waits for yet.
        var ahead: Int
        /// Demanded fetches that wait.
        var waiting = 4096
        /// Fetches ahead that wait.
        var waitingAhead = 128
    }

    /// One fetch whose turn has come.
    struct Turn {
        let job: Job
        let isAhead: Bool
    }

    private struct Guess {
        let key: Key
        let reader: UInt64
        let job: Job
    }

    private let limits: Limits
    private var demanded: [Job] = []
    /// Jobs before this one have had their turn.
    private var head = 0
    private var ahead: [Guess] = []
    private var running = 0
    private var runningAhead = 0

    /// An empty queue.
    init(limits: Limits) {
        precondition(limits.ahead >= 1 && limits.ahead < limits.threads, "no thread for demands")
        self.limits = limits
    }

    /// Demanded fetches that wait.
    var waitingCount: Int { demanded.count - head }
    /// Fetches ahead that wait.
    var aheadCount: Int { ahead.count }

    /// Takes a fetch that somebody waits for.
    ///
    /// - Returns: false if too many wait.
    mutating func demand(_ job: Job) -> Bool {
        guard waitingCount < limits.waiting else { return false }
        demanded.append(job)
        return true
    }

    /// Takes a fetch that somebody is expected to want.
    ///
    /// - Returns: false if too many wait.
    mutating func guess(_ key: Key, for reader: UInt64, _ job: Job) -> Bool {
        guard ahead.count < limits.waitingAhead else { return false }
        ahead.append(Guess(key: key, reader: reader, job: job))
        return true
    }

    /// Somebody now waits for a chunk that may be among the guesses.
    mutating func promote(_ key: Key) {
        guard let index = ahead.firstIndex(where: { $0.key == key }) else { return }
        demanded.append(ahead.remove(at: index).job)
    }

    /// Drops what waits for one reader.
    ///
    /// - Returns: the chunks that are not fetched.
    mutating func cancel(_ reader: UInt64) -> [Key] {
        let dropped = ahead.filter { $0.reader == reader }.map(\.key)
        if !dropped.isEmpty { ahead.removeAll { $0.reader == reader } }
        return dropped
    }

    /// Drops what waits ahead of all readers.
    mutating func dropGuesses() {
        ahead.removeAll()
    }

    /// The next fetch, which runs from now on; nil if none may.
    mutating func next() -> Turn? {
        guard running < limits.threads else { return nil }
        if head < demanded.count {
            let job = demanded[head]
            head += 1
            if head == demanded.count {
                demanded.removeAll(keepingCapacity: head <= 256)
                head = 0
            } else if head >= Self.spent {
                demanded.removeFirst(head)
                head = 0
            }
            running += 1
            return Turn(job: job, isAhead: false)
        }
        guard runningAhead < limits.ahead, !ahead.isEmpty else { return nil }
        running += 1
        runningAhead += 1
        return Turn(job: ahead.removeFirst().job, isAhead: true)
    }

    /// A fetch is over.
    mutating func end(isAhead: Bool) {
        precondition(running > 0 && (!isAhead || runningAhead > 0), "a fetch ended twice")
        running -= 1
        if isAhead { runningAhead -= 1 }
    }
}
