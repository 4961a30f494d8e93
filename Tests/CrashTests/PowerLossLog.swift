// SPDX-License-Identifier: Apache-2.0
//
// The log that PowerLossLayer writes, as a list of what was done. The bytes stay in the file, which
// is mapped.

import Foundation

/// One line of the log.
struct PowerLossRecord {
    enum Act {
        case create(path: String, inode: UInt64)
        case makeFolder(path: String)
        case write(inode: UInt64, offset: Int, bytes: Range<Int>)
        case truncate(inode: UInt64, size: Int)
        case punch(inode: UInt64, range: Range<Int>)
        case unlink(path: String)
        case rename(from: String, to: String)
        case sync(inode: UInt64)
        case syncFolder(path: String)
        case link(from: String, to: String)
    }

    let act: Act
    /// Where the log ends with this line: what had returned by then has at most this position.
    let end: Int
}

/// A whole log.
struct PowerLossLog {
    struct Damaged: Error {
        let position: Int
    }

    /// Bytes before the names of a line: eight numbers.
    static let headSize = 64

    let bytes: Data
    let records: [PowerLossRecord]

    init(path: String) throws {
        bytes = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
        var records: [PowerLossRecord] = []
        var position = 0
        while position < bytes.count {
            let record = try PowerLossLog.record(in: bytes, at: position)
            records.append(record)
            position = record.end
        }
        self.records = records
    }

    private static func record(in bytes: Data, at start: Int) throws -> PowerLossRecord {
        guard start + headSize <= bytes.count else { throw Damaged(position: start) }
        func number(_ index: Int) -> UInt64 {
            bytes[start + 8 * index..<start + 8 * index + 8].reversed()
                .reduce(0) { $0 << 8 | UInt64($1) }
        }
        let (inode, offset, length) = (number(1), number(2), number(3))
        let names = start + headSize
        let second = names + Int(number(4))
        let data = second + Int(number(5))
        guard data <= bytes.count else { throw Damaged(position: start) }
        let first = String(decoding: bytes[names..<second], as: UTF8.self)
        let other = String(decoding: bytes[second..<data], as: UTF8.self)
        var end = data
        let act: PowerLossRecord.Act
        switch number(0) {
        case 1: act = .create(path: first, inode: inode)
        case 2: act = .makeFolder(path: first)
        case 3:
            end = data + Int(length)
            guard end <= bytes.count else { throw Damaged(position: start) }
            act = .write(inode: inode, offset: Int(offset), bytes: data..<end)
        case 4: act = .truncate(inode: inode, size: Int(offset))
        case 5: act = .punch(inode: inode, range: Int(offset)..<Int(offset + length))
        case 6: act = .unlink(path: first)
        case 7: act = .rename(from: first, to: other)
        case 8: act = .sync(inode: inode)
        case 9: act = .syncFolder(path: first)
        case 10: act = .link(from: first, to: other)
        default: throw Damaged(position: start)
        }
        return PowerLossRecord(act: act, end: end)
    }
}
