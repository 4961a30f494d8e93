// SPDX-License-Identifier: Apache-2.0
//
// Large directories, which take seconds to load: by a thread of their own, so that a listing gives
// the names that are there already, and that nobody's patience ends the work of all. So is the
// hard-link table.
//
// Invariants:
// - Of each directory at most one load is under way here; it is in `running` from when its thread
//   is there until it has ended, which is told to those who wait for it after that.
// - A directory whose load has not come to its end is partial: what is listed of it counts as no
//   lookup, and every name is looked up in the whole.

import Metadata
import Primitives
import Synchronization
import Threading

/// One large directory on its way into the database.
final class DirectoryLoad: Sendable {
    struct Progress {
        /// Leaf pages whose entries are rows.
        var leaves = 0
        /// How it ended; nil while it has not.
        var end: Result<Void, FileError>?
    }
    let progress = Monitor(Progress())
}

/// Loads that have a thread.
struct RunningLoads {
    var loads: [UInt64: DirectoryLoad] = [:]
    var isStopping = false
}

extension DirectoryLoader {
    /// A directory of so many entries or more gets a thread: some 50 ms of work, on a quick store.
    static let largeDirectory: UInt64 = 4096
    /// Directories that are loaded by threads of their own at once. Who wants more loads them
    /// himself.
    static let threadLimit = 4

    /// The setting that names the directories which are partial.
    static let partialKey = "partial-directories"

    /// Eight bytes each, least significant first.
    static func encoded(_ directories: Set<UInt64>) -> [UInt8] {
        var writer = ByteWriter()
        for directory in directories.sorted() { writer.u64le(directory) }
        return writer.bytes
    }

    /// Reads what `encoded` wrote, up to the first byte that makes no sense.
    static func decoded(_ bytes: [UInt8]) -> Set<UInt64> {
        var reader = ByteReader(bytes)
        var directories: Set<UInt64> = []
        while let directory = try? reader.u64le() { directories.insert(directory) }
        return directories
    }

    /// How far a partial directory was, before its rows were read.
    struct Extent {
        fileprivate let load: DirectoryLoad?
        fileprivate let leaves: Int
    }

    /// Makes at least the first of the directory's entries present in the database.
    ///
    /// - Throws: as `ensureLoaded`.
    func ensureListable(_ row: InodeRow, _ patience: Patience?) throws(FileError) {
        if row.isLoaded { return }
        guard let patience else { throw .wouldBlock }
        guard row.size >= DirectoryLoader.largeDirectory, let load = begin(row.ino) else {
            return try ensureLoaded(row, patience)
        }
        try wait(for: load, patience) { $0.leaves > 0 }
    }

    /// Waits for a large directory to be loaded.
    ///
    /// - Returns: false if it gets no thread.
    func waitForLoad(of directory: UInt64, _ patience: Patience) throws(FileError) -> Bool {
        guard let load = begin(directory) else { return false }
        try wait(for: load, patience) { _ in false }
        return true
    }

    /// To be asked before rows of the directory are read; nil if they are all there.
    func extent(of directory: UInt64) -> Extent? {
        guard isPartial(directory) else { return nil }
        let load = running.withLock { $0.loads[directory] }
        return Extent(load: load, leaves: load?.progress.withLock { $0.leaves } ?? 0)
    }

    /// Waits until the directory has more rows than it had, or all. Goes on with a load that was
    /// cut off.
    ///
    /// - Throws: as `ensureLoaded`.
    func waitForGrowth(
        of directory: UInt64, beyond extent: Extent, _ patience: Patience?
    ) throws(FileError) {
        guard let patience else { throw .wouldBlock }
        guard let load = extent.load ?? begin(directory) else {
            return try ensureLoaded(try volume.row(directory), patience)
        }
        try wait(for: load, patience) { $0.leaves > extent.leaves }
    }

    /// Ends the threads; those who wait get an error.
    func stopLoads(until deadline: ContinuousClock.Instant) {
        running.update { $0.isStopping = true }
        stopping.interrupt()
        _ = running.wait(atMost: deadline - .now) { $0.loads.isEmpty ? true : nil }
    }

    /// The directory's load, begun if there is none; nil when no more threads are to be had, here
    /// or of the system: who wants it loads it himself.
    func begin(_ directory: UInt64) -> DirectoryLoad? {
        running.withLock { state -> DirectoryLoad? in
            if let load = state.loads[directory] { return load }
            guard !state.isStopping, state.loads.count < DirectoryLoader.threadLimit else {
                return nil
            }
            let load = DirectoryLoad()
            // Under the lock, which the thread takes before it ends: nobody waits for a load that
            // has none.
            let isStarted = SystemThread.start("cairn-list", stackSize: WorkerPool.stackSize) {
                self.run(load, directory)
            }
            guard isStarted else { return nil }
            state.loads[directory] = load
            return load
        }
    }

    private func run(_ load: DirectoryLoad, _ directory: UInt64) {
        let end: Result<Void, FileError>
        do throws(FileError) {
            let afterLeaf = { load.progress.update { $0.leaves += 1 } }
            if directory == Volume.hardLinkDirectory {
                try loadHardLinksOnce(patience, afterLeaf: afterLeaf)
            } else {
                try loadOnce(directory, patience, afterLeaf: afterLeaf)
            }
            end = .success(())
        } catch {
            // Nobody's own signal: the volume is stopped.
            end = .failure(error == .interrupted ? .inputOutput : error)
        }
        running.update { $0.loads[directory] = nil }
        load.progress.update { $0.end = end }
    }

    /// As much for each page as a reader has: a million names may take longer than one has.
    private func patience() -> Patience {
        Patience(for: volume.configuration.readDeadline, following: stopping)
    }

    /// Waits for another leaf than so many.
    ///
    /// - Returns: true if that was the end.
    func wait(
        for load: DirectoryLoad, beyond leaves: inout Int, _ patience: Patience
    ) throws(FileError) -> Bool {
        let known = leaves
        try wait(for: load, patience) { $0.leaves > known }
        let (now, isOver) = load.progress.withLock { ($0.leaves, $0.end != nil) }
        leaves = now
        // How it ended is told by the next wait, which finds it at once.
        return isOver && now == known
    }

    private func wait(
        for load: DirectoryLoad, _ patience: Patience,
        until isEnough: (DirectoryLoad.Progress) -> Bool
    ) throws(FileError) {
        while true {
            let end = load.progress.wait(atMost: ChunkFetcher.step) {
                $0.end ?? (isEnough($0) ? .success(()) : nil)
            }
            if let end { return try end.get() }
            if patience.isInterrupted { throw .interrupted }
            if patience.isOver { throw .inputOutput }
        }
    }
}
