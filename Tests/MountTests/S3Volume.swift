// SPDX-License-Identifier: Apache-2.0
//
// A mounted volume on a double of S3, which reads its keys from a file.

import Foundation
import S3Double

enum S3Volume {
    /// Writes the double's keys, with a session token, where only their owner may read them.
    static func writeKeys(token: String, in file: String) throws {
        let text =
            "[default]\naccess_key_id = \(S3Double.accessKey)\n"
            + "secret_access_key = \(S3Double.secret)\nsession_token = \(token)\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: file))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file)
    }

    /// - Parameters:
    ///   - options: mount options, as after `-o`; nil for none.
    ///   - body: gets the volume, its service, and the file with the keys, with the token `first`.
    static func with(
        _ options: String? = nil, _ body: (MountedVolume, S3Double, String) throws -> Void
    ) throws {
        let service = try S3Double()
        defer { service.stop() }
        let keys = "/tmp/cairn-keys-\(UUID().uuidString)"
        defer {
            // A scratch file of this test: nothing depends on its removal.
            try? FileManager.default.removeItem(atPath: keys)
        }
        try writeKeys(token: "first", in: keys)
        let url = "s3://\(S3Double.bucket)/p?endpoint=\(service.endpoint)&credentials=\(keys)"
        try body(try MountedVolume(mountOptions: options, storeURL: url), service, keys)
    }
}
