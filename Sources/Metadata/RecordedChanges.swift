// SPDX-License-Identifier: Apache-2.0
//
// Statements and their values, one behind the other, as `RedoLog` keeps them.

/// What was recorded of one transaction, and of the statement that is being bound.
///
/// Each method does nothing while `isRecording` is false.
struct RecordedChanges {
    /// Room that is kept for the next transaction, in words.
    private static let spareWords = 256 * 1024
    /// Bytes that a statement or a value is counted with, besides those of a blob.
    private static let wordSize = 16

    /// For each statement its number, a word for each value, and `RedoLog.Tag.end`.
    private(set) var words: [UInt16] = []
    /// The values that are integers, in the order of their words.
    private(set) var integers: [Int64] = []
    /// Those that are blobs.
    private(set) var blobs: [[UInt8]] = []
    /// Bytes recorded.
    private(set) var size = 0
    /// Where the statement began that is being bound; nil between statements.
    var opened: RedoLog.Mark?
    /// Everything is here.
    var isWhole = true
    /// What is here is being done, or done again: it is not recorded once more.
    var isReplaying = false

    var isRecording: Bool { isWhole && !isReplaying }

    /// How much is recorded now.
    var mark: RedoLog.Mark {
        RedoLog.Mark(words: words.count, integers: integers.count, blobs: blobs.count, size: size)
    }

    mutating func add(_ word: UInt16) {
        guard isRecording else { return }
        words.append(word)
        size += Self.wordSize
    }

    /// Values of the parameters from 1 on.
    mutating func note(_ values: Span<Int64>) {
        guard isRecording else { return }
        var tag = RedoLog.Tag.count + RedoLog.Tag.integer
        for index in values.indices {
            words.append(tag)
            integers.append(values[index])
            tag += RedoLog.Tag.count
        }
        size += Self.wordSize * values.count
    }

    mutating func note(_ index: Int32, _ value: Int64) {
        guard isRecording else { return }
        add(UInt16(index) * RedoLog.Tag.count + RedoLog.Tag.integer)
        integers.append(value)
    }

    mutating func note(_ index: Int32, _ value: [UInt8]) {
        guard isRecording else { return }
        add(UInt16(index) * RedoLog.Tag.count + RedoLog.Tag.blob)
        blobs.append(value)
        size += value.count
    }

    mutating func noteNull(_ index: Int32) {
        add(UInt16(index) * RedoLog.Tag.count + RedoLog.Tag.null)
    }

    /// Ends the statement that is being bound.
    ///
    /// - Returns: the moment before it; nil if there is none.
    mutating func end() -> RedoLog.Mark? {
        guard isRecording, let before = opened else { return nil }
        opened = nil
        add(RedoLog.Tag.end)
        return before
    }

    /// Forgets what was recorded after a mark.
    mutating func cut(to mark: RedoLog.Mark) {
        guard isRecording else { return }
        words.removeLast(words.count - mark.words)
        integers.removeLast(integers.count - mark.integers)
        blobs.removeLast(blobs.count - mark.blobs)
        size = mark.size
        opened = nil
    }

    /// Forgets everything, whether it is recording or not.
    mutating func removeAll() {
        let isLarge = words.capacity > Self.spareWords
        words.removeAll(keepingCapacity: !isLarge)
        integers.removeAll(keepingCapacity: !isLarge)
        blobs.removeAll(keepingCapacity: !isLarge)
        size = 0
        opened = nil
    }
}
