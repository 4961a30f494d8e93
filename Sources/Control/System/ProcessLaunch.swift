// SPDX-License-Identifier: Apache-2.0
//
// Starting programs, and this one again as a daemon. posix_spawn, never fork: a forked copy of a
// process with threads may only exec, and Swift's runtime gives no such promise.

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
    @discardableResult
    package static func startSelf(
        arguments: [String], inherited: [Int32]
    ) throws(SystemError) -> Int32 {
        try spawn("/proc/self/exe", arguments, inherited, isOurs: true)
    }

    /// Runs a program that is on the search path to its end, silently.
    ///
    /// - Returns: its exit code, or 128 + the signal that ended it.
    package static func run(
        _ program: String, _ arguments: [String]
    ) throws(SystemError) -> Int32 {
        let process = try spawn(program, [program] + arguments, [], isOurs: false)
        var status: Int32 = 0
        // SAFETY: `status` is ours.
        while unsafe waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw SystemError.last("waitpid") }
        }
        let signal = status & 0x7F
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
    }

    /// - Parameter isOurs: this program by its path, with a session and clean signals; else one
    ///   that is searched for.
    private static func spawn(
        _ program: String, _ arguments: [String], _ inherited: [Int32], isOurs: Bool
    ) throws(SystemError) -> Int32 {
        // SAFETY, for the whole function: `actions`, `attributes`, `none` and `all` are locals that
        // are initialised before they are used; strdup's copies live until freed at the end; the
        // spawn reads all of them and keeps none.
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
        let targets = inherited.indices.map { (base + Int32($0), 3 + Int32($0)) }
        for (number, (middle, _)) in zip(inherited, targets) {
            unsafe posix_spawn_file_actions_adddup2(&actions, number, middle)
        }
        for (middle, target) in targets {
            unsafe posix_spawn_file_actions_adddup2(&actions, middle, target)
        }
        if isOurs {
            var (none, all) = (sigset_t(), sigset_t())
            unsafe sigemptyset(&none)
            unsafe sigfillset(&all)
            unsafe posix_spawnattr_setsigmask(&attributes, &none)
            unsafe posix_spawnattr_setsigdefault(&attributes, &all)
            unsafe posix_spawnattr_setflags(
                &attributes, newSession | setSignalDefaults | setSignalMask)
        }
        var vector: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) }
        unsafe vector.append(nil)
        defer { unsafe vector.forEach { unsafe free($0) } }
        var process = pid_t()
        let start = unsafe isOurs ? posix_spawn : posix_spawnp
        let result = unsafe start(&process, program, &actions, &attributes, &vector, environ)
        guard result == 0 else { throw SystemError("posix_spawn", code: result) }
        return process
    }
}
