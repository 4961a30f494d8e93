// SPDX-License-Identifier: Apache-2.0
//
// A file descriptor with one owner. Closed exactly once, when the owner lets go of it.
//
// Invariant: `number` is open and belongs to nobody else for the life of the value.

import Glibc

/// An open file, directory, pipe or socket, closed when the value dies.
package struct Descriptor: ~Copyable, Sendable {
    /// The descriptor's number; valid as long as this value lives.
    package let number: Int32

    /// Takes over `number`, which nobody else may close from now on.
    package init(owning number: Int32) {
        precondition(number >= 0, "a descriptor is not negative")
        self.number = number
    }

    deinit {
        // Data that must be durable was synced by its writer; nothing is left that close could
        // tell.
        _ = close(number)
    }

    /// Opens `path`; the descriptor is not inherited by programs we start.
    package static func open(
        _ path: String, _ flags: Int32, mode: UInt32 = 0
    ) throws(SystemError) -> Descriptor {
        // SAFETY: the string's bytes live through the call.
        let number = unsafe Glibc.open(path, flags | O_CLOEXEC, mode)
        guard number >= 0 else { throw SystemError.last("open") }
        return Descriptor(owning: number)
    }

    /// Opens `name` in this directory.
    package func open(
        _ name: [UInt8], _ flags: Int32, mode: UInt32 = 0
    ) throws(SystemError) -> Descriptor {
        let directory = self.number
        // SAFETY: the pointer is NUL-terminated and lives through the call.
        let number = unsafe withCString(name) { pointer in
            unsafe openat(directory, pointer, flags | O_CLOEXEC, mode)
        }
        guard number >= 0 else { throw SystemError.last("openat") }
        return Descriptor(owning: number)
    }

    /// Another descriptor for the same open file.
    package func duplicate() throws(SystemError) -> Descriptor {
        let number = fcntl(self.number, F_DUPFD_CLOEXEC, 0)
        guard number >= 0 else { throw SystemError.last("fcntl") }
        return Descriptor(owning: number)
    }

    /// Reads up to `out.count` bytes; 0 at the end.
    package func read(into out: inout MutableSpan<UInt8>) throws(SystemError) -> Int {
        while true {
            // SAFETY: the span's storage is exclusively ours through the call, which stays within
            // it.
            let count = unsafe out.withUnsafeMutableBytes { bytes in
                unsafe Glibc.read(number, bytes.baseAddress, bytes.count)
            }
            if count >= 0 { return count }
            guard errno == EINTR else { throw SystemError.last("read") }
        }
    }

    /// Reads up to `out.count` bytes from `offset`; 0 at the end.
    package func read(
        at offset: UInt64, into out: inout MutableSpan<UInt8>
    ) throws(SystemError) -> Int {
        while true {
            // SAFETY: as in `read(into:)`.
            let count = unsafe out.withUnsafeMutableBytes { bytes in
                unsafe pread(number, bytes.baseAddress, bytes.count, off_t(clamping: offset))
            }
            if count >= 0 { return count }
            guard errno == EINTR else { throw SystemError.last("pread") }
        }
    }

    /// Reads `out.count` bytes from `offset`, however many calls it takes.
    ///
    /// - Returns: how many there were: fewer only where the file ends.
    package func readFully(
        at offset: UInt64, into out: inout MutableSpan<UInt8>
    ) throws(SystemError) -> Int {
        var done = 0
        while done < out.count {
            var rest = out._mutatingExtracting(done...)
            let count = try read(at: offset + UInt64(done), into: &rest)
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Reads to the end.
    ///
    /// - Throws: EFBIG when there are more than `limit` bytes.
    package func readAll(limit: Int) throws(SystemError) -> [UInt8] {
        var all: [UInt8] = []
        var part = [UInt8](repeating: 0, count: min(limit + 1, 65_536))
        while true {
            var span = part.mutableSpan
            let count = try read(into: &span)
            if count == 0 { return all }
            guard all.count + count <= limit else { throw SystemError("read", code: EFBIG) }
            all += part[..<count]
        }
    }

    /// Writes all of `bytes`, however many calls it takes.
    package func writeAll(_ bytes: Span<UInt8>) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            // SAFETY: the span's storage lives through the call, which only reads it.
            let count = unsafe bytes.extracting(done...).withUnsafeBytes { rest in
                unsafe Glibc.write(number, rest.baseAddress, rest.count)
            }
            if count >= 0 {
                done += count
            } else if errno != EINTR {
                throw SystemError.last("write")
            }
        }
    }

    /// Writes all of `bytes` at `offset`.
    package func writeAll(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) {
        var done = 0
        while done < bytes.count {
            // SAFETY: the span's storage lives through the call, which only reads it.
            let count = unsafe bytes.extracting(done...).withUnsafeBytes { rest in
                unsafe pwrite(
                    number, rest.baseAddress, rest.count, off_t(clamping: offset + UInt64(done)))
            }
            if count >= 0 {
                done += count
            } else if errno != EINTR {
                throw SystemError.last("pwrite")
            }
        }
    }

    /// Cuts the file, or lengthens it with zeros.
    package func truncate(to size: UInt64) throws(SystemError) {
        guard let size = off_t(exactly: size), ftruncate(number, size) == 0 else {
            throw SystemError.last("ftruncate")
        }
    }

    /// Waits until what was written is on the disk.
    package func sync() throws(SystemError) {
        guard fsync(number) == 0 else { throw SystemError.last("fsync") }
    }

    /// True when something can be read, or the other end is gone, within the time.
    package func isReadable(within wait: Duration) -> Bool {
        isReady(for: POLLIN, within: wait)
    }

    /// True when an event of poll(2) is there, or the other end is gone, within the time.
    func isReady(for event: Int32, within wait: Duration) -> Bool {
        var poll = pollfd(fd: number, events: Int16(event), revents: 0)
        let (seconds, attoseconds) = wait.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        // SAFETY: one pollfd, ours, for a count of one.
        return unsafe Glibc.poll(&poll, 1, Int32(clamping: max(0, milliseconds))) > 0
    }

    /// True when a person sits at it.
    package var isTerminal: Bool { isatty(number) == 1 }
}

/// Runs `body` with the bytes as a NUL-terminated string; a NUL within ends it early.
func withCString<R>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> R) -> R {
    let terminated = bytes.map { CChar(bitPattern: $0) } + [0]
    // SAFETY: the array outlives the body, which must not keep the pointer.
    return unsafe terminated.withUnsafeBufferPointer { buffer in
        // An array of at least one element has a base address.
        guard let base = buffer.baseAddress else { preconditionFailure("the array is not empty") }
        return unsafe body(base)
    }
}
