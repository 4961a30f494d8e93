// SPDX-License-Identifier: Apache-2.0
//
// Operations on open files. Inode numbers are the engine's already.

import CFuse
import Engine
import Glibc

extension OpenIntent {
    /// What the engine needs to know of an open's flags.
    ///
    /// O_APPEND is left out for good: a kernel that gathers writes places them itself, and an
    /// engine that appended once more would tear them. Such a kernel also reads what surrounds a
    /// small write, so who may write may read.
    ///
    /// - Source: open(2), O_ACCMODE.
    init(flags: UInt32) {
        let access = Int32(bitPattern: flags) & O_ACCMODE
        self.init(
            reads: true, writes: access != O_RDONLY,
            truncates: Int32(bitPattern: flags) & O_TRUNC != 0,
            isUncached: cfuse_is_direct(flags) != 0)
    }
}

/// open(ino, flags).
struct Open: Operation {
    let ino: UInt64
    let flags: UInt32

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        let intent = OpenIntent(flags: flags)
        if intent.truncates { try call.dropPrivileges(of: ino) }
        let file = try call.engine.open(ino, intent, call.context)
        return .opened(file, ino: ino)
    }
}

/// create(parent, name, mode, flags): make and open in one.
struct Create: Operation {
    let parent: UInt64
    let name: [UInt8]
    let mode: UInt32
    let flags: UInt32

    /// The name that stands for none: the kernel's request for a file without a name (O_TMPFILE)
    /// carries it, and the shim passes that request on as this one.
    static let noName = Array("/".utf8)

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        if name == Self.noName {
            let (status, file) = try call.engine.createTemporary(
                in: parent, mode: mode & FileMode.permissions, OpenIntent(flags: flags),
                call.context)
            return .created(status, file)
        }
        let (status, file) = try call.engine.create(
            name, in: parent, mode: mode & FileMode.permissions, OpenIntent(flags: flags),
            isExclusive: Int32(bitPattern: flags) & O_EXCL != 0, call.context)
        return .created(status, file)
    }
}

/// read(ino, handle, offset, size), into the thread's buffer.
struct Read: Operation {
    let ino: UInt64
    let handle: UInt64
    let offset: UInt64
    let size: Int

    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        // SAFETY: the buffer is this thread's alone, and nothing else uses it during this call.
        var out = unsafe call.scratch.buffer.mutableSpan
        var wanted = out._mutatingExtracting(..<min(size, ThreadScratch.bufferSize))
        return .data(
            try call.engine.read(handle, ino: ino, at: offset, into: &wanted, call.context))
    }
}

/// The bytes of one write: libfuse's until its callback returns, or a copy of our own.
///
/// `@unchecked Sendable` because nobody changes the bytes, and what is handed to another thread is
/// the copy, which lives as long as this value.
@safe struct WriteBytes: @unchecked Sendable {
    @safe private final class Copy {
        let bytes: UnsafeMutableBufferPointer<UInt8>

        init(_ original: UnsafeBufferPointer<UInt8>) {
            // SAFETY: room for as many bytes as are copied into it, freed in `deinit`.
            unsafe bytes = .allocate(capacity: original.count)
            _ = unsafe bytes.initialize(from: original)
        }

        deinit {
            // SAFETY: allocated in `init`, and nobody can reach it any more.
            unsafe bytes.deallocate()
        }
    }

    private let bytes: UnsafeBufferPointer<UInt8>
    private let copy: Copy?

    // SAFETY, for what follows: borrowed bytes are libfuse's until its callback returns, copied
    // ones ours for as long as `copy` lives.

    /// Borrows libfuse's bytes.
    init(borrowing bytes: UnsafeBufferPointer<UInt8>) {
        unsafe self.bytes = bytes
        copy = nil
    }

    private init(_ copy: Copy) {
        unsafe bytes = UnsafeBufferPointer(copy.bytes)
        self.copy = copy
    }

    var count: Int { unsafe bytes.count }

    func keeping() -> WriteBytes {
        // SAFETY: libfuse's bytes are still there: this is called before its callback returns.
        copy == nil ? WriteBytes(unsafe Copy(bytes)) : self
    }

    /// Gives the bytes to `body`.
    func withSpan<Result>(
        _ body: (Span<UInt8>) throws(FileError) -> Result
    ) throws(FileError) -> Result {
        // SAFETY: borrowed bytes outlive the callback we are in; copied ones, this value.
        try unsafe body(bytes.span)
    }
}

