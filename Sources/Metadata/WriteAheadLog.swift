// SPDX-License-Identifier: Apache-2.0
//
// The `-wal` file beside the database, seen as a file: brought to the disk, and given room.
//
// Why a sync of it makes commits durable. The database runs with `synchronous=NORMAL`: a COMMIT
// writes its frames to the log and syncs nothing. `synchronous=FULL` differs in one thing only:
// after the frames it syncs the log (on storage without powersafe overwrite it pads to a sector
// too; SQLite's unix layer takes powersafe overwrite for granted). `sync()` is that very sync, done
// through a descriptor of our own, later and outside every lock. It holds across a log that starts
// anew, because SQLite 3.40 syncs these by itself, in NORMAL mode too:
// - the log, before a checkpoint copies frames from it into the database file;
// - the database file, after a checkpoint has copied the last frame, before the log may be reused;
// - the header of a new or restarted log, alone, before the first frame after it; the first time
//   with the folder, so that the file's name is on the disk before anything is in it.
// So a commit whose frames are no longer in the log is in a synced database file, and one whose
// frames are there is behind a synced header: fdatasync of the log is all that is missing.
//
// Why one failed copy ends that. A copy that does not reach the log's end syncs nothing, and the
// next one goes on behind it: pages that the kernel dropped meanwhile are only in the log, and a
// copy that reaches the end would have the log start anew over them. The kernel says once that it
// dropped something. So from then on nothing is copied, the log is kept also at the end, and the
// next process, which copies all of it, has everything.
//
// Why its first bytes are written before SQLite does. A frame that makes the file longer, or lies
// on space that was reserved and never written, has each sync commit the filesystem's journal too,
// which on ext4 takes twice as long as the write itself. Zeros behind the last frame end a log as
// the end of the file does: no frame is of page 0. They are only ever put behind the file's end,
// with the writer's lock held, so they never meet a frame.
//
// Why its next bytes are read before SQLite writes there. Frames are 24 bytes longer than pages, so
// each write begins and ends within a page of the file; where the kernel does not hold that page
// any more it is read first, 0.1 ms for each of the five to nine frames of a small commit.
//
// Closing this descriptor is harmless: POSIX drops all locks a process has on a file when any
// descriptor of it is closed, but SQLite locks the database and the `-shm` file, never the log.

import CLinux
import Glibc
import Synchronization

/// The log of one open database.
final class WriteAheadLog: Sendable {
    /// Bytes of the log's header; the frames follow.
    ///
    /// - Source: SQLite's file format, §4.1.
    static let headerSize = 32
    /// Bytes of one frame: a header of 24, and a page.
    static let frameSize = 24 + Schema.pageSize

    /// Bytes of zeros written at once; a sync of somebody who waits meets at most so many.
    private static let zerosStep = 256 * 1024

    /// Bytes of the log after which the kernel is asked anew to hold what comes next.
    private static let aheadStep = 256 * 1024
    /// Bytes asked for at once: the kernel cuts a wish to what the disk reads ahead, which is
    /// seldom less.
    private static let readSize = 128 * 1024

    /// Bytes of the disk that are left alone.
    static let spareRoom = 1024 * 1024

    private let databasePath: String
    private let file: SyncedFile
    /// The step of the log whose successor the kernel was asked to hold; -1 before the first.
    private let stepAhead = Atomic<Int>(-1)
    /// What a copy of frames into the database failed with; 0 while none has.
    private let copyFailure = Atomic<Int32>(0)

    /// Opens the log of a database that SQLite has open in WAL mode.
    init(databasePath: String) throws(MetadataError) {
        self.databasePath = databasePath
        let path = databasePath + "-wal"
        // SAFETY: the path lives for the call.
        let descriptor = unsafe open(path, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw .logNotSynced(errno: errno) }
        // What stood in the log when it was opened may never have been synced.
        file = SyncedFile(descriptor, isSettled: false)
    }

    private var descriptor: Int32 { file.descriptor }

    /// One more commit is in the file. Called under the writer's lock.
    func noteCommit() {
        file.note()
    }

