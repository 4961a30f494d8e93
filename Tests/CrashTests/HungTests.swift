// SPDX-License-Identifier: Apache-2.0
//
// What hangs and what dies: a store that never answers, a daemon that is stopped or falls over, too
// few descriptors, and many clients at once.

import Foundation
import TestSupport
import Testing

@Suite("hung and dying", .serialized, .mounting)
struct HungTests {
    private func elapsed(_ body: () throws -> Void) rethrows -> Duration {
        let start = ContinuousClock.now
        try body()
        return ContinuousClock.now - start
    }

    /// Runs a reader of a file; how it ended, and after how long.
    private func reader(
        _ volume: CrashVolume, _ name: String, interruptedAfter pause: Duration? = nil
    ) throws -> (status: Int32, time: Duration) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // A shell in the background has its programs ignore SIGINT, and they theirs.
        let file = volume.mountPoint + "/files/" + name
        process.arguments = ["--default-signal=INT", "/bin/cat", file]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        let start = ContinuousClock.now
        try process.run()
        if let pause {
            usleep(UInt32(pause / .microseconds(1)))
            process.interrupt()
        }
        let isOver = eventually(within: .seconds(40)) { !process.isRunning }
        if !isOver { process.terminate() }
        process.waitUntilExit()
        return (process.terminationStatus, ContinuousClock.now - start)
    }

    // SEMANTICS: A read of what only the store has fails with EIO after the read deadline, 30
    // seconds by default.
    // SEMANTICS: A signal ends such a wait with EINTR.
    // SEMANTICS: A volume can be unmounted while calls of the store hang: 5 seconds later they are
    // left behind.
    @Test("nothing but reads of what only the store has waits for a store that never answers")
    func hungStore() throws {
        let root = try temporaryFolder("hung")
        defer { try? FileManager.default.removeItem(atPath: root) }
        let layer = try PowerLossLayer(root: root)
        let volume = try CrashVolume(storePath: layer.path + "/store")
        try volume.mount()
        try volume.shell(
            """
            for n in a b; do
                head -c 300000 /dev/urandom > "$ROOT/$n"; cp "$ROOT/$n" "$MNT/files"
            done
            """)
        try volume.sync()
        try volume.recover()
        try volume.shell("sed -i 's/^read-deadline = .*/read-deadline = 3s/' \"$CONFIG\"")
        try volume.mount()
        try volume.shell("ls -lR \"$MNT\" > /dev/null")
        layer.suspend()
        let quick = try elapsed {
            try volume.shell(
                """
                ls -lR "$MNT" > /dev/null; stat "$MNT/files/a" > /dev/null
                head -c 100000 /dev/urandom > "$ROOT/c"; cp "$ROOT/c" "$MNT/files/c"
                sync "$MNT/files/c"; mv "$MNT/files/c" "$MNT/files/d"; cmp "$ROOT/c" "$MNT/files/d"
                df "$MNT" > /dev/null; "$CAIRN" status test > /dev/null
                """)
        }
        #expect(quick < .seconds(3), "\(quick)")
        let late = try reader(volume, "a")
        #expect(late.status == 1 && late.time > .seconds(1) && late.time < .seconds(8), "\(late)")
        #expect(try volume.errors().contains("in time"))
        let interrupted = try reader(volume, "b", interruptedAfter: .milliseconds(700))
        #expect(interrupted.status == SIGINT && interrupted.time < .seconds(2), "\(interrupted)")
        let end = try elapsed { try volume.tried(["unmount", "--now", volume.mountPoint]) }
        #expect(end < .seconds(30), "\(end)")
        #expect(eventually(within: .seconds(10)) { !isRunning(volume.daemon) })
        layer.resume()
        try volume.mount()
        try volume.shell("cmp \"$ROOT/a\" \"$MNT/files/a\"; cmp \"$ROOT/c\" \"$MNT/files/d\"")
        try volume.recover()
        try volume.mount()
        try volume.shell(
            "for n in a b; do cmp $ROOT/$n $MNT/files/$n; done; cmp $ROOT/c $MNT/files/d")
        try volume.unmount()
    }

    // SEMANTICS: Time for which the machine sleeps counts in no such deadline: what waited for the
    // store before goes on at the wake-up.
    @Test("a read that waits for the store while the machine sleeps has its bytes afterwards")
    func asleep() throws {
        let root = try temporaryFolder("hung")
        defer { try? FileManager.default.removeItem(atPath: root) }
        let layer = try PowerLossLayer(root: root)
        let clock = try JumpingClock(in: root, countsSuspend: true)
        let volume = try CrashVolume(storePath: layer.path + "/store")
        try volume.mount()
        try volume.shell(
            "head -c 300000 /dev/urandom > \"$ROOT/a\"; cp \"$ROOT/a\" \"$MNT/files/a\"")
        try volume.sync()
        try volume.recover()
        try volume.mount(clock: clock)
        try volume.shell("ls -lR \"$MNT\" > /dev/null")
        layer.suspend()
        defer { layer.resume() }
        let reader = Process()
        reader.executableURL = URL(fileURLWithPath: "/usr/bin/cmp")
        reader.arguments = [volume.root + "/a", volume.mountPoint + "/files/a"]
        reader.standardError = FileHandle.nullDevice
        try reader.run()
        sleep(1)
        volume.send(SIGSTOP)
        try clock.jump(to: 86_400)
        volume.send(SIGCONT)
        // Long enough for whoever looks at a clock to have looked.
        sleep(2)
        #expect(reader.isRunning)
        layer.resume()
        if !eventually(within: .seconds(30), { !reader.isRunning }) { reader.terminate() }
        reader.waitUntilExit()
        #expect(reader.terminationStatus == 0)
        #expect(try volume.errors().isEmpty)
        try volume.unmount()
    }

    @Test("a daemon that falls over leaves a mount point that the next mount takes over")
    func fallenDaemon() throws {
        let volume = try CrashVolume()
        for signal in [SIGSEGV, SIGABRT, SIGKILL] {
            try volume.mount()
            try volume.shell("echo \(signal) > \"$MNT/files/f\"; sync \"$MNT/files/f\"")
            volume.kill(with: signal)
            let dead = try elapsed {
                // A call that was under way hears that the connection broke; the next, that it is
                // gone.
                let isGone = try eventually {
                    try run("/bin/ls", [volume.mountPoint]).errors.contains("not connected")
                }
                #expect(isGone)
            }
            #expect(dead < .seconds(2))
            let lines = try volume.done("status", "test").split(separator: "\n")
            #expect(lines.contains { $0.hasPrefix("mounted") && $0.hasSuffix(" no") }, "\(lines)")
            try volume.mount()
            try volume.shell("test \"$(cat \"$MNT/files/f\")\" = \(signal)")
            try volume.unmount()
        }
    }

    @Test("a daemon that was stopped for a while goes on where it was")
    func stoppedDaemon() throws {
        let volume = try CrashVolume()
        try volume.mount()
        try volume.shell(
            "head -c 2000000 /dev/urandom > \"$ROOT/a\"; cp \"$ROOT/a\" \"$MNT/files/a\"")
        volume.send(SIGSTOP)
        let writer = Process()
        writer.executableURL = URL(fileURLWithPath: "/bin/bash")
        writer.arguments = ["-c", "cp \"$ROOT/a\" \"$MNT/files/b\" && sync \"$MNT/files/b\""]
        writer.environment = ProcessInfo.processInfo.environment.merging(volume.environment) { $1 }
        try writer.run()
        sleep(Effort.isLong ? 60 : 4)
        #expect(writer.isRunning)
        volume.send(SIGCONT)
        #expect(eventually(within: .seconds(30)) { !writer.isRunning })
        writer.waitUntilExit()
        #expect(writer.terminationStatus == 0)
        try volume.shell("cmp \"$ROOT/a\" \"$MNT/files/a\"; cmp \"$ROOT/a\" \"$MNT/files/b\"")
        try volume.sync()
        #expect(try volume.errors().isEmpty)
        try volume.unmount()
    }

    @Test("64 clients at once each get their own bytes back, here and through an empty cache")
    func clients() throws {
        let volume = try CrashVolume()
        try volume.mount()
        #expect(try clients(64, rounds: 6, volume).isEmpty)
        try volume.sync()
        let before = try volume.shell(
            "cd \"$MNT\" && find . -path ./.cairn -prune -o -type f -print | sort | xargs sha256sum"
        )
        try volume.recover()
        try volume.mount()
        let after = try volume.shell(
            "cd \"$MNT\" && find . -path ./.cairn -prune -o -type f -print | sort | xargs sha256sum"
        )
        #expect(before == after)
        #expect(try volume.errors().isEmpty)
        try volume.unmount()
    }

    @Test("with few descriptors left nothing is lost, and when there are more all goes on")
    func descriptors() throws {
        let volume = try CrashVolume()
        try volume.mount()
        let open = try FileManager.default.contentsOfDirectory(
            atPath: "/proc/\(volume.daemon)/fd"
        ).count
        try limit(volume, to: open + 2)
        _ = try clients(24, rounds: 4, volume)
        try volume.shell("echo sure > \"$MNT/files/sure\"; sync \"$MNT/files/sure\"")
        try limit(volume, to: 1024)
        #expect(
            try eventually(within: .seconds(20)) {
                try volume.tried(["sync", volume.mountPoint]).status == 0
            })
        try volume.recover()
        try volume.mount()
        try volume.shell("grep -qx sure \"$MNT/files/sure\"")
        try volume.unmount()
    }

    private func limit(_ volume: CrashVolume, to count: Int) throws {
        let result = try run(
            "/usr/bin/prlimit", ["--pid", "\(volume.daemon)", "--nofile=\(count):4096"])
        guard result.status == 0 else { throw ShellFailure(command: "prlimit", result: result) }
    }

    private func clients(_ count: Int, rounds: Int, _ volume: CrashVolume) throws -> String {
        let result = try run(
            "/usr/bin/timeout",
            ["-k", "5", "120", "/usr/bin/python3", resource("clients.py"), volume.mountPoint]
                + ["\(count)", "\(rounds)"], environment: volume.environment)
        guard result.status == 0 else {
            throw ShellFailure(command: "clients.py", result: result)
        }
        return result.output
    }
}
