// SPDX-License-Identifier: Apache-2.0
//
// What can go wrong with the metadata database. Messages are fixed sentences: no name, no path,
// no value of a row ever stands in one.

/// Why the metadata database could not do what was asked.
package enum MetadataError: Error, Equatable, Sendable {
    /// SQLite refused for a reason that has no case of its own. `code` is SQLite's extended result
    /// code, `message` SQLite's fixed English text for it.
    case sqlite(code: Int32, message: String)
    /// A newer Cairn wrote this database: its schema has the number given, above
    /// `MetadataDatabase.schemaVersion`. Nothing was changed.
    case newerSchema(Int)
    /// A Cairn before the first release wrote this database: its schema has the number given, below
    /// what can be brought up. Nothing was changed.
    case olderSchema(Int)
    /// The file is not a database of ours, or is damaged. The text says which check failed.
    case corrupt(String)
    /// The disk that holds the database has no room. What was written before stands: the statement
    /// that met this had no effect. If it made SQLite roll back the transaction, every call fails
    /// so until it is brought back, which is tried once a second.
    case full
    /// Everything since the last commit is gone: an error of the disk or of memory made SQLite roll
    /// back the standing transaction, which was longer than `RedoLog.limit`, or in the middle of an
    /// operation; or a deferred statement can not be done. Every call fails so until the database
    /// is opened anew; what was committed is unharmed.
    case transactionLost
    /// The log could not be brought to the disk, or not be copied into the database. It stays so
    /// until the database is opened anew: after a failed sync the kernel may forget what it could
    /// not write.
    case logNotSynced(errno: Int32)
    /// What was to be added has a name or a number that is there already. Nothing was changed.
    case taken
    /// Another process or another instance has the database open for writing.
    case inUse
    /// `close()` was called.
    case closed

    /// Whether the same would fail in the same way again, however often it is tried.
    var isLasting: Bool {
        switch self {
        case .corrupt, .taken: true
        // SQLITE_CONSTRAINT (19), whatever stands above its eight bits.
        case .sqlite(let code, _): code & 0xff == 19
        default: false
        }
    }
}
