// SPDX-License-Identifier: Apache-2.0
//
// Open files: reading, writing, closing, syncing.

import Metadata
import Namespace
import Primitives
import Synchronization
import Threading

extension Engine {
    /// Opens a regular file.
    package func open(
        _ ino: UInt64, _ intent: OpenIntent, _ context: RequestContext
    ) throws(FileError) -> OpenedFile {
        if ForeignInodes.isForeign(ino) { return try openForeign(ino, intent, context) }
        if VirtualTree.isVirtual(ino) {
            if intent.writes || intent.truncates { throw .accessDenied }
            let handle = try handles.add(.text(try virtualText(ino)))
            return OpenedFile(handle: handle, keepsCache: false, isDirect: true)
        }
        if intent.writes || intent.truncates { try requireWritable() }
        return try open(pinned: try volume.pin(ino), intent, context)
    }

    /// Opens a file for reading or writing, and takes over the caller's pin of it, also where it
    /// fails.
    func open(
        pinned inode: Inode, _ intent: OpenIntent, _ context: RequestContext
    ) throws(FileError) -> OpenedFile {
        do throws(FileError) {
            let kind = inode.state.withLock { $0.isDeleted ? nil : $0.row.kind }
            guard let kind else { throw .stale }
            if kind == .directory { throw .isDirectory }
            guard kind == .regular else { throw .invalid }
            if intent.writes || intent.truncates { try pads.requireKey(inode) }
            if intent.truncates {
                try writer.truncate(inode, to: 0, context.patience)
                noteWritten(inode)
            } else {
                try ensureContent(inode, context.patience)
            }
            inode.state.withLock { state in
                state.openCount += 1
                if intent.writes {
                    state.writerCount += 1
                    // What the kernel gathers is in its pages before we hear of it.
                    state.mayBeCached = true
                }
            }
            let reads = fetcher.newReader(isCached: !intent.isUncached)
            let handle = try handles.add(.file(inode, intent, reads))
            if intent.isRead { try noteAccess(inode) }
            // A pad is refused at the write that is too much. Gathered in the kernel's cache, the
            // write would succeed, the close would fail, and the kernel would believe its size.
            let isPad = inode.state.withLock { $0.row.form } == .pad
            return OpenedFile(handle: handle, keepsCache: !isPad, isDirect: isPad)
        } catch {
            volume.table.unpin(inode)
            throw error
        }
    }

    /// Reads into `out`.
    ///
    /// - Returns: bytes read; fewer than asked only at the end of the file.
    package func read(
        _ handle: UInt64, ino: UInt64, at offset: UInt64, into out: inout MutableSpan<UInt8>,
        _ context: RequestContext
    ) throws(FileError) -> Int {
        switch handles.handle(handle) {
        case .file(let inode, _, let reads):
            return try read(inode, reads, at: offset, into: &out, context.patience)
        case .text(let text):
            let start = Int(min(offset, UInt64(text.count)))
            let count = min(out.count, text.count - start)
            copyBytes(text.span.extracting(start..<start + count), to: &out, at: 0)
            return count
        case .foreign(let content):
            return try content.read(at: offset, into: &out, context.patience)
        case .foreignWriter(let content):
            return try content.read(at: offset, into: &out, context.patience)
        case .directory: throw .isDirectory
        case nil: throw .stale
        }
    }

    private func read(
        _ inode: Inode, _ reads: FileReads, at offset: UInt64, into out: inout MutableSpan<UInt8>,
        _ patience: Patience?
    ) throws(FileError) -> Int {
        let (end, overflows) = offset.addingReportingOverflow(UInt64(out.count))
        let range = offset..<(overflows ? offset : end)
        // Who waits for the store asks for what comes next at once; who is served from here, after.
        if patience != nil { fetcher.note(inode, reads, range, asksStore: true) }
        do throws(FileError) {
            let count = try reader.read(inode, at: offset, into: &out, patience, around: reads)
            inode.state.withLock { state in
                state.mayBeCached = true
                state.isAccessUntold = false
            }
            if patience == nil { fetcher.note(inode, reads, range, asksStore: false) }
            return count
        } catch {
            if error != .wouldBlock { reads.ahead.withLock { $0.fail() } }
            throw error
        }
    }

