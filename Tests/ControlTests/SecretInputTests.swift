// SPDX-License-Identifier: Apache-2.0
//
// Secrets that come in: whoever reads one is kept out of core files first.

import Control
import Glibc
import Testing

struct SecretInputTests {
    /// Whether this process may write no core file.
    private static func writesNoCore() throws -> Bool {
        let limits = try Descriptor.open("/proc/self/limits", O_RDONLY).readAll(limit: 1 << 16)
        let line = String(decoding: limits, as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix("Max core file size") }
        return line?.split(separator: " ").dropFirst(4).first == "0"
    }

    private static func allowCoreFiles() throws {
        // Who may not raise the limit has none already.
        _ = try ProcessLaunch.run("prlimit", ["--pid", "\(getpid())", "--core=4096:4096"])
    }

    @Test("whoever reads a secret writes no core file any more, whatever the secret is")
    func protects() async throws {
        // Each in a process of its own: what protects one protects the others, too.
        await #expect(processExitsWith: .success) {
            try Self.allowCoreFiles()
            _ = try SecretInput.passphrase(from: .file("/proc/version"), repeats: false)
            exit(try Self.writesNoCore() ? 0 : 1)
        }
        await #expect(processExitsWith: .success) {
            try Self.allowCoreFiles()
            _ = try? SecretInput.phrase(from: "/proc/version")  // No phrase, but read.
            exit(try Self.writesNoCore() ? 0 : 1)
        }
        await #expect(processExitsWith: .success) {
            try Self.allowCoreFiles()
            _ = try? SecretInput.key(from: "/proc/version", count: 32)  // As above.
            exit(try Self.writesNoCore() ? 0 : 1)
        }
        await #expect(processExitsWith: .success) {
            try Self.allowCoreFiles()
            let folder = try TemporaryFolder()
            // There is no key: it is protected before it is looked for.
            _ = try? VolumeStart.seed(of: try folder.volume(), passphrase: .terminal)
            exit(try Self.writesNoCore() ? 0 : 1)
        }
    }
}
