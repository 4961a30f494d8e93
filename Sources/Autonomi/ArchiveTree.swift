// SPDX-License-Identifier: Apache-2.0
//
// An archive as directories and files, for whoever shows it.
//
// Invariants: node 0 is the root; a node's parent has a smaller number than the node; children
// ascend by name, and no two of one directory have the same.

/// The tree that an archive's paths make.
package struct ArchiveTree: Sendable {
    /// A directory or a file.
    package struct Node: Sendable {
        /// Its name; empty for the root.
        package let name: [UInt8]
        /// The directory it is in; the root is in itself.
        package let parent: Int
        /// Its place in `entries`; nil for a directory.
        package let entry: Int?
        /// The nodes in it, by name; empty for a file.
        package fileprivate(set) var children: [Int] = []
        /// Seconds since 1970: a file's own, a directory's the latest of what is in it.
        package fileprivate(set) var modified: UInt64
    }

    /// The files.
    package let entries: [ArchiveEntry]
    /// All nodes, the root first.
    package private(set) var nodes: [Node]

    /// The tree of `archive`.
    ///
    /// Ascending paths come directory by directory, so one walk with a stack builds it.
    ///
    /// - Throws: `tooLarge` above `ArchiveLimits.nodeCount`.
    package init(_ archive: Archive) throws(ArchiveError) {
        entries = archive.entries
        nodes = [Node(name: [], parent: 0, entry: nil, modified: 0)]
        var open: [Int] = [0]
        for (position, entry) in archive.entries.enumerated() {
            let names = entry.path.names
            var depth = 0
            while depth < names.count - 1, depth + 1 < open.count,
                nodes[open[depth + 1]].name == names[depth]
            {
                depth += 1
            }
            open.removeSubrange((depth + 1)...)
            guard nodes.count + names.count - depth <= ArchiveLimits.nodeCount else {
                throw .tooLarge(what: "files and directories", limit: ArchiveLimits.nodeCount)
            }
            for level in depth..<names.count {
                let isFile = level == names.count - 1
                let node = add(names[level], to: open[level], entry: isFile ? position : nil)
                if !isFile { open.append(node) }
            }
            for directory in open {
                nodes[directory].modified = max(nodes[directory].modified, entry.modified)
            }
        }
    }

    private mutating func add(_ name: [UInt8], to parent: Int, entry: Int?) -> Int {
        let modified = entry.map { entries[$0].modified } ?? 0
        nodes.append(Node(name: name, parent: parent, entry: entry, modified: modified))
        nodes[parent].children.append(nodes.count - 1)
        return nodes.count - 1
    }

    /// The node called `name` in directory `parent`; nil if there is none.
    package func child(_ name: [UInt8], of parent: Int) -> Int? {
        let children = nodes[parent].children
        var low = 0
        var high = children.count
        while low < high {
            let middle = (low + high) / 2
            if nodes[children[middle]].name.lexicographicallyPrecedes(name) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < children.count, nodes[children[low]].name == name else { return nil }
        return children[low]
    }
}
