// SPDX-License-Identifier: Apache-2.0
//
// Which of two records of a pad stands, when two machines or two stores have different ones.

/// What comes of comparing two records of one pad.
package enum Settlement: Equatable, Sendable {
    /// They are the same record.
    case same
    /// Ours has the larger counter.
    case ours
    /// Theirs has the larger counter.
    case theirs
    /// Two different records were signed under one counter. Everybody who compares the two comes
    /// to this winner; the loser is returned so that its content can be kept under a second name.
    case fork(winner: PadRecord, loser: PadRecord)
}

/// Settles which of two records of one pad stands: the larger counter, and among equal counters
/// the one whose encoded bytes have the smaller BLAKE3 digest.
///
/// Both must have been verified, or a forger decides.
///
/// - Parameters:
///   - ours: the record this machine has.
///   - theirs: the record another one has, of the same pad.
package func settle(ours: PadRecord, theirs: PadRecord) -> Settlement {
    precondition(ours.address == theirs.address, "records of two pads cannot be settled")
    if ours.counter != theirs.counter {
        return ours.counter > theirs.counter ? .ours : .theirs
    }
    if ours == theirs { return .same }
    return ours.digest < theirs.digest
        ? .fork(winner: ours, loser: theirs) : .fork(winner: theirs, loser: ours)
}
