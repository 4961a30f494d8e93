// SPDX-License-Identifier: Apache-2.0
//
// What the kernel knows of this process.

import Glibc

/// Who this process runs as.
package struct ProcessIdentity: Sendable, Equatable {
    /// Effective user.
    package var user: UInt32
    /// Effective group.
    package var group: UInt32

    /// This process's.
    package static var current: ProcessIdentity {
        ProcessIdentity(user: geteuid(), group: getegid())
    }

    /// True when it may do what only root may.
    package var isRoot: Bool { user == 0 }
}

/// How much memory this process takes.
enum ProcessMemory {
    /// The most bytes it ever had resident; 0 when the kernel does not tell.
    static var peak: UInt64 {
        do {
            let status = try Descriptor.open("/proc/self/status", O_RDONLY).readAll(limit: 65_536)
            let lines = String(decoding: status, as: UTF8.self).split(separator: "\n")
            guard let line = lines.first(where: { $0.hasPrefix("VmHWM:") }) else { return 0 }
            let digits = line.drop { !$0.isNumber }.prefix { $0.isNumber }
            return (UInt64(digits) ?? 0) * 1024
        } catch {
            return 0
        }
    }
}
