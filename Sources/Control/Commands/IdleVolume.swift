// SPDX-License-Identifier: Apache-2.0
//
// A volume that no process serves: what its last one left, and mounts whose process died.

import FuseHost

/// What is known of a volume that is not mounted.
package struct IdleVolume: Equatable, Sendable {
    /// What is not on the store, as part of a sentence; nil where nobody can say before the volume
    /// is mounted again.
    package var left: String?
    /// Where mounts of it stand whose process has died.
    package var deadMounts: [String] = []

    /// Nothing is known.
    package init() {}

    /// Looks at a volume's folder, and at what is mounted.
    package init(_ folder: VolumeFolder) {
        left = folder.left
        deadMounts = MountPoint.dead(of: folder.name)
    }
}
