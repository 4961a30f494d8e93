// SPDX-License-Identifier: Apache-2.0
//
// Starting this program again as a daemon. posix_spawn, never fork: a forked copy of a process with
// threads may only exec, and Swift's runtime gives no such promise.

import Glibc

/// Starts processes.
package enum ProcessLaunch {
    /// POSIX_SPAWN_SETSID, POSIX_SPAWN_SETSIGMASK and _SETSIGDEF: behind _GNU_SOURCE, or plain.
    ///
    /// - Source: glibc's spawn.h, which has had these values since 2.26.
    private static let newSession: Int16 = 0x80
    private static let setSignalDefaults: Int16 = 0x04
    private static let setSignalMask: Int16 = 0x08

    /// Starts this program with other arguments, in a session of its own.
    ///
    /// Its standard input, output and error are /dev/null; `inherited` become its descriptors 3, 4,
    /// … in that order. No signal is blocked or ignored in it.
    ///
    /// - Returns: the process's id.
    package static func startSelf(
        arguments: [String], inherited: [Int32]
    ) throws(SystemError) -> Int32 {
        // SAFETY, for all of this function: both are initialised here, used by one spawn, and
        // destroyed once; signal sets and the status are locals.
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        for number: Int32 in 0...2 {
            unsafe posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
        }
        // First up, above all of them: a source may itself be 3, 4, …
        let base = max(inherited.max() ?? 0, 3 + Int32(inherited.count)) + 1
        for (index, number) in inherited.enumerated() {
            unsafe posix_spawn_file_actions_adddup2(&actions, number, base + Int32(index))
        }
        for index in inherited.indices {
            unsafe posix_spawn_file_actions_adddup2(
                &actions, base + Int32(index), 3 + Int32(index))
        }
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        unsafe posix_spawnattr_setflags(
            &attributes, newSession | setSignalDefaults | setSignalMask)
        return try unsafe spawn("/proc/self/exe", arguments, &actions, &attributes)
    }

    /// Runs a program that is on the search path to its end, silently.
    ///
    /// - Returns: its exit code, or 128 + the signal that ended it.
    package static func run(
        _ program: String, _ arguments: [String]
    ) throws(SystemError) -> Int32 {
        // SAFETY, for all of this function: both are initialised here, used by one spawn, and
        // destroyed once; signal sets and the status are locals.
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        for number: Int32 in 0...2 {
            unsafe posix_spawn_file_actions_addopen(&actions, number, "/dev/null", O_RDWR, 0)
        }
        let process = try unsafe spawn(
            program, [program] + arguments, &actions, &attributes, searching: true)
        var status: Int32 = 0
        // SAFETY: `status` is ours.
        while unsafe waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw SystemError.last("waitpid") }
        }
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    private static func spawn(
        _ program: String, _ arguments: [String],
        _ actions: inout posix_spawn_file_actions_t, _ attributes: inout posix_spawnattr_t,
        searching: Bool = false
    ) throws(SystemError) -> Int32 {
        // SAFETY: strdup's copies live until freed below, after the spawn has returned.
        var vector: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) }
        unsafe vector.append(nil)
        defer { unsafe vector.forEach { unsafe free($0) } }
        var process = pid_t()
        let start = unsafe searching ? posix_spawnp : posix_spawn
        let result = unsafe start(&process, program, &actions, &attributes, &vector, environ)
        guard result == 0 else { throw SystemError("posix_spawn", code: result) }
        return process
    }
}
