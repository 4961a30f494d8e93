// SPDX-License-Identifier: Apache-2.0
//
// Names and attributes brought into memory before anybody asks: after a mount the first listing
// would else wait for the disk page by page, some 0.1 ms for every forty names.

import Primitives

/// How far the names and attributes of a database were read ahead.
package struct NamesAhead: Sendable {
    /// Rows of each kind at most: with all three kinds half of the memory that the writing
    /// connection may keep pages in (`WriterCore.cacheSizeKiB`), by 250 bytes a name.
    package static let limit = 65_536
    /// Rows that are read at once, with the writer's lock held: a few pages.
    static let step = 256

    enum Stage: CaseIterable {
        /// Names in the order of listings.
        case listings
        /// Inodes by number.
        case inodes
        /// Names by themselves, for who looks one up.
        case names
    }

    private var left = Stage.allCases[...]
    private var rows = 0
    /// The last row read: its parent or number, its cookie, its name.
    fileprivate var number: Int64 = .min
    fileprivate var cookie: Int64 = .min
    fileprivate var name: [UInt8] = []

    /// Nothing was read yet.
    package init() {}

    fileprivate var stage: Stage? { left.first }
    /// Whether there is no more of what is read ahead.
    package var isAtEnd: Bool { left.isEmpty }

    fileprivate mutating func note(_ count: Int) {
        rows += count
        guard count < Self.step || rows >= Self.limit else { return }
        left = left.dropFirst()
        rows = 0
        (number, cookie, name) = (.min, .min, [])
    }
}

/// Queries that are asked only for the pages they touch.
struct AheadQueries {
    let listings: SQLiteStatement
    let inodes: SQLiteStatement
    let names: SQLiteStatement

    init(_ connection: SQLiteConnection) {
        listings = SQLiteStatement(
            connection,
            """
            SELECT parent, cookie FROM dentries INDEXED BY dentries_by_cookie
            WHERE (parent, cookie) > (?1, ?2) ORDER BY parent, cookie LIMIT ?3
            """)
        inodes = SQLiteStatement(
            connection,
            "SELECT ino FROM inodes NOT INDEXED WHERE ino > ?1 ORDER BY ino LIMIT ?2")
        names = SQLiteStatement(
            connection,
            """
            SELECT parent, name FROM dentries NOT INDEXED
            WHERE (parent, name) > (?1, ?2) ORDER BY parent, name LIMIT ?3
            """)
    }
}

extension MetadataReader where Self: ~Copyable {
    /// Reads the next few names and attributes into memory.
    ///
    /// - Returns: the place behind them.
    package func readAhead(_ place: NamesAhead) throws(MetadataError) -> NamesAhead {
        let queries = readStatements.ahead
        return switch place.stage {
        case .listings: try place.following(queries.listings)
        case .inodes: try place.following(queries.inodes)
        case .names: try place.following(queries.names)
        case nil: place
        }
    }
}

extension NamesAhead {
    /// The place behind a few rows, which are read by this.
    fileprivate func following(_ statement: SQLiteStatement) throws(MetadataError) -> NamesAhead {
        let query = try statement.begin()
        defer { query.reset() }
        var next = self
        query.bind(1, number)
        if stage == .listings { query.bind(2, cookie) }
        if stage == .names { try query.bind(2, name) }
        query.bind(stage == .inodes ? 2 : 3, Int64(Self.step))
        var count = 0
        while try query.step() {
            count += 1
            next.number = query.int64(0)
            if stage == .listings { next.cookie = query.int64(1) }
            if stage == .names { next.name = query.blob(1) }
        }
        next.note(count)
        return next
    }
}
