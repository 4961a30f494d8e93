// SPDX-License-Identifier: Apache-2.0
//
// How the metadata database is made, checked, set up and brought up to date.

import Glibc

extension MetadataDatabase {
    /// Settings of every writing connection.
    ///
    /// - `synchronous`: see WriteAheadLog.swift.
    /// - `secure_delete = FAST` wipes removed rows where that costs no further write; Debian's
    ///   library would wipe whole pages, which doubles what a removal writes.
    /// - `mmap_size = 0`: a failing disk gives an error, not a signal.
    static let connectionSettings = """
        PRAGMA synchronous = NORMAL;
        PRAGMA cache_size = -\(WriterCore.cacheSizeKiB);
        PRAGMA mmap_size = 0;
        PRAGMA temp_store = MEMORY;
        PRAGMA foreign_keys = OFF;
        PRAGMA trusted_schema = OFF;
        PRAGMA cell_size_check = ON;
        PRAGMA secure_delete = FAST;
        """

    /// Makes an empty file of mode 0600 if there is none. SQLite would make it with 0644.
    static func createFile(at path: String) throws(MetadataError) {
        // An existing file is not even opened: closing it again would drop the locks this process
        // may have on it.
        // SAFETY: the path lives for the call.
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if descriptor >= 0 {
            Glibc.close(descriptor)
        } else if errno == ENOSPC || errno == EDQUOT {
            throw .full
        }
        // EEXIST is the usual case; whatever else it is, SQLite meets it too and has words for it.
    }

    /// Refuses a file that is not there, or has nothing in it: opening would make a new database of
    /// it, and hide that the old one is gone.
    static func requireFile(at path: String) throws(MetadataError) {
        var status = stat()
        // SAFETY: the path lives for the call, which fills the local it is given.
        guard unsafe stat(path, &status) == 0 else {
            if errno == ENOENT { throw .corrupt("the file is gone") }
            return  // Whatever it is, SQLite meets it too and has words for it.
        }
        if status.st_size == 0 { throw .corrupt("the file is empty") }
    }

    /// Does again what the redo file has of the time after the last COMMIT, in one transaction.
    ///
    /// - Throws: `.full` and what else keeps it from being done: nothing is lost then, and the next
    ///   start tries again.
    private static func redo(
        _ connection: SQLiteConnection, _ path: String
    ) throws(MetadataError) {
        guard let base = try base(connection) else { return }
        let records = try RedoFile.changes(databasePath: path, after: base)
        if records.isEmpty { return }
        try connection.execute("BEGIN IMMEDIATE")
        do {
            var replay = RedoReplay(connection)
            for record in records { try replay.run(record) }
            // Done, and never again.
            let forget = try SQLiteStatement(
                connection, "DELETE FROM settings WHERE key = ?1"
            ).begin()
            try forget.bind(1, Array(WriterCore.baseKey.utf8))
            try forget.run()
            try connection.execute("COMMIT")
        } catch {
            // Closing it does the same, and why it could not be done again is what counts.
            try? connection.execute("ROLLBACK")
            throw error
        }
    }

    private static func base(_ connection: SQLiteConnection) throws(MetadataError) -> UInt64? {
        let query = try SQLiteStatement(
            connection, "SELECT value FROM settings WHERE key = ?1"
        ).begin()
        defer { query.reset() }
        try query.bind(1, Array(WriterCore.baseKey.utf8))
        return try query.step() ? query.uint64(0) : nil
    }

    /// Checks that the file is ours, sets the connection up and brings the schema up to date.
    ///
    /// - Parameter path: of the database file, beside which its redo file is.
    static func prepare(
        _ connection: SQLiteConnection, _ path: String
    ) throws(MetadataError) {
        let version = Int(try connection.integer("PRAGMA user_version") ?? 0)
        let application = try connection.integer("PRAGMA application_id") ?? 0
        let pageCount = try connection.integer("PRAGMA page_count") ?? 0
        let isNew = pageCount == 0
        guard isNew || application == Schema.applicationID else {
            throw .corrupt("application number in the header")
        }
        guard version <= schemaVersion else { throw .newerSchema(version) }
        guard version >= 0, isNew == (version == 0) else { throw .corrupt("schema version") }
        guard isNew || version >= Schema.oldestVersion else { throw .olderSchema(version) }
        if isNew {
            // Both must come before the first page is written.
            try connection.execute("PRAGMA page_size = \(Schema.pageSize)")
            try connection.execute("PRAGMA auto_vacuum = NONE")
        }
        guard try connection.text("PRAGMA journal_mode = WAL") == "wal" else {
            throw .sqlite(code: 1, message: "no write-ahead log on this filesystem")
        }
        try connection.execute(connectionSettings)
        // In the words of the version that wrote it, so before anything is brought up to date.
        if !isNew { try redo(connection, path) }
        try connection.migrate(Schema.migrations, from: version)
        guard try connection.integer("PRAGMA page_size") == Int64(Schema.pageSize) else {
            throw .corrupt("page size in the header")
        }
        // The first read in this mode makes the log file, if there is none yet.
        _ = try connection.integer("PRAGMA schema_version")
    }
}
