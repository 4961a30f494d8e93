// SPDX-License-Identifier: Apache-2.0
//
// Writes that go from memory to the disk, and are waited for awake.
// docs/decisions/0048-waiting-awake.md says why.
//
// A thread that sleeps while the disk works is late: its processor sleeps too, and takes 20 to 50
// µs to come back, once for the write and once for the flush behind it. So whoever waits looks
// whether the disk is done, and offers the processor to others all the time. Where that is in vain
// it sleeps (`AttemptPolicy`).
//
// Invariants:
// - `room` is not touched while a write is under way: the disk reads it.
// - `begin` is called by one thread at a time, `end` too; what the one leaves to the other is
//   ordered by `isUnderWay`.

import CLinux
import Glibc
import Synchronization

/// Writes whole pages of one file so that they are on the disk, one write at a time.
///
/// `@unchecked Sendable` because of what `isUnderWay` orders; see above.
@safe final class DirectWriter: @unchecked Sendable {
    /// Bytes of one write at most.
    static let limit = 64 << 10
    /// What memory, offset and size are multiples of: a sector of any disk.
    static let pageSize = 4096
    /// The kind of a filesystem that always writes over what is there in its place: ext2 to ext4.
    /// Elsewhere a write may need room that a full disk does not have; on XFS where two files share
    /// their blocks.
    ///
    /// - Source: the kernel's linux/magic.h.
    private static let kind: Int64 = 0xEF53
    /// Nanoseconds that are looked at most: three times what a good disk takes.
    private static let longestLook: UInt64 = 400_000
    /// Nanoseconds: whoever has the processor for longer than this does more than pass by.
    private static let longestTurn: UInt64 = 100_000

    /// What the system takes at most to begin a write, with much to spare.
    static let longestBegin = Duration.microseconds(500)

    private let descriptor: Int32
    private let longestBegin: Duration
    private let context: UInt64
    private let room: UnsafeMutableRawBufferPointer
    private let isUnderWay = Atomic<Bool>(false)
    /// The disk did not take one: what is written so is not tried again.
    private let hasFailed = Atomic<Bool>(false)
    /// Where the write under way begins, and its bytes.
    private var offset = 0
    private var count = 0
    private var looks = AttemptPolicy()
    private var begins = AttemptPolicy()

    /// Opens a file a second time; nil where the system or the filesystem can not do it.
    ///
    /// - Parameter longestBegin: what is late, for tests.
    convenience init?(path: String, longestBegin: Duration = DirectWriter.longestBegin) {
        // SAFETY: the path lives for the call.
        let descriptor = unsafe open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        guard cairn_filesystem_kind(descriptor) == Self.kind, cairn_set_direct(descriptor, 1) == 0
        else {
            close(descriptor)
            return nil
        }
        self.init(descriptor, longestBegin: longestBegin)
    }

    /// Takes a file that is open with O_DIRECT, and closes it in any case; nil where the system has
    /// no room for one more who writes so.
    init?(_ descriptor: Int32, longestBegin: Duration = DirectWriter.longestBegin) {
        var context: UInt64 = 0
        // SAFETY: the call fills a number of ours.
        guard unsafe cairn_open_writes(&context) == 0 else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        self.longestBegin = longestBegin
        self.context = context
        // SAFETY: given back in deinit.
        unsafe room = .allocate(byteCount: Self.limit, alignment: Self.pageSize)
    }

    deinit {
        cairn_close_writes(context)
        close(descriptor)
        // SAFETY: no write is under way any more, and nobody else has the memory.
        unsafe room.deallocate()
    }

    /// Whether a write was begun that nobody has waited for.
    var isWriting: Bool { isUnderWay.load(ordering: .acquiring) }

    /// Begins to write, and returns before it is done.
    ///
    /// - Parameters:
    ///   - bytes: at most `limit`, whole pages.
    ///   - offset: where they go; a multiple of a page.
    /// - Returns: false if that can not be: nothing is written then.
    func begin(_ bytes: [UInt8], at offset: Int) -> Bool {
        precondition(bytes.count <= Self.limit && bytes.count % Self.pageSize == 0, "not pages")
        let now = ContinuousClock.now
        guard !isWriting, !hasFailed.load(ordering: .relaxed),
            begins.isWorthIt(at: now)
        else { return false }
        // SAFETY: the room has space for the bytes, and the disk does not read it now.
        unsafe room.copyBytes(from: bytes)
        (self.offset, count) = (offset, bytes.count)
        // SAFETY: the room stays as it is until `end`, and is there until the context is gone.
        let code = unsafe cairn_begin_write(
            context, descriptor, room.baseAddress, bytes.count, Int64(offset))
        guard code == 0 else { return false }
        // A filesystem that does all of it here (ext4 with data=journal) has others wait.
        begins.note(.now - now < longestBegin ? .worthIt : .late, at: .now)
        isUnderWay.store(true, ordering: .releasing)
        return true
    }

    /// Waits for the write under way, if there is one.
    ///
    /// - Returns: false if it failed: what is on the disk then is not known.
    func end() -> Bool {
        guard isWriting else { return true }
        look()
        let result = cairn_end_write(context)
        precondition(result != .min, "there is no such context: the room may still be read")
        let isWritten = result == Int64(count)
        if !isWritten { hasFailed.store(true, ordering: .relaxed) }
        isUnderWay.store(false, ordering: .releasing)
        return isWritten
    }

    /// Writes what the last write had into another open file, as any write. Nobody may begin one
    /// meanwhile.
    ///
    /// - Throws: `.logNotSynced` if not all of it was taken.
    func writeAgain(to other: Int32) throws(MetadataError) {
        // SAFETY: the room has `count` bytes of the last write.
        let written = unsafe pwrite(other, room.baseAddress, count, off_t(offset))
        if written != count { throw .logNotSynced(errno: written < 0 ? errno : EIO) }
    }

    /// Looks until the write is over, where that pays.
    private func look() {
        guard looks.isWorthIt(at: .now) else { return }
        let found = cairn_look_for_write(context, Self.longestLook, Self.longestTurn)
        let result: AttemptPolicy.Result = found > 0 ? .worthIt : found < 0 ? .displaced : .late
        looks.note(result, at: .now)
    }
}
