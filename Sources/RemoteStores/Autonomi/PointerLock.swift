// SPDX-License-Identifier: Apache-2.0
//
// Keeps two volumes of one user, whose pads hang on one pointer, from changing it at once: the
// daemon has no "change it if it is still this". What another machine does, it cannot know.

internal import Glibc
internal import Primitives
internal import Stores

/// A lock on a file of this machine, by `flock`.
struct PointerLock: Sendable {
    /// How long somebody else is waited for, who waits for the network.
    private static let patience = Duration.seconds(120)
    /// Between two attempts, in microseconds.
    private static let attemptPause: useconds_t = 5_000

    private let path: String

    /// The lock of `pointer`, for this user.
    init(_ pointer: PublicAddressText) {
        // The folder is everybody's, and sticky: a file there is taken only if it is our own.
        path = "/tmp/cairn-\(geteuid())-pointer-\(pointer.text).lock"
    }

    /// Runs `body` while nobody else runs theirs.
    ///
    /// - Throws: what `body` throws; `unreachable` if somebody else keeps the lock too long;
    ///   `refused` if the file is another user's.
    func withLock<Result>(
        _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        let descriptor = try held()
        // Closing the file gives the lock back; nothing was written that could fail.
        defer { _ = close(descriptor) }
        return try body()
    }

    private func held() throws(StoreError) -> Int32 {
        do throws(SystemError) {
            let file = try open()
            try lockExclusively(
                file.descriptor, patience: Self.patience, pause: Self.attemptPause)
            return file.release()
        } catch {
            if error.code == EWOULDBLOCK { throw .unreachable(retryAfter: .seconds(1)) }
            throw error.storeError
        }
    }

    private func open() throws(SystemError) -> OpenFile {
        let flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC
        // SAFETY: the text is lent for the call.
        let file = OpenFile(
            descriptor: try retrying { unsafe Glibc.open(path, flags, 0o600) })
        var status = stat()
        // SAFETY: `status` is written during the call only.
        guard unsafe fstat(file.descriptor, &status) == 0 else { throw .last }
        guard status.st_uid == geteuid() else { throw SystemError(code: EACCES) }
        return file
    }
}
