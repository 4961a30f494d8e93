// SPDX-License-Identifier: Apache-2.0
//
// Clocks that jump under a program, as the system's does when somebody sets it, and as those that
// count a suspend do at the wake-up. And a count of the waits that such a jump may end.

import Foundation

/// A library that is loaded into a program before all others, and moves what its clocks tell by a
/// number of seconds that stands in a file.
///
/// Where `CLOCK_WAITS` names a file, the library adds an `l` to it with each look at a lock that
/// another process has, and a `p` with each wait for an open file: so a test knows that the program
/// waits, and jumps then. The file must be there.
package struct JumpingClock: Sendable {
    private static let source = """
        #define _GNU_SOURCE
        #include <errno.h>
        #include <fcntl.h>
        #include <poll.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <sys/file.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>

        int clock_gettime(clockid_t clock, struct timespec *time) {
            int result = (int)syscall(SYS_clock_gettime, clock, time);
            if (result) return result;
            int counts = clock == CLOCK_BOOTTIME && getenv("CLOCK_SUSPENDED");
            if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE && !counts) return 0;
            const char *path = getenv("CLOCK_OFFSET");
            FILE *file = path ? fopen(path, "re") : NULL;
            long long offset = 0;
            if (file) {
                if (fscanf(file, "%lld", &offset) != 1) offset = 0;
                fclose(file);
            }
            time->tv_sec += offset;
            return 0;
        }

        static void note(const char *what) {
            int code = errno;
            const char *path = getenv("CLOCK_WAITS");
            int file = path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;
            if (file >= 0) {
                if (write(file, what, 1) != 1) abort();
                close(file);
            }
            errno = code;
        }

        int flock(int file, int operation) {
            int result = (int)syscall(SYS_flock, file, operation);
            if (result && errno == EWOULDBLOCK) note("l");
            return result;
        }

        int poll(struct pollfd *files, nfds_t count, int milliseconds) {
            if (milliseconds != 0) note("p");
            struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
            return (int)syscall(SYS_ppoll, files, count, milliseconds < 0 ? NULL : &time, NULL, 0);
        }
        """

    /// What a program is started with, so that its clocks jump.
    package let environment: [String: String]
    /// The file of the seconds; anybody may write there.
    package let offsetPath: String

    /// Makes the library, and the file with no seconds in it.
    ///
    /// - Parameters:
    ///   - folder: where both go.
    ///   - countsSuspend: whether the clock moves that counts a suspend, too: then a jump is one.
    package init(in folder: String, countsSuspend: Bool = false) throws {
        offsetPath = folder + "/offset"
        let library = folder + "/clock.so"
        try Self.source.write(toFile: folder + "/clock.c", atomically: false, encoding: .utf8)
        var environment = ["LD_PRELOAD": library, "CLOCK_OFFSET": offsetPath]
        if countsSuspend { environment["CLOCK_SUSPENDED"] = "1" }
        self.environment = environment
        try jump(to: 0)
        let made = try run(
            "/usr/bin/env",
            ["clang", "-shared", "-fPIC", "-O1", "-o", library, folder + "/clock.c"]
        )
        guard made.status == 0 else { throw ShellFailure(command: "clang", result: made) }
    }

    /// Moves the clocks: they tell so many seconds more than is true, from now on.
    package func jump(to seconds: Int) throws {
        // In place: a reader must never find no file.
        try "\(seconds)\n".write(toFile: offsetPath, atomically: false, encoding: .utf8)
    }
}