/// write(ino, handle, offset, bytes).
struct Write: Operation {
    let ino: UInt64
    let handle: UInt64
    let offset: UInt64
    let bytes: WriteBytes
    /// The kernel gathered it earlier, on behalf of it does not say whom.
    let isFromCache: Bool

    var keptBytes: Int { bytes.count }
    var whenFull: FullLane { .waitHere }
    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        if !isFromCache { try call.dropPrivileges(of: ino) }
        return .count(
            try bytes.withSpan { (span) throws(FileError) in
                // Where it gathers none, a page of a map comes so too, and no times with it.
                try call.engine.write(
                    handle, ino: ino, at: offset, span,
                    isGathered: isFromCache && call.host.gathersWrites, call.context)
            })
    }

    func keeping() -> Write {
        Write(
            ino: ino, handle: handle, offset: offset, bytes: bytes.keeping(),
            isFromCache: isFromCache)
    }
}

/// release(ino, handle): the last close.
struct Release: Operation {
    let ino: UInt64
    let handle: UInt64

    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        call.engine.release(handle, ino: ino)
        return .done
    }
}

/// flush(ino, handle): one of those who have it open closes it.
struct Flush: Operation {
    let handle: UInt64

    var whenFull: FullLane { .waitHere }
    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        try call.engine.finish(handle)
        return .done
    }
}

/// fsync(ino), of a file or a directory.
struct Synchronize: Operation {
    let ino: UInt64
    let isDataOnly: Bool

    /// What is not the volume's waits for its own network.
    var waitsForDisk: Bool { !Engine.isForeign(ino) }
    var whenFull: FullLane { .waitHere }
    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        if Engine.isForeign(ino) {
            try call.engine.synchronizeForeign(ino, call.context)
            return .done
        }
        try call.engine.synchronize(ino, dataOnly: isDataOnly)
        return .done
    }
}

/// fallocate(ino, handle, mode, offset, count).
struct Allocate: Operation {
    let ino: UInt64
    let handle: UInt64
    let mode: UInt32
    let offset: UInt64
    let count: UInt64

    /// FALLOC_FL_KEEP_SIZE.
    ///
    /// - Source: linux/falloc.h; so the next two.
    private static let keepSize: UInt32 = 0x01
    /// FALLOC_FL_PUNCH_HOLE.
    private static let punchHole: UInt32 = 0x02
    /// FALLOC_FL_ZERO_RANGE.
    private static let zeroRange: UInt32 = 0x10

    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        let allocation: AllocationMode =
            switch mode {
            case 0: .allocate(keepsSize: false)
            case Self.keepSize: .allocate(keepsSize: true)
            case Self.punchHole | Self.keepSize: .punchHole
            case Self.zeroRange: .zeroRange(keepsSize: false)
            case Self.zeroRange | Self.keepSize: .zeroRange(keepsSize: true)
            default: throw .notSupported
            }
        try call.dropPrivileges(of: ino)
        try call.engine.allocate(
            handle, ino: ino, allocation, offset: offset, count: count, call.context)
        return .done
    }
}

/// lseek(ino, offset, whence), of SEEK_DATA and SEEK_HOLE; the kernel does the others.
struct Seek: Operation {
    let ino: UInt64
    let offset: UInt64
    let whence: UInt32

    /// SEEK_DATA.
    ///
    /// - Source: lseek(2), linux/fs.h; so the next.
    private static let data: UInt32 = 3
    /// SEEK_HOLE.
    private static let hole: UInt32 = 4

    var waitsForKernel: Bool { true }
    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        guard whence == Self.data || whence == Self.hole else { throw .invalid }
        let host = call.host
        return .offset(
            try call.engine.seek(
                ino, from: offset, findsData: whence == Self.data, call.context
            ) { host.handOver((ino, $0)) })
    }
}

/// copy_file_range.
struct CopyRange: Operation {
    typealias End = (handle: UInt64, ino: UInt64, offset: UInt64)

    let from: End
    let to: End
    let count: UInt64
    let flags: UInt32

    /// Most bytes of one call; the caller asks again for the rest.
    ///
    /// - Source: the answer's count has 32 bits (linux/fuse.h, fuse_write_out).
    private static let limit = UInt64(UInt32.max)

    var isForHolders: Bool { true }

    func perform(_ call: Call) throws(FileError) -> FuseReply {
        guard flags == 0 else { throw .invalid }
        try call.dropPrivileges(of: to.ino)
        return .count(
            Int(
                try call.engine.copyRange(
                    from: from, to: to, count: min(count, Self.limit), call.context)))
    }
}
