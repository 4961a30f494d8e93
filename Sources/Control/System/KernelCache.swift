// SPDX-License-Identifier: Apache-2.0
//
// What the kernel still holds of a mount, brought to its daemon.

import Glibc

/// The kernel's cache of unwritten pages.
package enum KernelCache {
    /// How long we wait for writes that are under way. A daemon that needs longer is stuck.
    private static let patience = Duration.seconds(10)

    /// Has the kernel hand over what programs wrote to files they still have open.
    ///
    /// syncfs(2) starts these writes, but for FUSE does not wait for them; so the connection's count of
    /// waiting requests is watched until it is 0. To be called by another process than the daemon.
    ///
    /// - Parameter mountPoint: where the filesystem is mounted.
    package static func flush(_ mountPoint: String) throws(SystemError) {
        try ProcessSettings.syncFilesystem(at: mountPoint)
        let device = try FileFacts.of(mountPoint).filesystem
        let path = "/sys/fs/fuse/connections/\(minor(device))/waiting"
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        while clock.now < deadline, let waiting = number(in: path), waiting > 0 {
            usleep(2000)
        }
    }

    /// - Source: gnu_dev_minor(3), a macro that Swift does not import.
    private static func minor(_ device: UInt64) -> UInt64 {
        (device & 0xFF) | ((device >> 12) & 0xFFF_FF00)
    }

    private static func number(in path: String) -> Int? {
        do {
            let text = try Descriptor.open(path, O_RDONLY).readAll(limit: 64)
            return Int(String(decoding: text, as: UTF8.self).trimmed)
        } catch {
            // fusectl is not mounted, as in many containers: then there is nothing to watch.
            return nil
        }
    }
}
