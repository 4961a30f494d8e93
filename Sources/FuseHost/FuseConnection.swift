// SPDX-License-Identifier: Apache-2.0
//
// The kernel's side of a mount, as it shows under /sys: a way to end a connection that hangs, how
// far the kernel reads ahead, and how much it gathers before writers have to wait.

/// One FUSE connection of the kernel's.
package struct FuseConnection: Sendable, Hashable {
    /// Where the kernel shows its connections, if `fusectl` is mounted.
    private static let folder = "/sys/fs/fuse/connections"

    /// The connection's number: the minor number of the mount's device.
    package let number: UInt64

    /// - Parameter number: as in `MountEntry.connection`.
    package init(number: UInt64) {
        self.number = number
    }

    /// Ends the connection at once: every caller that waits on it gets an error, even one that no
    /// signal can reach, and the mount stays as a dead one.
    ///
    /// - Throws: `connectionNotReachable`.
    package func abort() throws(FuseHostError) {
        guard SystemFile.write("1", to: "\(Self.folder)/\(number)/abort") else {
            throw .connectionNotReachable(number)
        }
    }

    /// Requests that wait for an answer; nil when it cannot be seen.
    package var waitingCount: Int? {
        guard
            let text = SystemFile.read("\(Self.folder)/\(number)/waiting", limit: 64)
        else { return nil }
        return Int(String(decoding: text.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }

    /// Lets the kernel read so far ahead of a reader; whether it took it. Only root may.
    func setReadAhead(kibibytes: Int) -> Bool {
        set("read_ahead_kb", to: "\(kibibytes)")
    }

    /// Percent of the pages that may be dirty on the machine, for the mount of a kernel without
    /// `strict_limit`.
    ///
    /// - Source: linux Documentation/ABI/testing/sysfs-class-bdi, max_ratio; FUSE begins with 1.
    private static let dirtyPercent = 10

    /// Lets writers go on while the machine as a whole has few unwritten pages, as on a disk;
    /// whether the kernel took it. Only root may.
    ///
    /// A FUSE mount begins with a limit of its own, 1 % of what may be dirty, below which its
    /// writers are already slowed down to what the kernel guesses it can take, at first 100 MB/s:
    /// a server that hangs, or whose network does, must not fill the memory with what it does not
    /// take. Ours takes writes on the local disk alone. Beyond the machine's limits the share of
    /// 1 % holds as before, so this mount cannot use them up by itself.
    ///
    /// - Source: linux mm/page-writeback.c, BDI_CAP_STRICTLIMIT; `strict_limit` is there from 6.2.
    func gatherAsDisk() -> Bool {
        set("strict_limit", to: "0") || set("max_ratio", to: "\(Self.dirtyPercent)")
    }

    private func set(_ attribute: String, to value: String) -> Bool {
        SystemFile.write(value, to: "/sys/class/bdi/0:\(number)/\(attribute)")
    }
}
