// SPDX-License-Identifier: Apache-2.0
//
// Operations on open directories. Inode numbers are the engine's already.

import CFuse
import Engine

/// opendir(ino).
struct OpenDirectory: Operation {
    let ino: UInt64

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        .openedDirectory(try call.engine.openDirectory(ino, call.context))
    }
}

/// releasedir(handle).
struct ReleaseDirectory: Operation {
    let handle: UInt64

    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        call.engine.releaseDirectory(handle)
        return .done
    }
}

/// readdir and readdirplus(ino, handle, offset, size), into the thread's buffer.
struct ReadDirectory: Operation {
    let ino: UInt64
    let handle: UInt64
    let offset: UInt64
    let size: Int
    /// readdirplus, for which the kernel asks always: every entry may come with its status, and
    /// counts as a lookup then.
    let wantsStatus: Bool

    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        let scratch = call.scratch
        let inodes = call.host.inodes
        let room = min(size, ThreadScratch.bufferSize)
        let isRoot = ino == inodes.root
        let (withStatus, leftOut) = statuses(call)
        var used = 0
        var count = 0
        var refusesFirst = false
        scratch.countedInodes.removeAll(keepingCapacity: true)
        try call.engine.readDirectory(
            handle, ino: ino, from: offset, withStatus: withStatus, inPieces: true, call.context
        ) { entry in
            var entry = entry
            if count == leftOut { entry.status = nil }
            // What lies above the root of the mount is no concern of this mount's.
            let isAbove = isRoot && entry.name == Engine.dotDot
            let number = isAbove ? InodeTranslation.kernelRoot : inodes.kernel(entry.ino)
            // SAFETY: `used` never passes `room`, and `room` never the buffer's size; the buffer is
            // this thread's alone.
            let start = unsafe scratch.buffer.baseAddress.map { unsafe $0 + used }
            guard let start = unsafe start else { return false }
            let taken = unsafe add(entry, number, call, start, room - used)
            used += taken
            if taken > 0 { count += 1 }
            if taken == 0 && used == 0 { refusesFirst = true }
            return taken > 0
        }
        // The kernel takes an empty answer for the end, so a buffer with room for nothing is an
        // error.
        if refusesFirst { throw .invalid }
        if let leftOut, count > leftOut { call.host.habit.watch(ino) }
        // Only now: the engine may hold a lock while it lists.
        for ino in scratch.countedInodes { call.engine.countReference(ino) }
        // A time that cannot be kept is no reason to keep the names back.
        if offset == 0 { try? call.engine.noteListing(of: ino, isAnswered: true) }
        return .listing(used)
    }

    /// Whether the entries of this part come with their statuses, and which of them, counted from
    /// 0, comes without, to see whether somebody asks for it.
    private func statuses(_ call: Call) -> (areGiven: Bool, leftOut: Int?) {
        guard wantsStatus else { return (false, nil) }
        let habit = call.host.habit
        // Others may cost a question each, which the first part asks for all at once.
        guard Engine.isOwn(ino) else { return (offset == 0, nil) }
        if offset == 0 {
            let areGiven = habit.begin()
            // Without statuses every name does, behind the two dots.
            return (areGiven, areGiven ? ListingHabit.leftOut(of: size) : Engine.dots.count)
        }
        let isSmall = call.engine.hasAtMost(ListingHabit.wholeCount, entriesIn: ino)
        let areGiven = habit.goesOn(in: ino, isSmall: isSmall)
        return (areGiven, isSmall && areGiven ? nil : 0)
    }

    /// Adds one entry; the bytes it took, or 0 when it does not fit.
    private func add(
        _ entry: ListedEntry, _ number: UInt64, _ call: Call,
        _ start: UnsafeMutablePointer<UInt8>, _ room: Int
    ) -> Int {
        // SAFETY: `start` has `room` bytes, and the name is alive for the length of each call.
        guard wantsStatus else {
            return unsafe entry.name.withUnsafeBufferPointer { name in
                guard let bytes = name.baseAddress else { return 0 }
                return unsafe cfuse_add_entry(
                    start, room, bytes, name.count, number, entry.kind.modeBits,
                    entry.nextOffset)
            }
        }
        let isDots = entry.name == Engine.dot || entry.name == Engine.dotDot
        var status = cfuse_status()
        if let known = entry.status {
            status = cfuse_status(known, call.host.inodes)
        } else {
            status.mode = entry.kind.modeBits
        }
        status.ino = number
        // The two dots count as no lookup, nor does what came without a status.
        let isLinked = !isDots && entry.status != nil
        let believed = call.host.timeouts.believed(entry.status)
        // SAFETY: `start` has `room` bytes, and the name is alive for the length of the call.
        let taken = unsafe entry.name.withUnsafeBufferPointer { name in
            guard let bytes = name.baseAddress else { return 0 }
            return unsafe cfuse_add_entry_with_status(
                start, room, bytes, name.count, &status, believed, isLinked ? 1 : 0,
                entry.nextOffset)
        }
        if taken > 0 && isLinked { call.scratch.countedInodes.append(entry.ino) }
        return taken
    }
}
