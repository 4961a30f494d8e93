// SPDX-License-Identifier: Apache-2.0
//
// Looks, before a mount is tried, for what would make it fail: so that a person reads what to do,
// and not what a system call returned.

import Glibc

/// The checks before a mount.
enum MountPointCheck {
    /// The kernel's device.
    private static let device = "/dev/fuse"
    /// Its number: something else may stand in its place, as in a sandbox that hides it.
    ///
    /// - Source: linux/miscdevice.h: FUSE_MINOR, 229, of the misc devices, major 10; a small major
    ///   stands above eight bits of minor, says sys/sysmacros.h.
    private static let deviceNumber: dev_t = 10 << 8 | 229
    /// fusermount3's configuration, and the line that lets others in.
    private static let configuration = "/etc/fuse.conf"
    private static let configurationLimit = 64 << 10
    private static let othersLine = "user_allow_other"

    /// Whether this process may mount without help.
    private static var isRoot: Bool { geteuid() == 0 }

    /// Checks all that can be checked.
    ///
    /// - Returns: the mount point, resolved.
    /// - Throws: any of `FuseHostError` but `mountFailed` and `sessionFailed`.
    static func check(_ options: MountOptions) throws(FuseHostError) -> String {
        try checkDevice()
        if !isRoot {
            guard FuseHelper.find() != nil else { throw .helperMissing }
            if options.allowOther && !othersAreAllowed { throw .allowOtherForbidden }
        }
        return try checkMountPoint(options)
    }

    private static func checkDevice() throws(FuseHostError) {
        // SAFETY: the path is a constant; the descriptor is closed at once.
        let file = unsafe open(device, O_RDWR | O_CLOEXEC)
        guard file < 0 else {
            defer { close(file) }
            var status = stat()
            // SAFETY: writes into a local of the right type.
            guard unsafe fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFCHR,
                status.st_rdev == deviceNumber
            else { throw .noDevice }
            return
        }
        switch SystemFailure.last {
        case .missing, .noDevice: throw .noDevice
        case .forbidden: throw .deviceForbidden
        default: throw .noDevice
        }
    }

    private static var othersAreAllowed: Bool {
        let text = SystemFile.read(configuration, limit: configurationLimit) ?? []
        return allowsOthers(configuration: String(decoding: text, as: UTF8.self))
    }

    /// Whether a `fuse.conf` lets users mount for others.
    ///
    /// - Source: fusermount3(1): the line stands alone; `#` begins a comment.
    static func allowsOthers(configuration: String) -> Bool {
        configuration.split(separator: "\n").contains { line in
            let words = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
            return words == [othersLine[...]]
        }
    }

    /// Checks the directory to mount on.
    ///
    /// - Returns: its path, resolved.
    static func checkMountPoint(_ options: MountOptions) throws(FuseHostError) -> String {
        let given = options.mountPoint
        // Before anything that would have to ask what is mounted there.
        let path = DeadMount.resolvedMountPoint(given)
        if let mounted = MountTable.current().mount(at: path), mounted.isFuse {
            switch DeadMount.condition(of: path) {
            case .dead: throw .deadMount(path)
            case .alive, .unresponsive: throw .alreadyMounted(path)
            case .notMounted: break  // Somebody took it away in between.
            }
        }
        var status = stat()
        // SAFETY: writes into a local of the right type.
        if unsafe stat(path, &status) != 0 {
            switch SystemFailure.last {
            case .disconnected: throw .deadMount(path)
            case .forbidden: throw .mountPointForbidden(given)
            case .notDirectory: throw .mountPointNotDirectory(given)
            default: throw .mountPointMissing(given)
            }
        }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .mountPointNotDirectory(given) }
        guard let resolved = SystemFile.resolved(path) else { throw .mountPointMissing(given) }
        // SAFETY: the path is alive for the call. fusermount3 asks the same of who is not root.
        let isWritable = unsafe access(resolved, W_OK) == 0
        guard isRoot || isWritable else {
            throw .mountPointForbidden(given)
        }
        guard let names = SystemFile.names(in: resolved) else {
            throw .mountPointForbidden(given)
        }
        guard options.nonEmpty || names.isEmpty else { throw .mountPointNotEmpty(given) }
        return resolved
    }
}
