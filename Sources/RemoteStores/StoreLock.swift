// SPDX-License-Identifier: Apache-2.0
//
// The lock that all who replace pads in one folder share.

internal import Glibc
internal import Stores
internal import Primitives

/// Excludes other threads by a mutex, and other processes, also on machines that share the folder
/// over a network, by `flock` on a file.
final class StoreLock: Sendable {
    /// How long another process is waited for. It holds the lock for two or three syncs of a disk.
    static let defaultPatience = Duration.seconds(30)
    /// Between two attempts, in microseconds.
    private static let attemptPause: useconds_t = 2_000

    private let folder: Folder
    private let permissions: mode_t
    private let patience: Duration
    /// The open lock file, from the first use on: a read-only store never needs it.
    private let descriptor = Lock<Int32?>(nil)

    init(
        folder: Folder, permissions: mode_t, patience: Duration = StoreLock.defaultPatience
    ) {
        self.folder = folder
        self.permissions = permissions
        self.patience = patience
    }

    deinit {
        // Nothing was written to the file; closing has nothing to say.
        descriptor.withLock { if let open = $0 { _ = close(open) } }
    }

    /// Runs `body` while nobody else runs theirs.
    ///
    /// - Throws: what `body` throws; `unreachable` if another process keeps the lock too long;
    ///   `refused` on a filesystem without locks, where two machines could not agree.
    func withLock<Result>(
        _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        try descriptor.withLock { held throws(StoreError) in
            let descriptor: Int32
            do throws(SystemError) {
                if let opened = held { descriptor = opened } else { descriptor = try open() }
                held = descriptor
                try lockExclusively(
                    descriptor, patience: patience, pause: StoreLock.attemptPause)
            } catch {
                if error.code == EWOULDBLOCK { throw .unreachable(retryAfter: .seconds(1)) }
                throw error.storeError
            }
            // Cannot fail on a descriptor that is open and locked.
            defer { _ = flock(descriptor, LOCK_UN) }
            return try body()
        }
    }

    private func open() throws(SystemError) -> Int32 {
        try folder.lockFile(RelativePath("lock"), permissions: permissions).release()
    }
}
