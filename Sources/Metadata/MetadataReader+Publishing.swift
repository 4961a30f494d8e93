// SPDX-License-Identifier: Apache-2.0
//
// What can be asked about publishing: pages, touched names, conflicts; and the settings.

package import Namespace

extension MetadataReader where Self: ~Copyable {
    /// The root page of a directory as it was published last; nil if it never was.
    package func pageOf(_ directory: UInt64) throws(MetadataError) -> PageReference? {
        let query = try readStatements.publishing.page.begin()
        defer { query.reset() }
        query.bind(1, directory)
        return try query.step() ? try PageReference(stored: query.blob(0)) : nil
    }

    /// The leaf pages of a directory as it was published last, in the order of their names.
    package func leaves(_ directory: UInt64) throws(MetadataError) -> [LeafRow] {
        let query = try readStatements.publishing.leaves.begin()
        defer { query.reset() }
        query.bind(1, directory)
        var rows: [LeafRow] = []
        while try query.step() {
            rows.append(
                LeafRow(
                    first: query.blob(0), reference: try PageReference(stored: query.blob(1)),
                    entryCount: query.uint64(2)))
        }
        return rows
    }

    /// Names to publish that were touched last at or before a sequence number, by directory and
    /// then by name.
    package func touchedNames(upTo sequence: UInt64) throws(MetadataError) -> [TouchedName] {
        let query = try readStatements.publishing.touched.begin()
        defer { query.reset() }
        query.bind(1, Int64(clamping: sequence))
        var names: [TouchedName] = []
        while try query.step() {
            names.append(TouchedName(directory: query.uint64(0), name: query.blob(1)))
        }
        return names
    }

    /// Directories that have touched names, for those who take them one directory at a time.
    package func touchedDirectories(upTo sequence: UInt64) throws(MetadataError) -> [UInt64] {
        let query = try readStatements.publishing.touchedDirectories.begin()
        defer { query.reset() }
        query.bind(1, Int64(clamping: sequence))
        return try query.allNumbers()
    }

    /// The touched names of one directory, in the order of their bytes.
    package func touchedNames(
        in directory: UInt64, upTo sequence: UInt64
    ) throws(MetadataError) -> [[UInt8]] {
        let query = try readStatements.publishing.touchedIn.begin()
        defer { query.reset() }
        query.bind(1, directory)
        query.bind(2, Int64(clamping: sequence))
        return try query.allBlobs()
    }

    /// Conflicts nobody has dismissed, oldest first.
    package func conflicts() throws(MetadataError) -> [ConflictRow] {
        let query = try readStatements.publishing.conflicts.begin()
        defer { query.reset() }
        var rows: [ConflictRow] = []
        while try query.step() {
            rows.append(
                ConflictRow(
                    number: query.uint64(0), directory: query.uint64(1),
                    keptName: query.blob(2), conflictName: query.blob(3),
                    noticed: try Timestamp(query.int64(4), nanos: query.uint64(5))))
        }
        return rows
    }

    /// The bytes of a setting; nil if it was never set.
    package func value(_ key: String) throws(MetadataError) -> [UInt8]? {
        let query = try readStatements.publishing.setting.begin()
        defer { query.reset() }
        try query.bind(1, Array(key.utf8))
        return try query.step() ? query.blob(0) : nil
    }

    /// The number of a setting; nil if it was never set. 0 for one that was set to bytes.
    package func integer(_ key: String) throws(MetadataError) -> Int64? {
        let query = try readStatements.publishing.setting.begin()
        defer { query.reset() }
        try query.bind(1, Array(key.utf8))
        return try query.step() ? query.int64(0) : nil
    }
}
