// SPDX-License-Identifier: Apache-2.0
//
// What libfuse and the kernel are told at the start of a mount.

import CFuse
import Glibc
import Testing

@testable import FuseHost

@Suite("mount options")
struct OptionsTests {
    private let options = MountOptions(mountPoint: "/mnt")

    @Test("by default nobody else looks in, and neither devices nor set-user-id work")
    func composesDefaults() throws {
        #expect(
            try options.libfuseOptions()
                == "fsname=cairn,subtype=cairn,max_read=1048576,default_permissions,"
                + "rw,nosuid,nodev,exec")
    }

    @Test("where nothing is checked the kernel is asked neither to check modes nor lists")
    func checksNothing() throws {
        var options = options
        options.checksPermissions = false
        #expect(try options.libfuseOptions().contains("max_read=1048576,rw"))
        var offer = cfuse_connection()
        offer.capable = .max
        #expect(ConnectionTerms.answer(to: offer, options).wanted & CFUSE_CAP_POSIX_ACL == 0)
        // Never where others may enter.
        options.allowOther = true
        #expect(ConnectionTerms.answer(to: offer, options).wanted & CFUSE_CAP_POSIX_ACL != 0)
        #expect(try options.libfuseOptions().contains("default_permissions,allow_other"))
    }

    @Test("each choice has its word, and extra options come last")
    func composesChoices() throws {
        var options = options
        options.allowOther = true
        options.readOnly = true
        options.suid = true
        options.dev = true
        options.exec = false
        options.extraOptions = ["noatime", "context=x"]
        let text = try options.libfuseOptions()
        #expect(text.hasSuffix(",allow_other,ro,suid,dev,noexec,noatime,context=x"))
    }

    @Test("a name with separators in it stays one name")
    func escapes() throws {
        var options = options
        options.fsname = "a,b\\c"
        #expect(try options.libfuseOptions().hasPrefix("fsname=a\\,b\\\\c,subtype="))
    }

    @Test(
        "options that would break the mount are refused",
        arguments: [
            "max_read=4096", "fd=3", "rootmode=0", "fsname=x", "allow_other", "allow_root", "",
            "=x",
            "a\nb",
        ])
    func refuses(option: String) {
        var options = options
        options.extraOptions = [option]
        #expect(throws: FuseHostError.self) { try options.libfuseOptions() }
    }

    @Test("there are twice as many threads as processors, within limits, unless said otherwise")
    func countsThreads() {
        #expect(options.threadCount(processors: 1) == 4)
        #expect(options.threadCount(processors: 8) == 16)
        #expect(options.threadCount(processors: 500) == 64)
        var few = options
        few.threads = 1
        #expect(few.threadCount(processors: 8) == 4)
    }

    @Test("nothing is asked of a kernel that does not offer it")
    func asksOnlyForWhatIsOffered() {
        let answer = ConnectionTerms.answer(to: cfuse_connection(), options)
        #expect(answer.wanted == 0 && answer.init_flags == 0)
    }

    // SEMANTICS: one read or write of the kernel: 1 MiB
    @Test("of a kernel that offers all, we take what we want and leave the rest")
    func takesWhatWeWant() {
        var offer = cfuse_connection()
        offer.capable = .max
        offer.init_flags = .max
        offer.wanted = CFUSE_CAP_AUTO_INVAL_DATA
        offer.max_write = .max
        var answer = ConnectionTerms.answer(to: offer, options)
        #expect(answer.wanted & CFUSE_CAP_AUTO_INVAL_DATA == 0)
        #expect(answer.wanted & CFUSE_CAP_WRITEBACK_CACHE != 0)
        #expect(answer.wanted & CFUSE_CAP_DONT_MASK != 0)
        let flags =
            UInt64(CFUSE_INIT_HANDLE_KILLPRIV_V2) | UInt64(CFUSE_INIT_PARALLEL_DIROPS)
            | CFUSE_INIT_DIRECT_IO_ALLOW_MMAP
        #expect(answer.init_flags == flags | CFUSE_INIT_OVER_IO_URING)
        #expect(answer.max_write == 1 << 20 && answer.max_read == 1 << 20)
        var options = options
        options.writebackCache = false
        options.usesRing = false
        answer = ConnectionTerms.answer(to: offer, options)
        #expect(answer.wanted & CFUSE_CAP_WRITEBACK_CACHE == 0)
        #expect(answer.init_flags == flags)
    }

    @Test("the kernel's background has room beside all reads that wait for the store at once")
    func boundsTheBackground() {
        let lane = LaneLimits.store
        var answer = ConnectionTerms.answer(to: cfuse_connection(), options)
        #expect(answer.max_background == 192 && answer.congestion_threshold == 144)
        #expect(answer.congestion_threshold > 2 * lane.threadLimit)
        // All of it may wait for a thread, with all its bytes, and others too.
        let waiting = Int(answer.max_background) - lane.threadLimit
        #expect(waiting * Int(answer.max_write) <= lane.byteLimit)
        #expect(Int(answer.max_background) * 2 <= lane.waitingLimit)
        for (share, wanted) in [(2048, 128), (512, 128), (256, 64), (128, 64), (16, 64)] {
            answer = ConnectionTerms.answer(to: cfuse_connection(), options, ringShare: share)
            #expect(answer.max_background == wanted && answer.congestion_threshold < wanted)
            // A write of the kernel's finds an entry whoever waits for it.
            #expect(ConnectionTerms.kernelWaits(ringShare: share) < share)
        }
        #expect(ConnectionTerms.kernelWaits(ringShare: 1) == 1)
        #expect(ConnectionTerms.kernelWaits(ringShare: 0) == .max)
    }

    @Test("every error has a sentence of its own")
    func explainsErrors() {
        let errors: [FuseHostError] = [
            .noDevice, .deviceForbidden, .helperMissing, .allowOtherForbidden,
            .mountPointMissing("/x"), .mountPointNotDirectory("/x"), .mountPointNotEmpty("/x"),
            .mountPointForbidden("/x"), .alreadyMounted("/x"), .deadMount("/x"), .badOption("x"),
            .mountFailed("x"), .sessionFailed("x"),
            .connectionNotReachable(1),
        ]
        let sentences = Set(errors.map(\.sentence))
        #expect(sentences.count == errors.count)
        #expect(sentences.allSatisfy { $0.hasSuffix(".") })
    }
}

