// SPDX-License-Identifier: Apache-2.0
//
// Open files below `aleph/` that are only read.

import Engine

/// A text that was made here.
struct AlephText: ForeignContent {
    let bytes: [UInt8]
    let keepsCache: Bool?

    func read(
        at offset: UInt64, into out: inout MutableSpan<UInt8>, _ patience: Patience?
    ) throws(FileError) -> Int {
        let start = Int(min(offset, UInt64(bytes.count)))
        let count = min(out.count, bytes.count - start)
        let span = bytes.span
        for index in 0..<count { out[index] = span[start + index] }
        return count
    }
}

/// A stored file, on the local disk.
struct AlephStoredContent: ForeignContent {
    let file: AlephLocalFile
    let keepsCache: Bool?

    func read(
        at offset: UInt64, into out: inout MutableSpan<UInt8>, _ patience: Patience?
    ) throws(FileError) -> Int {
        try file.shown(at: offset, into: &out)
    }
}
