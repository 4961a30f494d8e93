// SPDX-License-Identifier: Apache-2.0
//
// The `-redo` file beside the database: changes since the last COMMIT that were promised to be
// durable. docs/decisions/0037-redo-file.md says why, docs/format.md §15 has the layout.
//
// A COMMIT writes each changed page to the log, ten and more for one small file. What changed is a
// few hundred bytes. So a sync writes those, and the COMMIT comes later, in the background; a start
// after a crash does the changes again on the state of the last COMMIT.
//
// Invariants:
// 1. Records lie behind each other from the file's start, numbered from 0, all with one base: that
//    of the last COMMIT or, until there is a record behind that, of one before. Whatever follows
//    has another base or number, or is torn, and ends the reading.
// 2. A record of a base is written only once that base's COMMIT is on the disk: until then the
//    records before it may be all there is of what it holds. After a COMMIT that failed none is
//    written until one succeeds.
// 3. A process writes no record before a COMMIT of its own: bases are random, so no record of an
//    earlier process ever follows one of its own.
// 4. A record is written after the sync of the one before: one that is not sound, with a sound one
//    behind it, is damage. One that was taken back was never promised; the next takes its place.

import CLinux
import Glibc
import Primitives
import Synchronization

/// The redo file of one open database.
final class RedoFile: Sendable {
    /// Bytes of the file at most: what comes later is committed.
    static let size = 8 << 20
    /// Bytes from which on a COMMIT should come, so that the file begins anew before it is full.
    static let commitSize = size / 2
    /// Bytes of one record's changes at most; a sync of more is a COMMIT.
    static let recordLimit = 256 << 10
    /// Bytes that are written at once, or a multiple: a page of the kernel's cache. Where pages are
    /// larger the records are as good, and the kernel may have to read one before.
    static let pageSize = 4096
    /// Bytes before a record's changes.
    static let headSize = 40
    /// What a record begins with.
    private static let magic: UInt32 = 0x6f64_6572
    /// Bytes of zeros that are written, and synced, at once.
    private static let zerosStep = 256 << 10

    private let file: SyncedFile
    /// Where records go past the system's cache; nil where that can not be.
    private let direct: DirectWriter?
    /// Bytes from the file's start that are on the disk without a hole: there a write needs no
    /// room, and waits for nothing else.
    private let length = Atomic<Int>(0)
    /// Whether a record since the last sync went into the system's cache.
    private let isCached = Atomic<Bool>(false)

