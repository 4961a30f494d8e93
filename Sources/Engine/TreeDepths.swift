// SPDX-License-Identifier: Apache-2.0
//
// How deep directories lie, of many that share the way up. Pure: the caller reads what stands
// above.

/// Depths of directories below a top directory, each asked for once.
struct TreeDepths {
    /// Steps up from a directory to a top directory, at most: beyond it the rows are damaged, or
    /// somebody has nested directories without end.
    static let limit = 100_000

    /// The tree is deeper than `limit`.
    struct TooDeep: Error {}

    /// Nil for a directory that is no longer in the tree.
    private var known: [UInt64: Int?] = [:]

    /// Steps up to a top directory; nil when the directory is no longer in the tree.
    ///
    /// - Parameters:
    ///   - first: the smallest number of a directory that is no top directory.
    ///   - parent: what stands above a directory; nil when that is no longer in the tree. Asked
    ///     once for each directory.
    /// - Throws: `TooDeep`, or what `parent` throws.
    mutating func depth(
        of directory: UInt64, belowTopsUnder first: UInt64,
        parent: (UInt64) throws -> UInt64?
    ) throws -> Int? {
        var passed: [UInt64] = []
        var depth: Int? = 0
        var current = directory
        while current >= first {
            if let found = known[current] {
                depth = found
                break
            }
            // A circle of damaged rows ends here too.
            guard passed.count < Self.limit else { throw TooDeep() }
            passed.append(current)
            guard let above = try parent(current) else {
                depth = nil
                break
            }
            current = above
        }
        if let depth, depth + passed.count > Self.limit { throw TooDeep() }
        for directory in passed.reversed() {
            depth = depth.map { $0 + 1 }
            known.updateValue(depth, forKey: directory)
        }
        return depth
    }
}
