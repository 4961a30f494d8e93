// SPDX-License-Identifier: Apache-2.0
//
// Whether permissions forbid this process anything. Where they do not, and nobody else may enter a
// mount, nobody needs to check them.

/// What the kernel lets root do.
package enum Superuser {
    /// Capabilities that together set aside every check of permissions, owners and modes: CHOWN,
    /// DAC_OVERRIDE, FOWNER and FSETID. (Of DAC_READ_SEARCH the second is more.)
    ///
    /// - Source: linux/capability.h, numbers 0, 1, 3 and 4.
    private static let capabilities: UInt64 = 0b11011
    /// The machine's own user namespace, as a link in `/proc` names it. In another one root is not
    /// the owner of everything, and access lists are not kept where the kernel does not check them.
    ///
    /// - Source: Linux, include/linux/proc_ns.h: PROC_USER_INIT_INO.
    private static let machine = Array("user:[\(0xEFFF_FFFD as UInt32)]".utf8)
    private static let sizeLimit = 64 << 10

    /// Whether nothing is forbidden to this process.
    package static var isCaller: Bool {
        isSuperuser(
            status: SystemFile.read("/proc/self/status", limit: sizeLimit) ?? [],
            namespace: SystemFile.link("/proc/self/ns/user") ?? [])
    }

    /// Whether a process is root, with root's capabilities, and in the machine's own namespace.
    ///
    /// - Parameters:
    ///   - status: its `/proc/pid/status`.
    ///   - namespace: what its `/proc/pid/ns/user` links to.
    static func isSuperuser(status: [UInt8], namespace: [UInt8]) -> Bool {
        let lines = String(decoding: status, as: UTF8.self).split(separator: "\n")
        func values(_ field: String) -> [Substring] {
            let line = lines.first { $0.hasPrefix(field + ":") } ?? ""
            return line.dropFirst(field.count + 1).split { $0 == "\t" || $0 == " " }
        }
        let users = values("Uid")
        guard !users.isEmpty, users.allSatisfy({ $0 == "0" }), namespace == machine,
            let mask = values("CapEff").first.flatMap({ UInt64($0, radix: 16) })
        else { return false }
        return mask & capabilities == capabilities
    }
}
