// SPDX-License-Identifier: Apache-2.0
//
// What a checkpoint is asked for, and what it says: the copying of the log into the database.

/// How far a checkpoint goes.
enum CheckpointMode {
    /// Copies what no reader needs, waits for nobody.
    case passive
    /// Copies everything and lets the next transaction start the log anew.
    case restart
    /// As `restart`, and the log file is cut to nothing.
    case truncate
}

/// What a checkpoint found and did, in frames of the log: a page and a header of 24 bytes each.
struct CheckpointResult: Equatable {
    /// Frames in the log; 0 after `truncate`.
    let logFrames: Int
    /// Frames of them that are in the database file now.
    let copiedFrames: Int
    /// Somebody was in the way, so that less was done than asked.
    let wasBusy: Bool
}
