// SPDX-License-Identifier: Apache-2.0
//
// The engine's reasons and values as the kernel takes them.

import CFuse
@testable import Engine
import Glibc
import Namespace
import Testing

@testable import FuseHost

@Suite("replies")
struct ReplyTests {
    @Test(
        "each reason has its own error number",
        arguments: [
            (FileError.notFound, ENOENT), (.exists, EEXIST), (.notEmpty, ENOTEMPTY),
            (.notDirectory, ENOTDIR), (.isDirectory, EISDIR), (.nameTooLong, ENAMETOOLONG),
            (.tooLarge, EFBIG), (.noSpace, ENOSPC), (.quotaExceeded, EDQUOT),
            (.inputOutput, EIO), (.readOnly, EROFS), (.notPermitted, EPERM),
            (.accessDenied, EACCES), (.stale, ESTALE), (.invalid, EINVAL),
            (.noAttribute, ENODATA), (.outOfRange, ERANGE), (.noSuchExtent, ENXIO),
            (.busy, EBUSY), (.tooManyLinks, EMLINK), (.crossDevice, EXDEV),
            (.notSupported, EOPNOTSUPP), (.argumentTooLong, E2BIG), (.interrupted, EINTR),
        ])
    func mapsReasons(error: FileError, number: Int32) {
        #expect(errorNumber(error) == number)
    }

    @Test("a request to wait is never an answer")
    func neverAnswersWouldBlock() {
        #expect(errorNumber(.wouldBlock) == EIO)
    }

    @Test(
        "every kind of file survives the way to the kernel and back", arguments: FileKind.allCases)
    func keepsKinds(kind: FileKind) {
        #expect(FileKind(mode: kind.modeBits | 0o644) == kind)
    }

    @Test("mknod without a kind makes a regular file, and with an unknown one nothing")
    func readsModes() {
        #expect(FileKind(mode: 0o644) == .regular)
        #expect(FileKind(mode: 0o170000) == nil)
    }

    @Test(
        "allocated bytes are counted in blocks of 512, begun ones too",
        arguments: [(0, 0), (1, 1), (512, 1), (513, 2), (UInt64.max, UInt64.max / 512 + 1)])
    func countsBlocks(bytes: UInt64, blocks: UInt64) {
        let status = FileStatus(
            ino: 70, kind: .regular, attributes: .none, size: 1, linkCount: 1, device: 0,
            allocated: bytes)
        let sent = cfuse_status(status, InodeTranslation(root: 70))
        #expect(sent.blocks == blocks)
        #expect(sent.ino == 1)
        #expect(sent.mode == S_IFREG)
    }

    @Test("a volume with less room than it says is in use has none, not an enormous amount")
    func neverOverflowsStatistics() {
        let sent = cfuse_statistics(
            VolumeStatistics(totalBytes: 8192, freeBytes: .max, usedInodes: .max))
        #expect(sent.blocks == 2 && sent.free_blocks == 2)
        #expect(sent.files >= 0)
    }

    @Test("timeouts keep their fractions, and are never negative")
    func convertsTimeouts() {
        var options = MountOptions(mountPoint: "/")
        options.entryTimeout = .milliseconds(1500)
        options.negativeTimeout = .seconds(-1)
        let timeouts = ReplyTimeouts(options)
        #expect(timeouts.entry == 1.5)
        #expect(timeouts.attributes == 86_400)
        #expect(timeouts.negative == 0)
    }
}

@Suite("requests")
struct RequestTests {
    @Test("who may write may read, and appending is the kernel's own business")
    func readsOpenFlags() {
        func intent(_ flags: Int32) -> OpenIntent { OpenIntent(flags: UInt32(flags)) }
        #expect(intent(O_RDONLY) == OpenIntent(reads: true, writes: false))
        #expect(intent(O_WRONLY) == OpenIntent(reads: true, writes: true))
        #expect(intent(O_RDWR | O_APPEND) == OpenIntent(reads: true, writes: true))
        #expect(
            intent(O_WRONLY | O_TRUNC) == OpenIntent(reads: true, writes: true, truncates: true))
    }

    @Test("only the fields the kernel names are changed")
    func readsChanges() throws {
        var change = cfuse_change()
        change.mode = S_IFREG | 0o4755
        change.size = 9
        change.modified_seconds = 5
        change.modified_nanoseconds = 6
        let nothing = try #require(AttributeChange(change))
        #expect(nothing.mode == nil && nothing.size == nil && nothing.modified == nil)
        change.valid = CFUSE_SET_MODE | CFUSE_SET_MODIFIED | CFUSE_SET_ACCESSED_NOW
        let some = try #require(AttributeChange(change))
        #expect(some.mode == 0o4755 && some.size == nil)
        #expect(some.modified == .at(Timestamp(seconds: 5, nanoseconds: 6)))
        #expect(some.accessed == .now && !some.clearsPrivileges)
        change.valid = CFUSE_SET_SIZE | CFUSE_SET_KILL_USER_ID
        let size = try #require(AttributeChange(change))
        #expect(size.size == 9 && size.clearsPrivileges)
    }

    @Test("a time with more nanoseconds than a second is refused, not trapped on")
    func refusesImpossibleTimes() {
        var change = cfuse_change()
        change.changed_nanoseconds = 1_000_000_000
        change.valid = CFUSE_SET_CHANGED
        #expect(AttributeChange(change) == nil)
    }

    @Test("names of extended attributes are listed with an end each")
    func listsNames() {
        #expect(ListExtendedAttributes.list([]) == [])
        #expect(
            ListExtendedAttributes.list([Array("user.a".utf8), Array("b".utf8)])
                == Array("user.a\0b\0".utf8))
    }

    @Test("a write that outlives its callback keeps bytes of its own")
    func copiesBytes() throws {
        var original: [UInt8] = [1, 2, 3]
        // SAFETY: the borrowed bytes are used inside the call only; `kept` has its own.
        let kept = unsafe original.withUnsafeBufferPointer {
            unsafe WriteBytes(borrowing: $0).keeping()
        }
        original = [9, 9, 9]
        let seen = try kept.withSpan { span in (0..<span.count).map { span[$0] } }
        #expect(seen == [1, 2, 3])
    }
}
