// SPDX-License-Identifier: Apache-2.0
//
// A file of `me/` that is open to be written.

import Engine

/// Knows its file by number: a name may change meanwhile, and go.
final class AlephWriter: WritableForeignContent {
    private let mine: AlephMine
    private let number: UInt64
    /// What it had when it was opened: who removes the name leaves the bytes to who has it open.
    private let first: AlephStaged

    init(mine: AlephMine, number: UInt64, _ staged: AlephStaged) {
        self.mine = mine
        self.number = number
        first = staged
    }

    /// Others write it too.
    var keepsCache: Bool? { nil }

    private var staged: AlephStaged { mine.staged(number) ?? first }

    func read(
        at offset: UInt64, into out: inout MutableSpan<UInt8>, _ patience: Patience?
    ) throws(FileError) -> Int {
        try staged.shown(at: offset, into: &out)
    }

    func write(at offset: UInt64, _ bytes: Span<UInt8>) throws(FileError) {
        let staged = staged
        try mine.write(number) { () throws(SystemError) in try staged.write(bytes, at: offset) }
    }

    func finish() throws(FileError) { try mine.finish(number) }

    func close() { mine.close(number) }
}
