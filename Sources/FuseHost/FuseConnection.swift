// SPDX-License-Identifier: Apache-2.0
//
// The kernel's side of a mount, as it shows under /sys: a way to end a connection that hangs, and
// how far the kernel reads ahead.

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
        SystemFile.write("\(kibibytes)", to: "/sys/class/bdi/0:\(number)/read_ahead_kb")
    }
}
