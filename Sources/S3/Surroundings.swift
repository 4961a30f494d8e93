// SPDX-License-Identifier: Apache-2.0
//
// What this target reads of the process and the machine: variables, small files, the time. One
// place, so that tests can bring their own.

internal import Glibc

/// Variables, files and the clock.
struct Surroundings: Sendable {
    /// A file's text, and who may read it.
    struct File: Sendable {
        let text: String
        let isOpenToOthers: Bool
    }

    /// The value of a variable; nil if it is not set, or empty.
    var variable: @Sendable (String) -> String?
    /// A file of at most `IniText.sizeLimit` bytes; nil if it cannot be read.
    var file: @Sendable (String) -> File?
    /// Seconds since 1970.
    var now: @Sendable () -> Int64

    /// Those of this process.
    static let process = Surroundings(
        variable: { name in
            // SAFETY: nobody changes the environment once threads run; the text is copied here.
            guard let value = unsafe getenv(name) else { return nil }
            let text = unsafe String(cString: value)
            return text.isEmpty ? nil : text
        },
        file: { path in read(path) },
        now: { Int64(time(nil)) })

    private static func read(_ path: String) -> File? {
        // SAFETY: the path is lent for the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        // SAFETY: the structure is a local, written during the call only.
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size <= IniText.sizeLimit
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var count = 0
        while count < bytes.count {
            // SAFETY: the array's memory is lent for the call, from `count` on.
            let piece = unsafe bytes.withUnsafeMutableBytes { memory in
                unsafe Glibc.read(
                    descriptor, memory.baseAddress.map { unsafe $0 + count }, memory.count - count)
            }
            if piece < 0, errno == EINTR { continue }
            guard piece >= 0 else { return nil }
            if piece == 0 { break }
            count += piece
        }
        let isOpenToOthers = status.st_mode & (S_IRWXG | S_IRWXO) != 0
        return File(
            text: String(decoding: bytes.prefix(count), as: UTF8.self),
            isOpenToOthers: isOpenToOthers)
    }
}
