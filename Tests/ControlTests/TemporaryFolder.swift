// SPDX-License-Identifier: Apache-2.0
//
// A folder for one test, gone afterwards.

import Control
import Cryptography
import Glibc
import Primitives

/// A folder of its own under /tmp, removed with everything in it when the value goes.
final class TemporaryFolder: Sendable {
    let path: String

    init() throws {
        path = "/tmp/cairn-control-" + Hex.encode(SystemRandom.bytes(8))
        try Files.makeDirectory(path, mode: 0o700)
    }

    deinit {
        do {
            // Tests may leave folders that cannot be entered.
            _ = try ProcessLaunch.run("chmod", ["-R", "u+rwX", path])
            _ = try ProcessLaunch.run("rm", ["-rf", path])
        } catch {
            // What is left under /tmp harms no other test.
        }
    }

    /// The path of something in it.
    func path(_ name: String) -> String { path + "/" + name }

    /// Writes a file in it, and gives its path.
    @discardableResult
    func file(_ name: String, _ text: String, mode: UInt32 = 0o600) throws -> String {
        let path = path(name)
        try Files.replace(path, with: Array(text.utf8), mode: mode)
        return path
    }

    /// A volume's folder in it, ready for files.
    func volume(_ name: String = "home") throws -> VolumeFolder {
        let folder = try StateFolder(path).volume(try VolumeName(name))
        try folder.make()
        return folder
    }
}

extension VolumeFolder {
    /// True once nobody holds the volume. A program that another test starts at this moment holds
    /// it too, from its fork to its exec: that is waited out.
    var isFreed: Bool {
        for _ in 0..<2000 where isLocked { usleep(5000) }
        return !isLocked
    }
}
