// SPDX-License-Identifier: Apache-2.0
//
// What the database holds about content: stored content of files, scratchpads, published pages,
// names to publish, conflicts.

package import Namespace
package import Scratchpads

/// The content of a file in the form `blocks`, as it was last stored.
package struct StoredContent: Sendable, Equatable {
    /// The data maps that are the content, at their offsets; a gap is a hole.
    package var segments: [Segment]
    /// Bytes of the content `segments` describe.
    package var size: UInt64
    /// The file's modification time when it was stored.
    package var modified: Timestamp
    /// Bytes from the start of the file for which `segments` may still be asked: a file that was
    /// cut and grew again reads as zero beyond it.
    package var baseLimit: UInt64
    /// There are blocks that no data map holds.
    package var isDirty: Bool
    /// Grows with every flush that was committed.
    package var generation: UInt64

    package init(
        segments: [Segment] = [], size: UInt64 = 0, modified: Timestamp = .zero,
        baseLimit: UInt64 = 0, isDirty: Bool = false, generation: UInt64 = 0
    ) {
        self.segments = segments
        self.size = size
        self.modified = modified
        self.baseLimit = baseLimit
        self.isDirty = isDirty
        self.generation = generation
    }
}

/// A scratchpad, as this machine knows it.
package struct PadRow: Sendable, Equatable {
    /// The inode that shows it.
    package var ino: UInt64
    /// 32 bytes from which with the volume's seed its keys are made; see
    /// `PadReference.identity`. One inode each.
    package var identity: [UInt8]
    /// Its address.
    package var address: PadAddress
    /// The data encoding its record has, and the next one will have.
    package var encoding: UInt64
    /// The highest counter this machine ever saw for it.
    package var counter: UInt64
    /// BLAKE3 of the encoding and the plaintext that was sealed last, or came from a store; nil if
    /// none was.
    package var publishedDigest: [UInt8]?
    /// A sealed record that the store has not acknowledged; nil if there is none.
    package var pendingRecord: [UInt8]?
    /// It was never put into a store, and waits for a lasting name.
    package var isLocalOnly: Bool

    /// The counter of the newest record that a store has acknowledged; nil if none has.
    package var acknowledgedCounter: UInt64? {
        if pendingRecord != nil && counter == 0 { return nil }
        let newest = pendingRecord == nil ? counter : counter - 1
        // The first state of a pad from elsewhere may have the counter 0, and is on the store.
        return newest > 0 || address.scheme == .autonomi ? newest : nil
    }

    /// Whether the pad has a record that this machine has never opened: unless there is inline
    /// content all the same, what is in it is known to the store alone.
    package var isUnseen: Bool {
        publishedDigest == nil && acknowledgedCounter != nil
    }

    package init(
        ino: UInt64, identity: [UInt8], address: PadAddress, encoding: UInt64 = 0,
        counter: UInt64 = 0, publishedDigest: [UInt8]? = nil, pendingRecord: [UInt8]? = nil,
        isLocalOnly: Bool = false
    ) {
        self.ino = ino
        self.identity = identity
        self.address = address
        self.encoding = encoding
        self.counter = counter
        self.publishedDigest = publishedDigest
        self.pendingRecord = pendingRecord
        self.isLocalOnly = isLocalOnly
    }
}

/// One leaf page of a published directory.
package struct LeafRow: Sendable, Hashable {
    /// The first name in it.
    package var first: [UInt8]
    /// Where it is.
    package var reference: PageReference
    /// Entries in it.
    package var entryCount: UInt64

    package init(first: [UInt8], reference: PageReference, entryCount: UInt64) {
        self.first = first
        self.reference = reference
        self.entryCount = entryCount
    }
}

/// A name that has to be published anew, because it or what it leads to changed or went.
package struct TouchedName: Sendable, Hashable {
    /// The directory it is in.
    package var directory: UInt64
    /// The bytes of the name.
    package var name: [UInt8]

    package init(directory: UInt64, name: [UInt8]) {
        self.directory = directory
        self.name = name
    }
}

/// A run of blocks of one file, as the engine wrote it: the map's bytes are the engine's own.
package struct BlockGroupRow: Sendable, Hashable {
    /// The file.
    package var ino: UInt64
    /// Its group's index in the file.
    package var group: UInt64
    /// What was set.
    package var map: [UInt8]

    package init(ino: UInt64, group: UInt64, map: [UInt8]) {
        self.ino = ino
        self.group = group
        self.map = map
    }
}

/// What the journal has of one piece of a file: the engine's own bytes.
package struct JournalPieceRow: Sendable, Hashable {
    /// The file.
    package var ino: UInt64
    /// The piece's index in the file.
    package var piece: UInt64
    /// What was set.
    package var bytes: [UInt8]

    package init(ino: UInt64, piece: UInt64, bytes: [UInt8]) {
        self.ino = ino
        self.piece = piece
        self.bytes = bytes
    }
}

/// A second name that was made because two machines changed one file.
package struct ConflictRow: Sendable, Hashable {
    /// Its number, given when it was added; grows.
    package var number: UInt64
    /// The directory both names are in.
    package var directory: UInt64
    /// The name both wanted; the other machine's change has it.
    package var keptName: [UInt8]
    /// The name this machine's change has.
    package var conflictName: [UInt8]
    /// When it was found.
    package var noticed: Timestamp

    package init(
        number: UInt64 = 0, directory: UInt64, keptName: [UInt8], conflictName: [UInt8],
        noticed: Timestamp
    ) {
        self.number = number
        self.directory = directory
        self.keptName = keptName
        self.conflictName = conflictName
        self.noticed = noticed
    }
}
