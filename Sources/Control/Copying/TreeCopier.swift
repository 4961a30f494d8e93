// SPDX-License-Identifier: Apache-2.0
//
// Copies files and folders from one tree to another, with their permissions, times, symlinks, hard
// links, holes and extended attributes. One file's failure does not stop the rest.

import Namespace

/// A copy under way.
package struct TreeCopier<Source: FileTree, Target: FileTree> {
    /// Folders within folders; a deeper tree is reported, not followed: each level takes stack, and
    /// an open folder.
    package static var maximumDepth: Int { 512 }
    /// Files of several names that are remembered; the names of more are copied one by one.
    package static var maximumLinks: Int { 1_000_000 }
    /// Bytes moved at a time.
    static var blockSize: Int { 1 << 20 }

    private let source: Source
    private let target: Target
    private let isRecursive: Bool
    private let report: (_ path: String, _ words: String) -> Void
    private let progressed: (_ bytes: UInt64, _ path: String) -> Void
    /// Bytes of the files that are done, holes and all.
    private var doneBytes: UInt64 = 0
    private var links: [TreeIdentity: Target.Link] = [:]
    /// The folder that is copied into, and those it lies in.
    private var above: Set<TreeIdentity> = []
    private var block = [UInt8](repeating: 0, count: TreeCopier.blockSize)

    /// Files that were copied.
    package private(set) var copiedCount: UInt64 = 0
    /// Bytes of them.
    package private(set) var copiedBytes: UInt64 = 0
    /// Files that could not be copied, or not wholly.
    package private(set) var failedCount: UInt64 = 0

    /// - Parameters:
    ///   - isRecursive: folders are copied with what is in them; else they are refused.
    ///   - report: called for each file that could not be copied.
    ///   - progressed: called while bytes move, with how many are done of all files so far, holes
    ///     and all, and the file that is being copied.
    package init(
        from source: Source, to target: Target, isRecursive: Bool,
        report: @escaping (_ path: String, _ words: String) -> Void,
        progressed: @escaping (_ bytes: UInt64, _ path: String) -> Void = { _, _ in }
    ) {
        self.source = source
        self.target = target
        self.isRecursive = isRecursive
        self.report = report
        self.progressed = progressed
    }

    /// Copies what is called `name` in one folder to `newName` in another.
    ///
    /// - Parameter path: how a person knows it, for reports.
    package mutating func copy(
        _ name: [UInt8], in folder: Source.Folder, path: String,
        to newName: [UInt8], in newFolder: Target.Folder
    ) {
        do throws(TreeError) {
            above = Set(try target.places(of: newFolder))
        } catch {
            failedCount += 1
            return report(path, error.words)
        }
        copy(name, in: folder, path, newName, newFolder, depth: 0)
    }

    private mutating func copy(
        _ name: [UInt8], in folder: Source.Folder, _ path: String,
        _ newName: [UInt8], _ newFolder: Target.Folder, depth: Int
    ) {
        do throws(TreeError) {
            guard let entry = try source.entry(name, in: folder) else {
                throw TreeError.obstacle("there is no such file")
            }
            guard entry.kind == .directory else {
                defer {
                    if entry.kind == .regular { doneBytes += entry.size }
                }
                try copyFile(entry, name, folder, path, newName, newFolder)
                copiedCount += 1
                return
            }
            guard isRecursive else { throw TreeError.obstacle("it is a folder; add -r") }
            guard depth < Self.maximumDepth else {
                throw TreeError.obstacle("it is more than \(Self.maximumDepth) folders deep")
            }
            // Also deeper, where another name leads back to it (a bind mount).
            if let place = entry.place, above.contains(place) {
                throw TreeError.obstacle("the folder to copy into lies in it")
            }
            let from = try source.folder(name, in: folder)
            let to = try openOrMake(entry, newName, newFolder)
            for child in try source.names(in: from) {
                let text = path + "/" + String(decoding: child, as: UTF8.self)
                copy(child, in: from, text, child, to, depth: depth + 1)
            }
            // Last: what was written into it changed its time, and it may be read-only.
            try finish(entry, name, folder, newName, newFolder)
        } catch {
            failedCount += 1
            report(path, error.words)
        }
    }

    /// Nothing is read from a file that the same copy empties or removes.
    private func refuseItself(_ entry: TreeEntry, _ standing: TreeEntry) throws(TreeError) {
        guard let place = entry.place, place == standing.place else { return }
        throw .obstacle("it would be copied onto itself")
    }

    private func openOrMake(
        _ entry: TreeEntry, _ name: [UInt8], _ folder: Target.Folder
    ) throws(TreeError) -> Target.Folder {
        guard let standing = try target.entry(name, in: folder) else {
            return try target.makeFolder(name, in: folder)
        }
        guard standing.kind == .directory else {
            throw .obstacle("what is there already is no folder")
        }
        try refuseItself(entry, standing)
        return try target.folder(name, in: folder)
    }

    private mutating func copyFile(
        _ entry: TreeEntry, _ name: [UInt8], _ folder: Source.Folder, _ path: String,
        _ newName: [UInt8], _ newFolder: Target.Folder
    ) throws(TreeError) {
        var isNew = true
        if let standing = try target.entry(newName, in: newFolder) {
            guard standing.kind != .directory else {
                throw .obstacle("what is there already is a folder")
            }
            try refuseItself(entry, standing)
            // Written in place only where both are plain files, as cp does it.
            if standing.kind != .regular || entry.kind != .regular || entry.identity != nil {
                try target.remove(newName, in: newFolder)
            } else {
                isNew = false
            }
        }
        if let identity = entry.identity, let link = links[identity] {
            return try target.add(newName, as: link, in: newFolder)
        }
        switch entry.kind {
        case .regular:
            do throws(TreeError) {
                try copyBytes(entry, name, folder, path, newName, newFolder)
            } catch {
                // Part of a file under its name would pass for the whole.
                if isNew { removeQuietly(newName, newFolder) }
                throw error
            }
        case .symlink:
            let text = try source.target(of: name, in: folder)
            try target.makeSymlink(newName, to: text, in: newFolder)
        default: try target.makeSpecial(newName, like: entry, in: newFolder)
        }
        try finish(entry, name, folder, newName, newFolder)
        if let identity = entry.identity, links.count < Self.maximumLinks {
            links[identity] = try target.link(to: newName, in: newFolder)
        }
    }

    private mutating func copyBytes(
        _ entry: TreeEntry, _ name: [UInt8], _ folder: Source.Folder, _ path: String,
        _ newName: [UInt8], _ newFolder: Target.Folder
    ) throws(TreeError) {
        let from = try source.openFile(name, in: folder)
        let to: Target.File
        do {
            to = try target.createFile(newName, in: newFolder)
        } catch {
            try source.close(from)
            throw error
        }
        do throws(TreeError) {
            try copyData(from, to, size: entry.size, path)
        } catch {
            // The first failure is the one to tell; these only give back what is open.
            closeQuietly(from, to)
            throw error
        }
        try source.close(from)
        try target.close(to)
    }

    private func removeQuietly(_ name: [UInt8], _ folder: Target.Folder) {
        // It may never have been made, and the first failure is the one to tell.
        do { try target.remove(name, in: folder) } catch { /* See above. */  }
    }

    private func closeQuietly(_ from: Source.File, _ to: Target.File) {
        do { try source.close(from) } catch { /* See the caller. */  }
        do { try target.close(to) } catch { /* See the caller. */  }
    }

    private mutating func copyData(
        _ from: Source.File, _ to: Target.File, size: UInt64, _ path: String
    ) throws(TreeError) {
        // Taken out while it is in use: the copier itself is asked for its trees meanwhile.
        var block: [UInt8] = []
        swap(&block, &self.block)
        defer { swap(&block, &self.block) }
        var offset: UInt64 = 0
        while let range = try source.data(in: from, from: offset, size: size) {
            offset = range.lowerBound
            while offset < range.upperBound {
                let wanted = Int(min(UInt64(Self.blockSize), range.upperBound - offset))
                var whole = block.mutableSpan
                var part = whole._mutatingExtracting(0..<wanted)
                let count = try source.read(from, at: offset, into: &part)
                // It became shorter while it was read: what is there is what is copied.
                guard count > 0 else { return try target.setSize(to, offset) }
                try target.write(to, at: offset, block.span.extracting(0..<count))
                offset += UInt64(count)
                copiedBytes += UInt64(count)
                progressed(doneBytes + offset, path)
            }
        }
        if offset < size {
            try target.setSize(to, size)
            offset = size
        }
        try copyRest(from, to, from: offset, &block, path)
    }

    /// What follows the size: a file that grows, or one of /proc, which claims to have none.
    private mutating func copyRest(
        _ from: Source.File, _ to: Target.File, from start: UInt64, _ block: inout [UInt8],
        _ path: String
    ) throws(TreeError) {
        var offset = start
        while true {
            var whole = block.mutableSpan
            let count = try source.read(from, at: offset, into: &whole)
            guard count > 0 else { return }
            try target.write(to, at: offset, block.span.extracting(0..<count))
            offset += UInt64(count)
            copiedBytes += UInt64(count)
            progressed(doneBytes + offset, path)
        }
    }

    private func finish(
        _ entry: TreeEntry, _ name: [UInt8], _ folder: Source.Folder,
        _ newName: [UInt8], _ newFolder: Target.Folder
    ) throws(TreeError) {
        try target.setOwner(entry, of: newName, in: newFolder)
        for attribute in try source.attributes(of: name, in: folder) {
            try target.setAttribute(attribute, of: newName, in: newFolder)
        }
        // Last: an access list sets a mode of its own.
        try target.apply(entry, to: newName, in: newFolder)
    }
}
