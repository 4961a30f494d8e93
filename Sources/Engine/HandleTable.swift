// SPDX-License-Identifier: Apache-2.0
//
// Open files and directories, by the numbers the kernel gives back to us.

import Primitives
import Synchronization

/// What an open handle stands for.
enum OpenHandle: Sendable {
    /// An open file; its inode is pinned until release.
    case file(Inode, OpenIntent, FileReads)
    /// A virtual file: its text as it was at open.
    case text([UInt8])
    /// A file of a foreign tree.
    case foreign(any ForeignContent)
    /// One that is open to be written.
    case foreignWriter(any WritableForeignContent)
    /// An open directory.
    case directory(UInt64)
}

/// All open handles.
final class HandleTable: Sendable {
    /// Most at once; beyond it opening fails.
    static let limit = 1_000_000

    private struct Table {
        var handles: [UInt64: OpenHandle] = [:]
        var next: UInt64 = 1
    }
    private let table = Lock(Table())

    /// A number for the handle.
    func add(_ handle: OpenHandle) throws(FileError) -> UInt64 {
        try table.withLock { (table) throws(FileError) in
            if table.handles.count >= HandleTable.limit { throw .busy }
            let number = table.next
            table.next += 1
            table.handles[number] = handle
            return number
        }
    }

    func handle(_ number: UInt64) -> OpenHandle? {
        table.withLock { $0.handles[number] }
    }

    func remove(_ number: UInt64) -> OpenHandle? {
        table.withLock { $0.handles.removeValue(forKey: number) }
    }

    var count: Int { table.withLock { $0.handles.count } }
}
