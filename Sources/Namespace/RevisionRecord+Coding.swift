// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a page of the revision log: docs/format.md §11.

import Primitives

extension RevisionRecord {
    /// The rule a page of the log breaks; nil if there is none.
    static func fault(of records: [RevisionRecord], older: [RevisionSpan]) -> String? {
        guard (1...NamespaceLimits.maximumRevisionsPerPage).contains(records.count) else {
            return "a page of the revision log is empty or too long"
        }
        for (index, record) in records.enumerated() {
            guard index == 0 || records[index - 1].revision < record.revision else {
                return "the revision log is not sorted"
            }
            if let fault = record.fault { return fault }
        }
        guard older.count <= NamespaceLimits.maximumRevisionSpanCount else {
            return "the revision log has too many spans"
        }
        var next = records[0].revision
        for span in older {
            guard span.pageCount >= 1 else { return "a span of the revision log is empty" }
            guard span.firstRevision < next else { return "the revision log is not sorted" }
            next = span.firstRevision
        }
        return nil
    }

    private var fault: String? {
        guard device.utf8.count <= NamespaceLimits.maximumDeviceSize else {
            return "the name of a device is too long"
        }
        guard published.nanoseconds < Timestamp.nanosecondsPerSecond else {
            return "nanoseconds make a second"
        }
        return TopEntry.files.fault(of: files) ?? TopEntry.scratchpads.fault(of: scratchpads)
    }

    static func encode(
        _ records: [RevisionRecord], older: [RevisionSpan], into writer: inout ByteWriter
    ) {
        writer.varint(UInt64(records.count))
        for record in records {
            writer.varint(record.revision)
            record.published.encode(into: &writer)
            writer.lengthPrefixed(Array(record.device.utf8))
            record.files.encode(into: &writer)
            record.scratchpads.encode(into: &writer)
            PageReference.encode(record.hardLinks, into: &writer)
        }
        writer.varint(UInt64(older.count))
        for span in older {
            span.newest.encode(into: &writer)
            writer.varint(span.firstRevision)
            writer.varint(span.pageCount)
        }
    }

    static func list(
        from reader: inout ByteReader
    ) throws(CodingError) -> (records: [RevisionRecord], older: [RevisionSpan]) {
        let count = try reader.count(limit: NamespaceLimits.maximumRevisionsPerPage)
        var records: [RevisionRecord] = []
        for _ in 0..<count {
            records.append(
                RevisionRecord(
                    revision: try reader.varint(), published: try Timestamp(from: &reader),
                    device: try reader.deviceName(),
                    files: try Entry(from: &reader, keys: .names),
                    scratchpads: try Entry(from: &reader, keys: .names),
                    hardLinks: try PageReference.optional(from: &reader)))
        }
        let spanCount = try reader.count(limit: NamespaceLimits.maximumRevisionSpanCount)
        var older: [RevisionSpan] = []
        for _ in 0..<spanCount {
            older.append(
                RevisionSpan(
                    newest: try PageReference(from: &reader),
                    firstRevision: try reader.varint(), pageCount: try reader.varint()))
        }
        return (records, older)
    }
}

/// The two directories that stand in the root itself.
enum TopEntry: String {
    case files
    case scratchpads

    /// The rule this entry breaks in its place; nil if there is none.
    func fault(of entry: Entry) -> String? {
        guard entry.name == Array(rawValue.utf8), entry.kind == .directory else {
            return "the root holds other entries than files and scratchpads"
        }
        guard entry.encodedSize <= NamespaceLimits.maximumTopEntrySize else {
            return "the extended attributes of a top directory are too large"
        }
        return entry.fault(in: .names)
    }
}

extension ByteReader {
    /// Reads a device's name, which must be UTF-8.
    mutating func deviceName() throws(CodingError) -> String {
        let bytes = try lengthPrefixed(limit: NamespaceLimits.maximumDeviceSize)
        guard let name = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("the name of a device is not UTF-8")
        }
        return name
    }
}