    /// Opens the file, or makes it.
    ///
    /// - Parameter direct: what writes records past the cache, for tests.
    /// - Throws: `.full`; `.logNotSynced` if it can not be opened, or it or its name not be brought
    ///   to the disk.
    init(databasePath: String, direct: DirectWriter? = nil) throws(MetadataError) {
        let path = Self.path(databasePath)
        // SAFETY: the path lives for the call.
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Self.error(errno) }
        file = SyncedFile(descriptor, isSettled: true)
        self.direct = direct ?? DirectWriter(path: path)
        // Its name must last before anything in it is promised to.
        try Self.syncFolder(of: path)
        // From here on it is known how much of what another process left is on the disk.
        try syncZeros()
    }

    private static func path(_ databasePath: String) -> String { databasePath + "-redo" }

    private static func error(_ code: Int32) -> MetadataError {
        code == ENOSPC || code == EDQUOT ? .full : .logNotSynced(errno: code)
    }

    private static func syncFolder(of path: String) throws(MetadataError) {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) + "/" } ?? "."
        // SAFETY: the path lives for the call.
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error(errno) }
        defer { close(descriptor) }
        var code = fsync(descriptor)
        while code != 0 && errno == EINTR { code = fsync(descriptor) }
        if code != 0 { throw error(errno) }
    }

    // MARK: Writing

    /// Throws if a sync has ever failed.
    func checkSound() throws(MetadataError) { try file.checkSound() }

    /// Brings every record written before this call to the disk.
    func sync() throws(MetadataError) { try file.sync(endWriting) }

    /// Waits for the record under way. One that the disk did not take is written once more, for a
    /// sync of the file.
    ///
    /// - Returns: whether all records are on the disk.
    private func endWriting() throws(MetadataError) -> Bool {
        if let direct, !direct.end() {
            try direct.writeAgain(to: file.descriptor)
            return false
        }
        return !isCached.exchange(false, ordering: .relaxed)
    }

    /// Writes a record, in whole pages: one of which a part is written is read from the disk first
    /// where the kernel does not hold it, and a program waits. Called under the writer's lock.
    ///
    /// Where it can be it goes to the disk at once, and `sync()` waits for it. There is one such
    /// record at a time.
    ///
    /// - Parameters:
    ///   - record: its bytes.
    ///   - offset: where it begins, behind the one before.
    ///   - tail: what stands before it on its first page, and stays.
    /// - Returns: what stands on the page that the next record begins on, before that; nil if the
    ///   disk took this one not whole: what is there of it is no record. Nil also if the record
    ///   before was not synced: this one may not be there without it.
    func write(
        _ record: [UInt8], at offset: Int, behind tail: ArraySlice<UInt8>
    ) -> ArraySlice<UInt8>? {
        precondition(tail.count == offset % Self.pageSize, "a page's beginning would be lost")
        let used = tail.count + record.count
        let rest = (Self.pageSize - used % Self.pageSize) % Self.pageSize
        let pages = Array(tail + record + repeatElement(0, count: rest))
        let start = offset - tail.count
        guard file.isSettled else { return nil }
        if !begin(pages, at: start) {
            guard write(pages, at: start) else { return nil }
            isCached.store(true, ordering: .relaxed)
        }
        file.note()
        // A copy: a slice would keep all pages.
        return ArraySlice(Array(pages[..<used].suffix(used % Self.pageSize)))
    }

    /// Has the disk write pages that need no room there.
    private func begin(_ pages: [UInt8], at start: Int) -> Bool {
        guard let direct, pages.count <= DirectWriter.limit,
            start + pages.count <= length.load(ordering: .relaxed)
        else { return false }
        return direct.begin(pages, at: start)
    }

    /// Writes pages into the system's cache.
    private func write(_ pages: [UInt8], at start: Int) -> Bool {
        // SAFETY: the buffer lives for the call.
        let count = unsafe pages.withUnsafeBytes { bytes in
            unsafe pwrite(file.descriptor, bytes.baseAddress, bytes.count, off_t(start))
        }
        return count == pages.count
    }

    /// Takes the record back that was written last: what stands there then ends the records, as if
    /// it had never been. Waits for the disk, under the writer's lock.
    ///
    /// - Parameters: as of the `write` before.
    /// - Throws: `.logNotSynced`, and from then on every sync does: the record may be found.
    func takeBack(from offset: Int, behind tail: ArraySlice<UInt8>) throws(MetadataError) {
        let page = Array(tail + repeatElement(0, count: Self.pageSize - tail.count))
        try file.sync(isForced: true) { () throws(MetadataError) in
            _ = try endWriting()
            guard write(page, at: offset - tail.count) else { throw .logNotSynced(errno: EIO) }
            return false
        }
    }

    /// Writes the file's first bytes before they are needed, one step of many, so that a sync there
    /// does not make it longer. Called under the writer's lock.
    ///
    /// - Returns: false when there is nothing more to do, or no room to do it.
    func lengthen() -> Bool { file.lengthen(by: Self.zerosStep, upTo: Self.size) }

    /// Brings zeros to the disk, so that no record's sync has to.
    func syncZeros() throws(MetadataError) {
        // What comes to lie behind it meanwhile is for the next time.
        let end = max(0, Int(cairn_seek_hole(file.descriptor, 0)))
        try file.sync(isForced: true, endWriting)
        length.store(end, ordering: .relaxed)
    }

    // MARK: Records

    /// A record's bytes.
    ///
    /// - Parameters:
    ///   - base: of the COMMIT that the changes follow.
    ///   - number: how many records follow that COMMIT before this one.
    static func record(_ changes: [UInt8], base: UInt64, number: UInt64) -> [UInt8] {
        let sum = Self.sum(of: changes, base: base, number: number)
        var writer = ByteWriter(capacity: headSize + changes.count)
        writer.u32le(magic)
        writer.u32le(UInt32(changes.count))
        writer.u64le(base)
        writer.u64le(number)
        writer.u64le(sum.0)
        writer.u64le(sum.1)
        writer.raw(changes)
        return writer.bytes
    }

    /// A check that finds torn writes and what was left by others, and no more: SQLite's of its log
    /// (file format, §4.2), on words of 64 bits.
    private static func sum(
        of changes: [UInt8], base: UInt64, number: UInt64
    ) -> (UInt64, UInt64) {
        var (first, second) = (base, number &+ UInt64(changes.count))
        func take(_ word: UInt64) {
            first = (first &+ word &+ second).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15).low
            second = (second &+ first) ^ (second >> 29)
        }
        // SAFETY: each load lies within the buffer, which lives for the call.
        unsafe changes.withUnsafeBytes { bytes in
            let whole = bytes.count / 8 * 8
            for offset in stride(from: 0, to: whole, by: 8) {
                take(
                    UInt64(
                        littleEndian: unsafe bytes.loadUnaligned(
                            fromByteOffset: offset, as: UInt64.self)))
            }
            var last: UInt64 = 0
            for offset in whole..<bytes.count {
                last = last << 8 | UInt64(unsafe bytes[offset])
            }
            take(last)
        }
        return (first, second)
    }

    /// The changes of each record that follows a COMMIT, in order.
    ///
    /// - Throws: `.corrupt` if the file is gone, or damaged and not only torn; `.logNotSynced` if
    ///   it can not be read.
    static func changes(
        databasePath: String, after base: UInt64
    ) throws(MetadataError) -> [[UInt8]] {
        var reader = ByteReader(try contents(of: path(databasePath)))
        var found: [[UInt8]] = []
        while let next = next(&reader, base: base, number: UInt64(found.count)) {
            found.append(next)
        }
        if hasRecord(reader, base: base, above: UInt64(found.count)) {
            throw .corrupt("the redo file is damaged")
        }
        return found
    }

    /// Whether a sound record follows a place at which there is none: it would lie within the
    /// largest that could have been there.
    private static func hasRecord(
        _ place: ByteReader, base: UInt64, above number: UInt64
    ) -> Bool {
        let first = UInt8(truncatingIfNeeded: magic)
        let end = min(place.bytes.count, place.offset + headSize + recordLimit + 1)
        for start in place.offset..<end where place.bytes[start] == first {
            var reader = ByteReader(place.bytes)
            do {
                try reader.skip(start)
                guard try reader.u32le() == magic else { continue }
                _ = try reader.u32le()
                guard try reader.u64le() == base else { continue }
                let found = try reader.u64le()
                var record = ByteReader(place.bytes)
                try record.skip(start)
                if found > number, next(&record, base: base, number: found) != nil { return true }
            } catch {
                return false
            }
        }
        return false
    }

    private static func next(
        _ reader: inout ByteReader, base: UInt64, number: UInt64
    ) -> [UInt8]? {
        do {
            guard try reader.u32le() == magic else { return nil }
            let count = Int(try reader.u32le())
            guard count <= recordLimit, try reader.u64le() == base, try reader.u64le() == number
            else { return nil }
            let sum = (try reader.u64le(), try reader.u64le())
            let changes = try reader.raw(count)
            return Self.sum(of: changes, base: base, number: number) == sum ? changes : nil
        } catch {
            // It ends before the record does: what was never written whole.
            return nil
        }
    }

    /// The file's bytes, at most `size`.
    private static func contents(of path: String) throws(MetadataError) -> [UInt8] {
        // SAFETY: the path lives for the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        if descriptor < 0 && errno == ENOENT { throw .corrupt("the redo file is gone") }
        guard descriptor >= 0 else { throw error(errno) }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: size)
        var filled = 0
        while filled < size {
            // SAFETY: the buffer has `size` bytes for the time of the call.
            let count = unsafe bytes.withUnsafeMutableBytes { buffer in
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
                return unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(filled))
            }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw error(errno) }
            if count == 0 { break }
            filled += count
        }
        bytes.removeLast(size - filled)
        return bytes
    }
}
