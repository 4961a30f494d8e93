// SPDX-License-Identifier: Apache-2.0
//
// How much there is to copy, for a person who waits. What cannot be looked at is left out: the copy
// itself says so.

import Namespace

/// Adds up the files below a name.
struct TreeSize<Tree: FileTree> {
    /// Names that are looked at: in a larger tree nobody knows the whole before the copy is done.
    static var nameLimit: Int { 100_000 }

    private let tree: Tree
    private let isRecursive: Bool
    private var names = 0
    /// Bytes so far.
    private(set) var bytes: UInt64 = 0

    /// - Parameter isRecursive: whether folders are looked into.
    init(_ tree: Tree, isRecursive: Bool) {
        self.tree = tree
        self.isRecursive = isRecursive
    }

    /// Nil when there were too many names.
    var total: UInt64? { names > Self.nameLimit ? nil : bytes }

    /// Adds what is at a name, and below it.
    mutating func add(_ name: [UInt8], in folder: Tree.Folder, depth: Int = 0) {
        names += 1
        guard names <= Self.nameLimit, depth < TreeCopier<Tree, Tree>.maximumDepth else { return }
        do throws(TreeError) {
            guard let entry = try tree.entry(name, in: folder) else { return }
            if entry.kind == .regular {
                bytes += entry.size
            } else if entry.kind == .directory, isRecursive {
                let inner = try tree.folder(name, in: folder)
                for child in try tree.names(in: inner) { add(child, in: inner, depth: depth + 1) }
            }
        } catch {
            // See the head.
        }
    }
}