    /// Asks the kernel to hold what the next commits write over: once for each `aheadStep`, for a
    /// look at the page cache where it does already. Called under the writer's lock.
    ///
    /// - Parameter frames: those that the log has.
    func bringAhead(of frames: Int) {
        let end = Self.headerSize + frames * Self.frameSize
        let step = end / Self.aheadStep
        guard stepAhead.exchange(step, ordering: .relaxed) != step else { return }
        let start = step * Self.aheadStep
        for place in stride(from: start, to: start + 2 * Self.aheadStep, by: Self.readSize) {
            _ = posix_fadvise(descriptor, off_t(place), off_t(Self.readSize), POSIX_FADV_WILLNEED)
        }
    }

    /// Throws if a sync or a copy has ever failed: nothing may be built on such a log.
    func checkSound() throws(MetadataError) {
        let code = copyFailure.load(ordering: .acquiring)
        if code != 0 { throw .logNotSynced(errno: code) }
        try file.checkSound()
    }

    /// The disk failed while frames were copied into the database.
    func noteFailedCopy(errno: Int32) {
        copyFailure.store(errno == 0 ? EIO : errno, ordering: .releasing)
    }

    /// Brings to the disk every commit that was noted before this was called.
    func sync() throws(MetadataError) {
        try checkSound()
        try file.sync()
    }

    /// Whether every commit that was noted is on the disk.
    var isSettled: Bool { file.isSettled }

    /// Makes the file longer by one step of zeros, if it is shorter than a size. Called under the
    /// writer's lock.
    ///
    /// - Returns: false when there is nothing more to do, or no room to do it.
    func lengthen(upTo size: Int) -> Bool { file.lengthen(by: Self.zerosStep, upTo: size) }

    /// Brings zeros to the disk, so that no commit's sync has to.
    ///
    /// - Throws: `.logNotSynced`, as `sync()`.
    func syncZeros() throws(MetadataError) { try file.sync(isForced: true) }

    /// Bytes that the disk has free, less a little that is left alone: the `-shm` file takes 32 KiB
    /// for every 16 MiB of log. Negative for what that little lacks, `Int.max` where the system
    /// does not tell.
    ///
    /// A look, not a reservation: who else fills the disk can still keep the log from being copied
    /// until there is space again, but not make it lose anything.
    var freeRoom: Int {
        var disk = statvfs()
        // SAFETY: the call fills a structure of ours.
        guard unsafe fstatvfs(descriptor, &disk) == 0 else { return .max }
        let (bytes, isMore) = Int(clamping: disk.f_bavail)
            .multipliedReportingOverflow(by: Int(clamping: disk.f_frsize))
        return isMore ? .max : bytes - Self.spareRoom
    }

    /// Bytes by which the database file has to grow for a size; 0 where the system does not tell.
    func databaseGrowth(to size: Int) -> Int {
        var file = stat()
        // SAFETY: the call fills a structure of ours; the path lives for it.
        guard unsafe stat(databasePath, &file) == 0 else { return 0 }
        return max(0, size - Int(file.st_size))
    }

    /// Gives back the disk space behind the file's end, which `reserve` took.
    ///
    /// For a start on a full disk, before another connection has the log open: what stands in it
    /// may need that space to be copied.
    func giveBackReserve() {
        var file = stat()
        // SAFETY: the call fills a structure of ours.
        guard unsafe fstat(descriptor, &file) == 0 else { return }
        // Cut to the length it has, so that no byte of it goes. If it fails, there is no more room
        // than before, which the caller meets.
        _ = ftruncate(descriptor, file.st_size)
    }

    /// Takes disk space for a part of the file, so that writing there can not fail for lack of it.
    ///
    /// The file's length stays: SQLite reads it. Nothing is promised on filesystems that copy on
    /// write.
    ///
    /// - Returns: false if the disk is full or a quota is used up; true also where the filesystem
    ///   can not reserve, since then nothing is known.
    func reserve(from start: Int, count: Int) -> Bool {
        guard count > 0 else { return true }
        var code = cairn_reserve(descriptor, Int64(start), Int64(count))
        while code != 0 && errno == EINTR {
            code = cairn_reserve(descriptor, Int64(start), Int64(count))
        }
        return code == 0 || (errno != ENOSPC && errno != EDQUOT)
    }
}
