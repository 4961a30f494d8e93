// SPDX-License-Identifier: Apache-2.0
//
// One file of a tree from standard input, or to standard output.

import Glibc
import Namespace

/// Copies between a tree and the standard streams.
enum StreamCopy {
    private static let blockSize = 1 << 20

    /// Writes standard input to a file.
    ///
    /// - Returns: 0, the number of files that could not be copied.
    static func store<Tree: FileTree>(
        _ tree: Tree, _ name: [UInt8], _ folder: Tree.Folder
    ) throws(TreeError) -> UInt64 {
        let input = try duplicate(STDIN_FILENO)
        let standing = try tree.entry(name, in: folder)
        if let standing, try isSame(standing, input) {
            throw .obstacle("it is standard input itself")
        }
        let isNew = standing == nil
        var block = [UInt8](repeating: 0, count: blockSize)
        // First: what cannot be read at all empties no file.
        let count = try read(input, &block)
        let file = try tree.createFile(name, in: folder)
        do throws(TreeError) {
            try copy(count, of: &block, input, tree, file)
        } catch {
            // The first failure is the one to tell. Part of a file would pass for the whole.
            do { try tree.close(file) } catch { /* See above. */  }
            if isNew { do { try tree.remove(name, in: folder) } catch { /* See above. */  } }
            throw error
        }
        try tree.close(file)
        return 0
    }

    private static func read(
        _ input: borrowing Descriptor, _ block: inout [UInt8]
    ) throws(TreeError) -> Int {
        var span = block.mutableSpan
        do {
            return try input.read(into: &span)
        } catch {
            throw .system(error)
        }
    }

    /// Copies the rest of a stream, whose first bytes are in the block already.
    private static func copy<Tree: FileTree>(
        _ first: Int, of block: inout [UInt8], _ input: borrowing Descriptor, _ tree: Tree,
        _ file: Tree.File
    ) throws(TreeError) {
        var count = first
        var offset: UInt64 = 0
        while count > 0 {
            try tree.write(file, at: offset, block.span.extracting(0..<count))
            offset += UInt64(count)
            count = try read(input, &block)
        }
    }

    /// Writes a file to standard output.
    static func print<Tree: FileTree>(
        _ tree: Tree, _ name: [UInt8], _ folder: Tree.Folder, _ text: String
    ) throws(CommandFailure) {
        do throws(TreeError) {
            let output = try duplicate(STDOUT_FILENO)
            if let entry = try tree.entry(name, in: folder), try isSame(entry, output) {
                throw TreeError.obstacle("it is standard output itself")
            }
            let file = try tree.openFile(name, in: folder)
            try copy(tree, file, output)
            try tree.close(file)
        } catch {
            throw CommandFailure(.unusablePath, "“\(text)” cannot be read: \(error.words)")
        }
    }

    private static func copy<Tree: FileTree>(
        _ tree: Tree, _ file: Tree.File, _ output: borrowing Descriptor
    ) throws(TreeError) {
        var block = [UInt8](repeating: 0, count: blockSize)
        var offset: UInt64 = 0
        while true {
            var span = block.mutableSpan
            let count = try tree.read(file, at: offset, into: &span)
            guard count > 0 else { return }
            do {
                try output.writeAll(block.span.extracting(0..<count))
            } catch {
                throw .system(error)
            }
            offset += UInt64(count)
        }
    }

    /// Whether a stream is the very file: emptied before it is read, or never at its end.
    private static func isSame(
        _ entry: TreeEntry, _ stream: borrowing Descriptor
    ) throws(TreeError) -> Bool {
        guard entry.kind == .regular, let place = entry.place else { return false }
        do {
            let facts = try FileFacts.of(stream)
            return place == TreeIdentity(filesystem: facts.filesystem, inode: facts.inode)
        } catch {
            throw .system(error)
        }
    }

    private static func duplicate(_ number: Int32) throws(TreeError) -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .system(SystemError.last("fcntl")) }
        return Descriptor(owning: copy)
    }
}
