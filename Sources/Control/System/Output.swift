// SPDX-License-Identifier: Apache-2.0
//
// Standard output is for results that a script reads; standard error is for people.

import Glibc

/// Where a command writes.
package enum Output {
    /// Writes a result to standard output.
    ///
    /// - Throws: `failure` when it cannot be written: a full disk, a closed pipe.
    package static func result(_ text: String) throws(CommandFailure) {
        do {
            try write(Array(text.utf8), to: STDOUT_FILENO)
        } catch {
            throw CommandFailure(.failure, "standard output cannot be written", error)
        }
    }

    /// Writes bytes to standard output, as they are.
    ///
    /// - Throws: as above.
    package static func result(bytes: [UInt8]) throws(CommandFailure) {
        do {
            try write(bytes, to: STDOUT_FILENO)
        } catch {
            throw CommandFailure(.failure, "standard output cannot be written", error)
        }
    }

    /// Writes to standard error. If that is closed, there is nobody to tell.
    package static func note(_ text: String) {
        do {
            try write(Array(text.utf8), to: STDERR_FILENO)
        } catch {
            // As above.
        }
    }

    /// True when a person sees standard error.
    package static var isWatched: Bool { isatty(STDERR_FILENO) == 1 }

    private static func write(_ bytes: [UInt8], to number: Int32) throws(SystemError) {
        let copy = fcntl(number, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw SystemError.last("fcntl") }
        try Descriptor(owning: copy).writeAll(bytes.span)
    }
}
