// SPDX-License-Identifier: Apache-2.0
//
// One request that the kernel waits for. It cannot be copied, so it is answered exactly once: by
// `answer`, by `fail`, or, were it ever dropped, by its end.

import CFuse
import Engine

/// One request that the kernel waits for.
///
/// `@unchecked Sendable` because libfuse lets any thread answer a request, and there is only ever
/// one of us to do it.
@safe struct Request: ~Copyable, @unchecked Sendable {
    private let raw: cfuse_request

    /// - Parameter raw: a request nobody else will answer.
    init(_ raw: cfuse_request) {
        // SAFETY: libfuse's, alive until it is answered, which is ours to do.
        unsafe self.raw = raw
    }

    deinit {
        // SAFETY: not answered yet, or `discard` would have kept us from getting here.
        _ = unsafe cfuse_reply_error(raw, HostRefusal.forgotten)
    }

    /// Who asks, without patience.
    var context: RequestContext {
        // SAFETY: the request lives until it is answered.
        let caller = unsafe cfuse_request_caller(raw)
        return RequestContext(user: caller.user, group: caller.group, umask: caller.umask)
    }

    /// Asks for `RequestHost.interrupted(data)` when the caller gets a signal, or, with nil, to
    /// hear no more. After nil, no earlier call is running any longer.
    func watch(_ data: UnsafeMutableRawPointer?) {
        // SAFETY: the request lives until it is answered; who watches keeps `data` alive until it
        // has called this with nil.
        unsafe cfuse_request_watch(raw, data)
    }

    /// Answers with a reason.
    consuming func fail(_ number: Int32) {
        // SAFETY: answered here, and given up by `discard`.
        _ = unsafe cfuse_reply_error(raw, number)
        discard self
    }

    /// Answers.
    ///
    /// - Returns: whether the kernel took it. If not, the caller was interrupted, or the mount is
    ///   gone, and what the answer gave (references, open files) is still ours.
    consuming func answer(
        _ reply: FuseReply, _ inodes: InodeTranslation, _ timeouts: ReplyTimeouts,
        _ scratch: ThreadScratch
    ) -> Bool {
        let result = send(reply, inodes, timeouts, scratch)
        discard self
        return result == 0
    }

    // SAFETY, for all of these: `raw` lives until the one function called here ends it; what is
    // passed by address is a local or stays alive in the caller for the length of the call.
    private borrowing func send(
        _ reply: FuseReply, _ inodes: InodeTranslation, _ timeouts: ReplyTimeouts,
        _ scratch: ThreadScratch
    ) -> Int32 {
        switch reply {
        case .done:
            return unsafe cfuse_reply_error(raw, 0)
        case .entry(let status):
            let believed = timeouts.believed(status)
            var status = cfuse_status(status, inodes)
            return unsafe cfuse_reply_entry(raw, &status, believed)
        case .noEntry:
            return unsafe cfuse_reply_no_entry(raw, timeouts.negative)
        case .created(let status, let file):
            let believed = timeouts.believed(status)
            var status = cfuse_status(status, inodes)
            return unsafe cfuse_reply_create(
                raw, &status, believed, file.handle, Self.flags(file))
        case .attributes(let status):
            let believed = timeouts.believed(status)
            var status = cfuse_status(status, inodes)
            return unsafe cfuse_reply_attributes(raw, &status, believed.attributes)
        case .target(let target):
            // libfuse measures the target itself, so it needs an end.
            return unsafe (target + [0]).withUnsafeBufferPointer { bytes in
                unsafe bytes.withMemoryRebound(to: CChar.self) { text in
                    guard let start = text.baseAddress else { return -1 }
                    return unsafe cfuse_reply_link(raw, start)
                }
            }
        case .opened(let file, _):
            return unsafe cfuse_reply_open(raw, file.handle, Self.flags(file))
        case .openedDirectory(let directory):
            return unsafe cfuse_reply_open(
                raw, directory.handle, CFUSE_OPEN_CACHE_DIRECTORY | Self.flags(directory))
        case .count(let count):
            return unsafe cfuse_reply_count(raw, count)
        case .data(let count), .listing(let count):
            return unsafe cfuse_reply_bytes(raw, scratch.buffer.baseAddress, count)
        case .value(let value, let limit):
            return sendValue(value, limit: limit)
        case .statistics(let statistics):
            var statistics = cfuse_statistics(statistics)
            return unsafe cfuse_reply_statistics(raw, &statistics)
        case .offset(let offset):
            return unsafe cfuse_reply_offset(raw, offset)
        }
    }

    private borrowing func sendValue(_ value: [UInt8], limit: Int) -> Int32 {
        // SAFETY: as for `send`.
        if limit == 0 { return unsafe cfuse_reply_attribute_size(raw, value.count) }
        if value.count > limit {
            return unsafe cfuse_reply_error(raw, errorNumber(.outOfRange))
        }
        return unsafe value.withUnsafeBufferPointer { bytes in
            unsafe cfuse_reply_bytes(raw, bytes.baseAddress, bytes.count)
        }
    }

    private static func flags(_ file: OpenedFile) -> UInt32 {
        var flags: UInt32 = 0
        if file.keepsCache { flags |= CFUSE_OPEN_KEEP_CACHE }
        if file.isDirect { flags |= CFUSE_OPEN_DIRECT_IO }
        return flags
    }
}

extension cfuse_statistics {
    /// Bytes of the blocks that `statfs` counts in.
    private static let blockBytes: UInt64 = 4096
    /// Inodes that can still be made: 64-bit numbers do not run out, but `df -i` wants to divide.
    private static let freeInodes: UInt64 = 1 << 40

    /// A volume's statistics as the kernel takes them.
    init(_ statistics: VolumeStatistics) {
        self.init(
            blocks: statistics.totalBytes / Self.blockBytes,
            free_blocks: min(statistics.freeBytes, statistics.totalBytes) / Self.blockBytes,
            files: statistics.usedInodes &+ Self.freeInodes,
            free_files: Self.freeInodes,
            block_size: UInt32(Self.blockBytes),
            name_limit: CFUSE_NAME_LIMIT)
    }
}
