// SPDX-License-Identifier: Apache-2.0
//
// One file of a tree from standard input, or to standard output.

import Glibc

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
        let isNew = try tree.entry(name, in: folder) == nil
        let file = try tree.createFile(name, in: folder)
        do throws(TreeError) {
            try copy(input, tree, file)
        } catch {
            // The first failure is the one to tell. Part of a file would pass for the whole.
            do { try tree.close(file) } catch { /* See above. */  }
            if isNew { do { try tree.remove(name, in: folder) } catch { /* See above. */  } }
            throw error
        }
        try tree.close(file)
        return 0
    }

    private static func copy<Tree: FileTree>(
        _ input: borrowing Descriptor, _ tree: Tree, _ file: Tree.File
    ) throws(TreeError) {
        var block = [UInt8](repeating: 0, count: blockSize)
        var offset: UInt64 = 0
        while true {
            var span = block.mutableSpan
            let count: Int
            do {
                count = try input.read(into: &span)
            } catch {
                throw .system(error)
            }
            guard count > 0 else { return }
            try tree.write(file, at: offset, block.span.extracting(0..<count))
            offset += UInt64(count)
        }
    }

    /// Writes a file to standard output.
    static func print<Tree: FileTree>(
        _ tree: Tree, _ name: [UInt8], _ folder: Tree.Folder, _ text: String
    ) throws(CommandFailure) {
        do throws(TreeError) {
            let output = try duplicate(STDOUT_FILENO)
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

    private static func duplicate(_ number: Int32) throws(TreeError) -> Descriptor {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw .system(SystemError.last("fcntl")) }
        return Descriptor(owning: copy)
    }
}
