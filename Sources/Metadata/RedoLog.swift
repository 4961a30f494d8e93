// SPDX-License-Identifier: Apache-2.0
//
// What the standing transaction has changed, in memory, to be done once more if SQLite rolls it
// back. docs/decisions/0019-lost-transactions.md says when it does, and why that is safe.
//
// Invariants:
// - While `isWhole`, doing what is here on the state last committed gives the state the standing
//   transaction had: each statement that succeeded is here, in order, and none that failed; but
//   from `deferred` on what is here is still to be done in it.
// - Values are bound as they were: nothing here asks a clock, or counts rows.

/// The changes of one transaction, as statements and their values.
///
/// `@unchecked Sendable` because it belongs to a connection, which one thread at a time uses.
final class RedoLog: @unchecked Sendable {
    /// Bytes that are kept at most: some hundred thousand changed rows, many times what is written
    /// between two commits. Past it the transaction can not be done again.
    static let limit = 64 * 1024 * 1024
    /// Bytes from which on a commit should come before its time: memory is for other things.
    static let commitSize = 16 * 1024 * 1024
    /// Bytes that are deferred at most, but for the last statement.
    static let deferredLimit = 256 * 1024

    /// How much was recorded at some moment.
    struct Mark {
        var words: Int
        var integers: Int
        var blobs: Int
        var size: Int
    }

    /// What a word says besides a number: of a parameter, `4 x index + tag`.
    enum Tag {
        static let integer: UInt16 = 0
        static let blob: UInt16 = 1
        static let null: UInt16 = 2
        static let count: UInt16 = 4
        /// Ends a statement's values; no parameter has so large a number.
        static let end = UInt16.max
    }

    private var statements: [SQLiteStatement] = []
    /// In one piece: each property of an object that is changed by itself costs a check that nobody
    /// else is changing it, and a row has twenty values.
    private var changes = RecordedChanges()
    /// Whether statements are noted now, to be done later: see `SQLiteStatement.run`.
    var isDeferring = false
    /// Where those begin that were noted and not done; nil if all were.
    private(set) var deferred: Mark?
    /// How many they are.
    private(set) var deferredCount: Int64 = 0
    /// Whether what is here is being done, or done again.
    var isReplaying: Bool { changes.isReplaying }
    /// Whether everything is here. False after too much was written, or after `giveUp`.
    var isWhole: Bool { changes.isWhole }
    /// Bytes recorded.
    var size: Int { changes.size }
    var words: [UInt16] { changes.words }
    var integers: [Int64] { changes.integers }
    var blobs: [[UInt8]] { changes.blobs }

    private var isRecording: Bool { changes.isRecording }
    /// Whether a statement that begins now is done later. What is deferred is nowhere else: none
    /// is where so much is here that it may have to be given up.
    var defersNext: Bool { isDeferring && isRecording && size < Self.limit / 2 }

    // MARK: Recording

    /// A number under which a statement is known from here on.
    func register(_ statement: SQLiteStatement) -> UInt16 {
        statements.append(statement)
        return UInt16(statements.count - 1)
    }

    /// A statement is about to be bound and run. One that was begun before and never run is not
    /// recorded.
    func begin(_ statement: UInt16) {
        guard isRecording else { return }
        if let opened = changes.opened { cut(to: opened) }
        changes.opened = mark
        changes.add(statement)
        keepBelowLimit()
    }

    /// Values of the parameters from 1 on.
    func note(_ values: Span<Int64>) {
        changes.note(values)
        keepBelowLimit()
    }

    func note(_ index: Int32, _ value: Int64) {
        changes.note(index, value)
        keepBelowLimit()
    }

    func note(_ index: Int32, _ value: [UInt8]) {
        changes.note(index, value)
        keepBelowLimit()
    }

    func noteNull(_ index: Int32) {
        changes.noteNull(index)
        keepBelowLimit()
    }

    @inline(__always)
    private func keepBelowLimit() {
        if changes.size > Self.limit {
            precondition(deferred == nil, "half of the limit is more than any statement has")
            giveUp()
        }
    }

    /// The statement that was bound last has been run.
    ///
    /// - Returns: the moment before it, to cut to if it changed nothing.
    @discardableResult
    func end() -> Mark? {
        let before = changes.end()
        keepBelowLimit()
        return before
    }

    /// The statement that was bound last is to be done later.
    ///
    /// - Returns: whether that has gone on for long, and all should be done now.
    func deferLast() -> Bool {
        guard let before = end() else { return false }
        let first = deferred ?? before
        deferred = first
        deferredCount += 1
        return size - first.size > Self.deferredLimit
    }

    /// How much is recorded now.
    var mark: Mark { changes.mark }

    /// How much of that is of statements that were run: all but one that was begun only.
    var recorded: Mark { changes.opened ?? mark }

    /// The text of a statement that has a number.
    func text(of statement: UInt16) -> String { statements[Int(statement)].sql }

    /// Forgets what was recorded after a mark: it was undone.
    func cut(to mark: Mark) {
        guard isRecording else { return }
        changes.cut(to: mark)
        if let deferred, deferred.words >= mark.words { forgetDeferral() }
    }

    /// The transaction was committed: the next one begins with nothing.
    func clear() {
        forget()
        changes.isWhole = true
    }

    /// What was lost must stay lost: the transaction can not be done again as it was.
    func giveUp() {
        forget()
        changes.isWhole = false
    }

    private func forget() {
        changes.removeAll()
        forgetDeferral()
    }

    // MARK: Doing it again

    /// What was deferred is done, or is one with all else that is to be done again.
    func forgetDeferral() {
        deferred = nil
        deferredCount = 0
    }

    /// Runs everything once more, in the transaction that has just begun.
    ///
    /// - Throws: the first failure; what was done by then is the caller's to roll back.
    func replay() throws(MetadataError) {
        try run(from: Mark(words: 0, integers: 0, blobs: 0, size: 0))
    }

    /// Runs what was deferred.
    ///
    /// - Throws: the first failure; the transaction is not what it should be then.
    func runDeferred() throws(MetadataError) {
        guard let mark = deferred else { return }
        try run(from: mark)
        forgetDeferral()
    }

    private func run(from mark: Mark) throws(MetadataError) {
        precondition(isWhole, "a part of a transaction is none")
        changes.isReplaying = true
        defer { changes.isReplaying = false }
        let (words, integers, blobs) = (changes.words, changes.integers, changes.blobs)
        var (word, integer, blob) = (mark.words, mark.integers, mark.blobs)
        // One may be begun, and not run.
        let end = recorded.words
        while word < end {
            let statement = try statements[Int(words[word])].begin()
            word += 1
            while words[word] != Tag.end {
                let index = Int32(words[word] / Tag.count)
                switch words[word] % Tag.count {
                case Tag.integer:
                    statement.bind(index, integers[integer])
                    integer += 1
                case Tag.blob:
                    try statement.bind(index, blobs[blob])
                    blob += 1
                default: try statement.bind(index, optional: nil)
                }
                word += 1
            }
            word += 1
            try statement.run()
        }
    }
}
