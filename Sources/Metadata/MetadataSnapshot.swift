// SPDX-License-Identifier: Apache-2.0
//
// A fixed view of what was committed, beside the writer that goes on.
//
// Invariant: from `init` to `close()` one read transaction stands, and every answer is from it.

import Synchronization

/// One committed state of the database, for as long as it is kept.
///
/// Not to be shared between threads; make one where it is used. While it is open the log can not
/// start anew and only grows: close it as soon as the work is done.
package final class MetadataSnapshot: MetadataReader {
    /// Memory a snapshot may keep pages in, in KiB.
    private static let cacheSizeKiB = 8 * 1024
    /// How long its connection waits for a lock, in milliseconds: only while a log is recovered.
    private static let busyTimeout: Int32 = 5_000

    private let connection: SQLiteConnection
    private let counter: SnapshotCounter
    private var isOpen = true
    package let readStatements: ReadStatements

    init(path: String, counter: SnapshotCounter) throws(MetadataError) {
        connection = try SQLiteConnection(
            path: path, isReadOnly: true, timeout: Self.busyTimeout)
        readStatements = ReadStatements(connection)
        self.counter = counter
        try connection.execute(
            """
            PRAGMA cache_size = -\(Self.cacheSizeKiB);
            PRAGMA trusted_schema = OFF;
            PRAGMA cell_size_check = ON;
            PRAGMA query_only = ON;
            BEGIN;
            """)
        // BEGIN alone fixes nothing: the first read does.
        _ = try connection.integer("SELECT count(*) FROM settings WHERE key IS NULL")
        connection.setStanding(true)
        counter.open.add(1, ordering: .relaxed)
    }

    deinit {
        close()
    }

    /// Ends the view, and lets the log be reused. Later questions throw `.closed`.
    package func close() {
        guard isOpen else { return }
        isOpen = false
        connection.close()
        counter.open.subtract(1, ordering: .relaxed)
    }
}

/// How many snapshots of a database are open: while there are any, restarting the log is futile.
final class SnapshotCounter: Sendable {
    let open = Atomic<Int>(0)
}