    /// Writes all of `bytes`.
    ///
    /// - Parameter isGathered: the kernel wrote earlier into its own pages, and keeps size and
    ///   times itself; what the file takes it is told.
    package func write(
        _ handle: UInt64, ino: UInt64, at offset: UInt64, _ bytes: Span<UInt8>,
        isGathered: Bool = false, _ context: RequestContext
    ) throws(FileError) -> Int {
        if case .foreignWriter(let content) = handles.handle(handle) {
            try requireWritable()
            try content.write(at: offset, bytes)
            return bytes.count
        }
        guard case .file(let inode, _, _) = handles.handle(handle) else { throw .stale }
        try requireWritable()
        if bytes.isEmpty { return 0 }
        do throws(FileError) {
            let grew = try writer.write(
                inode, at: offset, bytes, isTimed: !isGathered, context.patience)
            if grew && isGathered { invalidation(.attributes(ino)) }
        } catch {
            noteUnstored(inode)
            throw error
        }
        noteWritten(inode)
        return bytes.count
    }

    /// A change that failed may have left the inode in blocks that no data map has: they are
    /// flushed like any others, or the next publication would leave the file out.
    func noteUnstored(_ inode: Inode) {
        let isUnstored = inode.state.withLock { state in
            state.row.form == .blocks && state.isBaseLoaded && state.base == nil
        }
        if isUnstored { flusher.note(inode.ino) }
    }

    /// Tells the background that an inode has new bytes.
    func noteWritten(_ inode: Inode) {
        let form = inode.state.withLock { $0.row.form }
        switch form {
        case .blocks: flusher.note(inode.ino)
        case .pad: pads.note(inode.ino, after: PadKeeper.openIdle)
        case .inline, .none: break
        }
        room.askIfShort()
    }

    /// The last close: background work on the file may begin.
    package func release(_ handle: UInt64, ino: UInt64) {
        let removed = handles.remove(handle)
        if case .foreign(let content) = removed { content.close() }
        if case .foreignWriter(let content) = removed { content.close() }
        guard case .file(let inode, let intent, let reads) = removed else { return }
        fetcher.cancel(reads)
        let (isLast, form, isUnsealed, isUntold, mayBeCached) = inode.state.withLock { state in
            state.openCount -= 1
            if intent.writes { state.writerCount -= 1 }
            defer { state.isAccessUntold = false }
            return (
                state.openCount == 0, state.row.form, state.isPadUnsealed, state.isAccessUntold,
                state.mayBeCached
            )
        }
        // The inode may leave memory now; what the kernel has stays.
        if mayBeCached { volume.table.noteCached(ino) }
        if isUntold { invalidation(.attributes(ino)) }
        if form == .pad && isUnsealed && intent.writes {
            pads.note(inode.ino, after: configuration.padDelay)
        }
        volume.table.unpin(inode)
        if isLast { removeIfOrphan(ino) }
    }

    /// fsync of a file or directory: durable on this machine; in the store too, if the volume asks
    /// for it.
    package func synchronize(_ ino: UInt64, dataOnly: Bool) throws(FileError) {
        volume.foreground.note()
        try committer.commit(isWhole: false, isRequest: true)
        volume.foreground.note()
        guard configuration.fsyncIsRemote else { return }
        let deadline = WaitClock.now + configuration.readDeadline
        if let failure = volume.requests.whileWaiting({ flushEverything(until: deadline) }) {
            throw failure == .wouldBlock ? .inputOutput : failure
        }
    }

    /// Whether `synchronize` waits for the store, and not for the disk alone.
    package var syncWaitsForStore: Bool { configuration.fsyncIsRemote }

    /// Allocates, or makes holes and zeros.
    package func allocate(
        _ handle: UInt64, ino: UInt64, _ mode: AllocationMode, offset: UInt64, count: UInt64,
        _ context: RequestContext
    ) throws(FileError) {
        if ForeignInodes.isForeign(ino) { throw .notSupported }
        guard case .file(let inode, _, _) = handles.handle(handle) else { throw .stale }
        try requireWritable()
        let (end, overflows) = offset.addingReportingOverflow(count)
        if overflows || end > ContentWriter.maximumFileSize { throw .tooLarge }
        if count == 0 { throw .invalid }
        switch mode {
        case .allocate(let keepsSize):
            // Blocks come from the shared cache as they are written: nothing is set aside for one
            // file.
            if !keepsSize { try writer.extend(inode, to: end, context.patience) }
        case .punchHole:
            try writer.clear(inode, offset..<end, context.patience)
        case .zeroRange(let keepsSize):
            try writer.clear(inode, offset..<end, context.patience)
            if !keepsSize { try writer.extend(inode, to: end, context.patience) }
        }
        noteWritten(inode)
    }
}
