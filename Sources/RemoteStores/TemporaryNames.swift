// SPDX-License-Identifier: Apache-2.0
//
// Names for files that are being written, and the sweeping up of those that were left.

internal import Cryptography
internal import Glibc
internal import Primitives
internal import Synchronization

/// Names that no other process uses, nor one on another machine that has the same folder mounted.
final class TemporaryNames: Sendable {
    /// What the name of every temporary file begins with. Nothing else is ever swept up.
    private static let prefix = "put-"
    /// A temporary file this old belongs to nobody any more, in seconds: a day. No put takes
    /// hours, and clocks of machines that share a folder may differ by a time zone.
    static let staleAge = 24 * 60 * 60

    private let process = Hex.encode(SystemRandom.bytes(12))
    private let count = Atomic<UInt64>(0)

    /// A name not given before.
    func next() -> RelativePath {
        let number = count.add(1, ordering: .relaxed).newValue
        return RelativePath(
            Array("\(TemporaryNames.prefix)\(process)-\(number)".utf8))
    }

    /// Removes the temporary files of `folder` that were last written `staleAge` before `now`.
    ///
    /// - Parameter now: seconds since 1970.
    static func sweep(_ folder: Folder, now: Int) throws(SystemError) {
        var stale: [RelativePath] = []
        var failure: SystemError?
        _ = try folder.forEachName { bytes in
            guard bytes.starts(with: prefix.utf8) else { return true }
            let name = RelativePath(bytes)
            do throws(SystemError) {
                if let status = try folder.status(of: name), status.isRegular,
                    status.modified < now - staleAge
                {
                    stale.append(name)
                }
                return true
            } catch {
                failure = error
                return false
            }
        }
        if let failure { throw failure }
        for name in stale {
            do throws(SystemError) {
                try folder.remove(name)
            } catch {
                // Another process that opens the store sweeps too.
                guard error.code == ENOENT else { throw error }
            }
        }
    }
}
