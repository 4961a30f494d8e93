// SPDX-License-Identifier: Apache-2.0
//
// A failed call to the operating system, as a value.

import Glibc

/// Why a system call failed.
package struct SystemError: Error, Equatable, Sendable {
    /// The call, as its manual page is named.
    package let call: String
    /// Its errno; positive.
    package let code: Int32

    /// - Parameters: as the properties.
    package init(_ call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// The error the thread's last failed call left in errno. To be made at once after it.
    static func last(_ call: String) -> SystemError {
        SystemError(call, code: errno)
    }

    /// The system has no thread to give: the one reason for which `SystemThread.start` fails.
    static let noThread = SystemError("pthread_create", code: EAGAIN)

    /// The system's words for it, such as "No such file or directory".
    package var reason: String {
        // glibc's text for errno needs at most some 50 bytes; strerror_r cuts what does not fit.
        var text = [CChar](repeating: 0, count: 256)
        // SAFETY: `text` is ours and outlives the call, which writes at most its count and a NUL.
        let failed = unsafe strerror_r(code, &text, text.count) != 0
        let bytes = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return failed || bytes.isEmpty
            ? "error \(code)" : String(decoding: bytes, as: UTF8.self)
    }

    /// Throws what errno says when `result` is negative. To be called at once after the call.
    @discardableResult
    static func check(_ call: String, _ result: some BinaryInteger) throws(SystemError) -> Int {
        guard result >= 0 else { throw last(call) }
        return Int(result)
    }
}
