// SPDX-License-Identifier: Apache-2.0
//
// What the kernel still holds of a mount, brought to its daemon.

import FuseHost
import Threading

/// The kernel's cache of unwritten pages.
package enum KernelCache {
    /// How long we wait for writes that are under way. A daemon that needs longer is stuck.
    private static let patience = Duration.seconds(10)

    /// Has the kernel hand over what programs wrote to files they still have open.
    ///
    /// syncfs(2) starts these writes, but for FUSE does not wait for them; so the connection's
    /// count of waiting requests is watched until it is 0. Not to be called on a thread that serves
    /// the mount.
    ///
    /// - Parameter root: the mount's own directory, or any other in it.
    /// - Returns: as `ProcessSettings.syncFilesystem`.
    static func flush(_ root: borrowing Descriptor) throws(SystemError) -> SystemError? {
        let dropped = try ProcessSettings.syncFilesystem(of: root)
        let device = try FileFacts.of(root).filesystem
        // Without fusectl, as in many containers, there is no count to watch.
        let connection = MountTable.current().entries.first { $0.device == device }?.connection
        _ = polled(within: patience, every: 2000) { (connection?.waitingCount ?? 0) == 0 }
        return dropped
    }
}
