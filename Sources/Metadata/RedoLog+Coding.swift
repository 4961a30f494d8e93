// SPDX-License-Identifier: Apache-2.0
//
// Recorded changes as bytes, and done again from them. docs/format.md §15 has the layout.

import Primitives

extension RedoLog {
    /// Statements that one redo file may tell apart; some sixty exist.
    static let statementLimit = 1024
    /// Bytes of one statement's text at most.
    static let textLimit = 4096
    /// Bytes of one value at most: those of the largest record.
    static let valueLimit = RedoFile.recordLimit

    /// What was recorded from a mark on, whole statements only.
    ///
    /// - Parameters:
    ///   - mark: where to begin.
    ///   - declared: the statements whose texts earlier bytes have; those that these bytes add are
    ///     added.
    /// - Returns: the bytes, and the mark behind them; nil if they would be more than `limit`.
    func encoded(
        from mark: Mark, declared: inout Set<UInt16>, limit: Int
    ) -> (bytes: [UInt8], end: Mark)? {
        let end = recorded
        // `size` has 16 bytes for a word or a number, which takes 2 or 8 here: no more than this
        // can become as few as `limit`.
        guard end.size - mark.size <= 8 * limit else { return nil }
        var writer = ByteWriter(capacity: min(limit, end.size - mark.size + Self.textLimit))
        let (integers, blobs) = (integers, blobs)
        var values = mark
        // The first word of a statement is its number; those up to the end are its parameters.
        var isNumber = true
        for word in words[mark.words..<end.words] {
            if writer.count > limit { return nil }
            writer.u16le(word)
            if isNumber {
                isNumber = false
                if declared.insert(word).inserted {
                    let text = Array(text(of: word).utf8)
                    // What no start would take back is committed.
                    guard text.count <= Self.textLimit, declared.count <= Self.statementLimit
                    else { return nil }
                    writer.lengthPrefixed(text)
                }
            } else if word == Tag.end {
                isNumber = true
            } else if word % Tag.count == Tag.integer {
                writer.i64le(integers[values.integers])
                values.integers += 1
            } else if word % Tag.count == Tag.blob {
                writer.lengthPrefixed(blobs[values.blobs])
                values.blobs += 1
            }
        }
        return writer.count <= limit ? (writer.bytes, end) : nil
    }
}

/// Does again what a redo file has, on a connection of its own.
///
/// The texts come from the file. It lies beside the database, with the database's mode: whoever can
/// change the one can change the other, so they are run as they are, but nothing in them traps.
struct RedoReplay: ~Copyable {
    private let connection: SQLiteConnection
    private var statements: [UInt16: SQLiteStatement] = [:]

    init(_ connection: SQLiteConnection) {
        self.connection = connection
    }

    /// Runs the changes of one record, in the open transaction.
    ///
    /// - Throws: `.corrupt` for bytes that are no record; what SQLite says.
    mutating func run(_ bytes: [UInt8]) throws(MetadataError) {
        var reader = ByteReader(bytes)
        while reader.remaining > 0 { try runOne(&reader) }
    }

    private mutating func runOne(_ reader: inout ByteReader) throws(MetadataError) {
        let statement = try self.statement(&reader)
        _ = try statement.begin()
        let count = statement.parameterCount
        while true {
            let word = try Self.value { () throws(CodingError) in try reader.u16le() }
            if word == RedoLog.Tag.end { break }
            let index = Int32(word / RedoLog.Tag.count)
            guard index >= 1, index <= count else { throw Self.damaged }
            switch word % RedoLog.Tag.count {
            case RedoLog.Tag.integer:
                statement.bind(
                    index, try Self.value { () throws(CodingError) in try reader.i64le() })
            case RedoLog.Tag.blob:
                try statement.bind(index, try Self.bytes(&reader, limit: RedoLog.valueLimit))
            case RedoLog.Tag.null: try statement.bind(index, optional: nil)
            default: throw Self.damaged
            }
        }
        try statement.run()
    }

    /// The statement whose number comes next; the first time its text comes with it.
    private mutating func statement(
        _ reader: inout ByteReader
    ) throws(MetadataError) -> SQLiteStatement {
        let number = try Self.value { () throws(CodingError) in try reader.u16le() }
        if let known = statements[number] { return known }
        let text = try Self.bytes(&reader, limit: RedoLog.textLimit)
        guard statements.count < RedoLog.statementLimit,
            let sql = String(validating: text, as: UTF8.self)
        else { throw Self.damaged }
        let statement = SQLiteStatement(connection, sql)
        statements[number] = statement
        return statement
    }

    private static let damaged = MetadataError.corrupt("a record of the redo file")

    private static func bytes(
        _ reader: inout ByteReader, limit: Int
    ) throws(MetadataError) -> [UInt8] {
        try value { () throws(CodingError) in try reader.lengthPrefixed(limit: limit) }
    }

    private static func value<T>(
        _ read: () throws(CodingError) -> T
    ) throws(MetadataError) -> T {
        do {
            return try read()
        } catch {
            throw damaged
        }
    }
}
