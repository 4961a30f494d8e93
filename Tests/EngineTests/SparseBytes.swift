// SPDX-License-Identifier: Apache-2.0
//
// A file's bytes in the plain model: pages that are copied when they change, so that every past
// state of a tree can be kept.

/// Bytes with holes; a page that is not there is zeros.
struct SparseBytes {
    static let pageSize = 65_536
    static let zeros = [UInt8](repeating: 0, count: pageSize)

    private(set) var size = 0
    private var pages: [Int: [UInt8]] = [:]

    mutating func write(_ bytes: [UInt8], at offset: Int) {
        var position = 0
        while position < bytes.count {
            let at = offset + position
            let from = at % SparseBytes.pageSize
            let count = min(SparseBytes.pageSize - from, bytes.count - position)
            var page = pages.removeValue(forKey: at / SparseBytes.pageSize) ?? SparseBytes.zeros
            page.replaceSubrange(from..<from + count, with: bytes[position..<position + count])
            pages[at / SparseBytes.pageSize] = page
            position += count
        }
        if !bytes.isEmpty { size = max(size, offset + bytes.count) }
    }

    mutating func truncate(to newSize: Int) {
        if newSize < size { clear(newSize..<size) }
        size = newSize
    }

    /// Zeros; never changes the size.
    mutating func clear(_ range: Range<Int>) {
        let range = range.clamped(to: 0..<size)
        if range.isEmpty { return }
        let first = range.lowerBound / SparseBytes.pageSize
        let last = (range.upperBound - 1) / SparseBytes.pageSize
        for number in pages.keys.filter({ $0 >= first && $0 <= last }) {
            let start = number * SparseBytes.pageSize
            let part = range.clamped(to: start..<start + SparseBytes.pageSize)
            if part.count == SparseBytes.pageSize {
                pages[number] = nil
            } else {
                let inner = (part.lowerBound - start)..<(part.upperBound - start)
                pages[number]?.replaceSubrange(
                    inner, with: repeatElement(0, count: inner.count))
            }
        }
    }

    func read(_ range: Range<Int>) -> [UInt8] {
        let range = range.clamped(to: 0..<size)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(range.count)
        var position = range.lowerBound
        while position < range.upperBound {
            let from = position % SparseBytes.pageSize
            let count = min(SparseBytes.pageSize - from, range.upperBound - position)
            let page = pages[position / SparseBytes.pageSize] ?? SparseBytes.zeros
            bytes += page[from..<from + count]
            position += count
        }
        return bytes
    }

    /// True when nothing but zeros is in the range.
    func isZero(_ range: Range<Int>) -> Bool {
        let range = range.clamped(to: 0..<size)
        let (first, last) = (
            range.lowerBound / SparseBytes.pageSize,
            (max(range.upperBound, 1) - 1) / SparseBytes.pageSize
        )
        return pages.keys.filter { $0 >= first && $0 <= last }.allSatisfy { number in
            let start = number * SparseBytes.pageSize
            let part = read(range.clamped(to: start..<start + SparseBytes.pageSize))
            return same(part, [UInt8](repeating: 0, count: part.count))
        }
    }
}
