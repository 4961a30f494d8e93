// SPDX-License-Identifier: Apache-2.0
//
// fusermount3: the program through which a user who is not root mounts and unmounts.

import Glibc

/// Finds and runs `fusermount3`.
enum FuseHelper {
    /// Its name.
    private static let name = "fusermount3"
    /// Where distributions put it.
    private static let folders = ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin"]

    /// Its path; nil when it is not installed.
    static func find() -> String? {
        // SAFETY: the environment's own string, copied before anything could change it.
        let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? ""
        let searched = folders + path.split(separator: ":").map(String.init)
        return searched.map { "\($0)/\(name)" }.first {
            // SAFETY: the path is alive for the call.
            unsafe access($0, X_OK) == 0
        }
    }

    /// Runs it and waits for its end; whether all went well.
    static func run(_ program: String, _ arguments: [String]) -> Bool {
        // SAFETY: the copies live until the program was started, and are freed then.
        var texts = unsafe ([program] + arguments).map { unsafe strdup($0) }
        unsafe texts.append(nil)
        defer { unsafe texts.forEach { unsafe free($0) } }
        var process = pid_t()
        guard unsafe posix_spawn(&process, program, nil, nil, texts, environ) == 0 else {
            return false
        }
        var status: Int32 = -1
        while unsafe waitpid(process, &status, 0) < 0 {
            guard SystemFailure.last == .interrupted else { return false }
        }
        return status == 0
    }
}
