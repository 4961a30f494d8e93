// SPDX-License-Identifier: Apache-2.0
//
// One open file. Short reads and writes and interrupted calls end here.

internal import CLinux
internal import Glibc
internal import Primitives

/// An open file; closed when it goes.
struct OpenFile: ~Copyable {
    /// Bytes that are compared at a time: they stay in the processor's second cache.
    private static let comparisonSize = 128 * 1024

    /// What the system wants of memory and sizes that it writes directly: the largest sector.
    static let sectorSize = 4096

    let descriptor: Int32

    /// Takes over an open descriptor.
    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    deinit {
        // A file that was written is closed by `close`, which looks at the outcome; from one that
        // was only read there is nothing to learn.
        _ = Glibc.close(descriptor)
    }

    /// Closes the file and says what a network filesystem only says now: that it kept nothing.
    consuming func close() throws(SystemError) {
        let descriptor = self.descriptor
        discard self
        // Never asked again after EINTR: Linux has closed the descriptor all the same.
        guard Glibc.close(descriptor) == 0 || errno == EINTR else { throw .last }
    }

    /// A second descriptor of the same open file, which stays when this one is closed; nil where
    /// this process may open no more.
    func duplicate() -> OpenFile? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        return copy < 0 ? nil : OpenFile(descriptor: copy)
    }

    /// Gives the descriptor to the caller, who closes it.
    consuming func release() -> Int32 {
        let descriptor = self.descriptor
        discard self
        return descriptor
    }

    /// What kind of file it is, how large, and when written.
    func status() throws(SystemError) -> FileStatus {
        var status = stat()
        // SAFETY: `status` is written during the call only.
        guard unsafe fstat(descriptor, &status) == 0 else { throw .last }
        return FileStatus(status)
    }

    /// Writes all of `bytes` where the file stands.
    func write(_ bytes: Span<UInt8>) throws(SystemError) {
        var offset = 0
        while offset < bytes.count {
            let end = min(bytes.count, offset + FileWriting.callSize)
            let rest = bytes.extracting(offset..<end)
            let count = try retrying {
                // SAFETY: the span's memory is lent for the call, with its size.
                unsafe rest.withUnsafeBytes {
                    unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
                }
            }
            // Linux writes at least a byte of a regular file, or fails.
            guard count > 0 else { throw SystemError(code: EIO) }
            offset += count
        }
    }

    /// Writes all of `bytes` where the file stands, at its begin, and all whole sectors past the
    /// system's memory.
    ///
    /// For what is large and not read soon. The disk has it when this returns, except for the last
    /// sector, and maybe for its own cache: it is as unsynced as after `write`. What programs read
    /// stays in memory, and no memory has to be found for it.
    ///
    /// - Parameter room: what the sectors are copied to; at least a sector larger than `bytes`.
    func writeDirectly(
        _ bytes: Span<UInt8>, through room: inout [UInt8]
    ) throws(SystemError) {
        precondition(room.count >= bytes.count + OpenFile.sectorSize, "no room for the copy")
        let whole = bytes.count / OpenFile.sectorSize * OpenFile.sectorSize
        var done = 0
        // Where it cannot be, all of it is written as ever.
        if whole > 0, cairn_set_direct(descriptor, 1) == 0 {
            do throws(SystemError) {
                try writeSectors(bytes.extracting(first: whole), &room, &done)
            } catch {
                // EINVAL: a disk of larger sectors.
                guard error.code == EINVAL else { throw error }
            }
            _ = try retrying { cairn_set_direct(descriptor, 0) }
        }
        try write(bytes.extracting(done...))
    }

    /// Writes whole sectors from memory that begins with one, and counts the bytes in `done`: less
    /// than all when the system no longer does it by sectors.
    private func writeSectors(
        _ bytes: Span<UInt8>, _ room: inout [UInt8], _ done: inout Int
    ) throws(SystemError) {
        var failure: SystemError?
        // SAFETY: the room's memory is used inside the closure only. It is longer than the bytes by
        // a sector, of which less is passed over until one begins.
        unsafe room.withUnsafeMutableBytes { room in
            let address = Int(bitPattern: room.baseAddress)
            let start = (OpenFile.sectorSize - address % OpenFile.sectorSize) % OpenFile.sectorSize
            let sectors = unsafe UnsafeMutableRawBufferPointer(
                rebasing: room[start..<start + bytes.count])
            unsafe bytes.withUnsafeBytes { unsafe sectors.copyMemory(from: $0) }
            do throws(SystemError) {
                while done < bytes.count, done % OpenFile.sectorSize == 0 {
                    let count = try retrying {
                        unsafe Glibc.write(
                            descriptor, sectors.baseAddress?.advanced(by: done),
                            bytes.count - done)
                    }
                    // As in `write`.
                    guard count > 0 else { throw SystemError(code: EIO) }
                    done += count
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// The first `size` bytes, or what there is of them.
    func read(size: Int) throws(SystemError) -> [UInt8] {
        var failure: SystemError?
        // SAFETY: the array's memory has room for `size` bytes, and only the bytes that the system
        // says it wrote are counted as there.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            do throws(SystemError) {
                unsafe count = try read(into: UnsafeMutableRawBufferPointer(buffer), at: 0)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }

    /// Whether the file consists of exactly these bytes.
    func holds(_ bytes: Span<UInt8>) throws(SystemError) -> Bool {
        guard try status().size == bytes.count else { return false }
        let size = min(bytes.count, OpenFile.comparisonSize)
        // SAFETY: given back below, on every way out.
        let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
        // SAFETY: as above; nothing refers to it any more.
        defer { unsafe piece.deallocate() }
        var offset = 0
        while offset < bytes.count {
            let wanted = min(size, bytes.count - offset)
            // SAFETY: `wanted` is at most the size of the piece.
            let target = unsafe UnsafeMutableRawBufferPointer(rebasing: piece[..<wanted])
            guard unsafe try read(into: target, at: offset) == wanted else { return false }
            let expected = bytes.extracting(offset..<offset + wanted)
            // SAFETY: both have `wanted` bytes, which is above zero, so both have an address.
            let isEqual = unsafe expected.withUnsafeBytes { expected in
                guard let left = expected.baseAddress, let right = target.baseAddress
                else { return false }
                return unsafe memcmp(left, right, wanted) == 0
            }
            guard isEqual else { return false }
            offset += wanted
        }
        return true
    }

    /// Has the system begin to write the content to the disk; waits for none of it.
    ///
    /// Without this the disk would stand still until somebody syncs. On a filesystem that has no
    /// such call the sync does all of it. Of a write that fails, a sync through this open file
    /// tells, or one of the whole filesystem; a file that is opened later may have it forgotten.
    func startWriting() {
        cairn_start_writing(descriptor, 0, 0)
    }

    /// Waits until the content, and the size with it, is on the disk.
    func syncContent() throws(SystemError) {
        _ = try retrying { fdatasync(descriptor) }
    }

    /// Reads until the buffer is full or the file ends; the bytes read.
    private func read(
        into buffer: UnsafeMutableRawBufferPointer, at start: Int
    ) throws(SystemError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = try retrying {
                // SAFETY: the buffer has room for what is left of it.
                unsafe pread(
                    descriptor, buffer.baseAddress?.advanced(by: done), buffer.count - done,
                    start + done)
            }
            if count == 0 { break }
            done += count
        }
        return done
    }
}

/// What is known of a file without reading it.
struct FileStatus {
    let isRegular: Bool
    let size: Int
    /// Permission bits only.
    let permissions: mode_t
    /// Seconds since 1970.
    let modified: Int
    /// Whether it still has a name somewhere.
    let isLinked: Bool
    /// Which filesystem it is on, as the system counts them now.
    let device: dev_t
    /// Its number there.
    let inode: ino_t

    init(_ status: stat) {
        isRegular = status.st_mode & S_IFMT == S_IFREG
        size = status.st_size
        permissions = status.st_mode & 0o777
        modified = status.st_mtim.tv_sec
        isLinked = status.st_nlink > 0
        device = status.st_dev
        inode = status.st_ino
    }

    /// Whether both are of one file.
    func isSame(as other: FileStatus) -> Bool {
        device == other.device && inode == other.inode
    }
}
