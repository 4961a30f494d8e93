// SPDX-License-Identifier: Apache-2.0
//
// What a mount is told at its start, and how the part of it that is libfuse's is written down.
// Pure: nothing here looks at the system.

import Engine

/// How much a message of the host matters.
package enum HostLogLevel: Sendable, Hashable {
    /// For who looks into the host itself.
    case debug
    /// Something did not go as it should; the mount goes on.
    case warning
    /// Something failed.
    case error
}

/// Everything a mount is told. The defaults are the ones a person wants.
package struct MountOptions: Sendable {
    /// Most bytes of one read, one write and one read-ahead.
    ///
    /// - Source: the most that libfuse 3.14 takes, 256 pages (FUSE_MAX_MAX_PAGES).
    package static let transferSize = 1 << 20
    /// Fewest threads that serve requests, however few processors there are.
    package static let fewestThreads = 4
    /// Most threads that serve requests, however many processors there are.
    package static let mostThreads = 64

    /// The directory to mount on.
    package var mountPoint: String
    /// What `df` and `mount` show as the source.
    package var fsname = "cairn"
    /// What they show as the type, after `fuse.`.
    package var subtype = "cairn"
    /// Users other than the one who mounts may look inside; permissions still hold.
    package var allowOther = false
    /// The kernel checks permissions, and access lists. It asks for a directory's attributes anew
    /// after each change in it, to check them, although for who may do everything they say nothing:
    /// where nobody else may enter it is spared that (docs/decisions/0040-root-alone.md). Always
    /// true where others may.
    package var checksPermissions: Bool {
        get { allowOther || checksPermissionsAlone }
        set { checksPermissionsAlone = newValue }
    }
    private var checksPermissionsAlone = true
    /// The kernel refuses every change.
    package var readOnly = false
    /// Set-user-id and set-group-id programs work.
    package var suid = false
    /// Device nodes work.
    package var dev = false
    /// Programs may be run.
    package var exec = true
    /// A mount point with files in it is taken all the same.
    package var nonEmpty = false
    /// The engine's inode that is the root of this mount: the volume's, or a directory in it.
    package var rootInode = Engine.rootInode
    /// Most read-aheads and write-backs the kernel may have waiting for an answer; three quarters
    /// of them make it hold back. The kernel has one queue for both, and a close waits for its
    /// write-backs: so there are many more than reads that wait for the store at once, and no
    /// more than may wait for their turn with 1 MiB each (`LaneLimits.store`): none of them then
    /// keeps a serving thread.
    package var maxBackground: UInt16 = 192
    /// The kernel gathers small writes, and keeps size and times of open files itself.
    package var writebackCache = true
    /// How long the kernel believes a name. This mount is the one writer, and says what changed.
    package var entryTimeout = Duration.seconds(86_400)
    /// How long the kernel believes attributes.
    package var attributeTimeout = Duration.seconds(86_400)
    /// How long the kernel believes that a name is not there.
    package var negativeTimeout = Duration.seconds(5)
    /// Threads that serve requests; nil for twice the processors, within the limits above.
    package var threads: Int?
    /// Each thread reads requests from a device of its own.
    ///
    /// Off: measured on 4 cores it gained nothing, and a device of its own takes one more
    /// descriptor for every thread.
    package var clonesDevice = false
    /// Requests come by io_uring where the kernel offers it
    /// (docs/decisions/0043-requests-by-ring.md).
    package var usesRing = true
    /// How long one request may wait for the store, before it fails.
    package var patience = Duration.seconds(30)
    /// How long a thread may stay inside one request before the connection is given up; nil for
    /// ever. No request that is served at once takes a hundredth of this.
    package var stallLimit: Duration? = .seconds(300)
    /// More options for libfuse and the kernel, each as after `-o`.
    package var extraOptions: [String] = []
    /// Where messages go.
    package var log: @Sendable (HostLogLevel, String) -> Void = { _, _ in }

    /// Everything by default but where.
    package init(mountPoint: String) {
        self.mountPoint = mountPoint
    }

    /// Threads to serve with on a machine with so many processors.
    func threadCount(processors: Int) -> Int {
        min(Self.mostThreads, max(Self.fewestThreads, threads ?? 2 * processors))
    }

    /// Options that only the host may set: others would break what it promises the kernel.
    private static let reserved: Set<Substring> = [
        "fd", "rootmode", "user_id", "group_id", "max_read", "fsname", "subtype", "blkdev",
        "allow_other", "allow_root", "default_permissions",
    ]

    /// What libfuse is given after `-o`.
    ///
    /// `max_read` must be said here as well as in the answer to INIT, and be the same, or requests
    /// fail with EPROTO.
    ///
    /// - Throws: `badOption` for an extra option that would break the mount.
    func libfuseOptions() throws(FuseHostError) -> String {
        var options = [
            "fsname=" + Self.escaped(fsname), "subtype=" + Self.escaped(subtype),
            "max_read=\(Self.transferSize)",
        ]
        if checksPermissions { options.append("default_permissions") }
        if allowOther { options.append("allow_other") }
        options.append(readOnly ? "ro" : "rw")
        options.append(suid ? "suid" : "nosuid")
        options.append(dev ? "dev" : "nodev")
        options.append(exec ? "exec" : "noexec")
        for option in extraOptions {
            let name = option.prefix { $0 != "=" }
            guard !name.isEmpty, !Self.reserved.contains(name) else {
                throw .badOption("`\(option)` is not for the caller to set")
            }
            options.append(Self.escaped(option))
        }
        let text = options.joined(separator: ",")
        guard !text.utf8.contains(where: { $0 == 0 || $0 == 0x0A }) else {
            throw .badOption("an option has an end of line in it")
        }
        return text
    }

    /// A value in which libfuse finds no separator.
    private static func escaped(_ value: String) -> String {
        var result = ""
        for character in value {
            if character == "," || character == "\\" { result.append("\\") }
            result.append(character)
        }
        return result
    }
}