@Suite("mount point")
struct MountPointTests {
    /// A folder that is gone after the test.
    private final class Folder {
        let path: String
        init() throws {
            path = try #require(TemporaryFolder.make())
        }
        deinit { TemporaryFolder.remove(path) }
    }

    private func check(_ path: String) throws(FuseHostError) -> String {
        try MountPointCheck.checkMountPoint(MountOptions(mountPoint: path))
    }

    @Test("an empty directory will do, and comes back without links and dots")
    func takesAnEmptyDirectory() throws {
        let folder = try Folder()
        #expect(try check(folder.path + "/.") == folder.path)
    }

    @Test("what is not there, no directory, or not empty is refused by name")
    func refusesOthers() throws {
        let folder = try Folder()
        let missing = folder.path + "/missing"
        #expect(throws: FuseHostError.mountPointMissing(missing)) { try check(missing) }
        let file = folder.path + "/file"
        TemporaryFolder.makeFile(file)
        #expect(throws: FuseHostError.mountPointNotDirectory(file)) { try check(file) }
        #expect(throws: FuseHostError.mountPointNotDirectory(file + "/x")) {
            try check(file + "/x")
        }
        #expect(throws: FuseHostError.mountPointNotEmpty(folder.path)) { try check(folder.path) }
        var options = MountOptions(mountPoint: folder.path)
        options.nonEmpty = true
        #expect(try MountPointCheck.checkMountPoint(options) == folder.path)
    }

    @Test("a place where nothing is mounted is neither dead nor alive, and cannot be cleared")
    func tellsPlainFolders() throws {
        let folder = try Folder()
        #expect(DeadMount.condition(of: folder.path) == .notMounted)
        #expect(!DeadMount.isDead(folder.path + "/none"))
        #expect(try !DeadMount.abort(folder.path))
        #expect(try !DeadMount.clean(folder.path))
    }

    @Test(
        "each error that a request meets whose process was killed means that nobody answers",
        arguments: [ENOTCONN, ECONNABORTED, ECANCELED, ESHUTDOWN])
    func tellsDisconnected(number: Int32) {
        #expect(SystemFailure(number: number) == .disconnected)
    }

    @Test(
        "fusermount3's configuration lets others in only by a line of its own",
        arguments: [
            ("", false), ("#user_allow_other\n", false), ("user_allow_other\n", true),
            ("mount_max = 5\n  user_allow_other # yes\n", true),
            ("user_allow_others\n", false), ("x user_allow_other\n", false),
        ])
    func readsConfiguration(text: String, allows: Bool) {
        #expect(MountPointCheck.allowsOthers(configuration: text) == allows)
    }
}
