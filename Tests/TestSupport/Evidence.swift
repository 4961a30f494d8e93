// SPDX-License-Identifier: Apache-2.0
//
// What a failed run leaves behind, so that it can be explained after it: a failure that depends on
// threads is not seen again by running its seed once more.

import Foundation

/// One folder for one failure. Nothing is made before something fails.
package struct Evidence {
    /// The folder; it stays.
    package let path: String

    /// Makes the folder, `cairn-KIND-SEED`, below `$CAIRN_EVIDENCE` or the system's temporary
    /// folder.
    ///
    /// What an earlier run of the same seed left there is gone.
    ///
    /// - Parameters:
    ///   - kind: which test.
    ///   - seed: what the run followed from.
    package init(_ kind: String, seed: UInt64) throws {
        let base =
            ProcessInfo.processInfo.environment["CAIRN_EVIDENCE"] ?? NSTemporaryDirectory()
        let folder = URL(fileURLWithPath: base).appendingPathComponent("cairn-\(kind)-\(seed)").path
        if FileManager.default.fileExists(atPath: folder) {
            try FileManager.default.removeItem(atPath: folder)
        }
        // The keys of a test's volume are no secret, but nobody else needs them.
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true,
            attributes: [.posixPermissions: 0o700])
        path = folder
    }

    /// Writes down what is known of the failure.
    package func note(_ name: String, _ text: String) throws {
        try text.write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
    }

    /// Keeps a copy of a file or folder, with its holes.
    ///
    /// - Returns: where it is.
    @discardableResult
    package func keep(_ source: String, as name: String) throws -> String {
        let target = path + "/" + name
        let copied = try run("/bin/cp", ["-a", "--sparse=always", source, target])
        guard copied.status == 0 else { throw ShellFailure(command: "cp", result: copied) }
        return target
    }
}
