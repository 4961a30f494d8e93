// SPDX-License-Identifier: Apache-2.0
//
// Requests that come by io_uring, where the kernel has it: whatever is asked is answered as by the
// device, whoever waits holds up nobody, and it begins and ends as a mount should.
//
// Whether a kernel offers it is a setting of the machine. It is changed while a volume is being
// mounted, and put back; mounts keep what they began with.

import Foundation
import LocalServer
import S3Double
import Synchronization
import TestSupport
import Testing

/// The kernel's setting.
private enum Ring {
    static let path = "/sys/module/fuse/parameters/enable_uring"
    static let isHere = FileManager.default.isWritableFile(atPath: path)

    static func setting() throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    static func set(_ value: String) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.write(contentsOf: Data(value.utf8))
        try file.close()
    }
}

@Suite(
    "requests by io_uring", .serialized, .mounting, .timeLimit(.minutes(5)),
    .enabled(if: Ring.isHere, "this kernel does not bring requests by io_uring"))
struct RingTests {
    /// Mounts a volume while the kernel offers the ring, or does not.
    private func mount(_ volume: MountedVolume, offered: Bool, options: String? = nil) throws {
        let before = try Ring.setting()
        try Ring.set(offered ? "Y" : "N")
        defer { try? Ring.set(before) }
        try volume.mount(options: options)
    }

    /// A volume whose requests come by the ring.
    private func volume() throws -> MountedVolume {
        let volume = try MountedVolume(mounts: false)
        try mount(volume, offered: true)
        #expect(try volume.statusField("ioUring") == "1")
        return volume
    }

    /// Everything of files that programs use, small and large, one after the other and together.
    private static let work = """
        cd "$MNT/files"; mkdir tree; cp -a /usr/include/linux tree/
        diff -r /usr/include/linux tree/linux
        head -c 20000000 /dev/urandom > "$ROOT/big"
        for i in 1 2 3 4 5 6; do
            (cp "$ROOT/big" big$i; cmp "$ROOT/big" big$i; mv big$i moved$i) &
        done
        wait; for i in 1 2 3 4 5 6; do cmp "$ROOT/big" moved$i; done
        ln -s moved1 link; test "$(readlink link)" = moved1; ln moved2 second; rm moved2
        cmp "$ROOT/big" second; truncate -s 10000001 second; stat -c %s second | grep -qx 10000001
        head -c 10000001 "$ROOT/big" | cmp - second; setfattr -n user.a -v b second
        getfattr --only-values -n user.a second | grep -qx b
        for i in $(seq 300); do echo $i > small$i; done; cat small* | wc -l | grep -qx 300
        sync; rm small*; rm -r tree/linux/netfilter; test ! -e tree/linux/netfilter
        """

    private static let sums = "cd $MNT/files; find . -type f | sort | xargs md5sum | md5sum"

    // SEMANTICS: As root, where the kernel offers it (Linux 6.14, `enable_uring` of the module
    // `fuse`), requests come by io_uring, and `cairn status` says so.
    // SEMANTICS: With `-o no_io_uring`, and else, they come by the device; a mount keeps the way it
    // began with.
    @Test("what programs do is the same by the ring, by the device, and after either")
    func works() throws {
        let volume = try volume()
        try volume.shell(Self.work)
        let first = try volume.shell(Self.sums)
        try volume.unmount()
        try mount(volume, offered: false)
        #expect(try volume.statusField("ioUring") == "0")
        #expect(try volume.shell(Self.sums) == first)
        try volume.shell("rm -r \"$MNT/files/\"*")
        try volume.shell(Self.work)
        let second = try volume.shell(Self.sums)
        try volume.unmount()
        try mount(volume, offered: true, options: "no_io_uring")
        #expect(try volume.statusField("ioUring") == "0")
        try volume.unmount()
        try mount(volume, offered: true, options: "ro")
        #expect(try volume.statusField("ioUring") == "1")
        #expect(try volume.shell(Self.sums) == second)
    }

    /// Mounts, and takes the ring back so many milliseconds later.
    ///
    /// - Returns: whether it was early, late, or in the very instant in which the kernel says
    ///   neither.
    private func mount(
        _ volume: MountedVolume, takingBackAfter delay: Double
    ) throws -> ComparisonResult {
        let isTaken = Atomic(false)
        try Ring.set("Y")
        let owner = Thread {
            usleep(UInt32(delay * 1000))
            try? Ring.set("N")
            isTaken.store(true, ordering: .releasing)
        }
        owner.start()
        defer { _ = eventually { isTaken.load(ordering: .acquiring) } }
        try volume.shell("for log in $(find $ROOT -name log); do : > $log; done")
        try volume.mount()
        if try volume.statusField("ioUring") == "1" { return .orderedDescending }
        let refusals = try volume.shell(
            "cat $(find $ROOT -name log) | grep -c 'io_uring was switched off' || true")
        return refusals == "0\n" ? .orderedAscending : .orderedSame
    }

    @Test("a mount works, whenever the ring is taken back while it begins")
    func takenBack() throws {
        let volume = try MountedVolume(mounts: false)
        let before = try Ring.setting()
        defer { try? Ring.set(before) }
        var (hits, rounds) = (0, 0)
        var (delay, step) = (40.0, 20.0)
        var places: Set<ComparisonResult> = []
        let end = ContinuousClock.now + .seconds(60)
        while hits < 3, .now < end {
            rounds += 1
            let place = try mount(volume, takingBackAfter: delay)
            try volume.shell("echo \(rounds) > $MNT/files/last; grep -qx \(rounds) $MNT/files/last")
            try volume.unmount()
            hits += place == .orderedSame ? 1 : 0
            places.insert(place)
            // Ever closer once it was passed, but a busy machine mounts slower now than before.
            step = places.count > 1 ? max(step * 0.7, 0.5) : step * 1.5
            delay = max(0, delay + (place == .orderedDescending ? -step : step))
        }
        try volume.mount()
        try volume.proveThatItWorks()
        // So many cannot all have missed it: nobody says any more that it was met.
        #expect(hits > 0 || rounds < 200)
        if hits == 0 { try Test.cancel("the instant was not met on this busy machine") }
    }

    @Test("requests are counted, whichever way they come", arguments: [true, false])
    func counted(byRing: Bool) throws {
        let volume = try MountedVolume(mounts: false)
        try mount(volume, offered: byRing)
        #expect(try volume.statusField("ioUring") == (byRing ? "1" : "0"))
        let before = try #require(Int(try volume.statusField("requests")))
        try volume.shell("for i in $(seq 100); do : > \"$MNT/files/$i\"; done")
        let after = try #require(Int(try volume.statusField("requests")))
        // A look and a creation each, at least; and what else is asked has its limits too.
        #expect((200...5_000).contains(after - before), "\(before), \(after)")
    }

    /// What the system says of the daemon's threads: name, scheduling policy and processors.
    private func threads(of volume: MountedVolume) throws -> [(String, policy: Int, String)] {
        let lines = try volume.shell(
            """
            cd /proc/\(try volume.daemonPID())/task; for t in *; do
                printf '%s|%s|%s\\n' "$(cat $t/comm)" "$(cut -d' ' -f41 $t/stat)" \
                    "$(grep Cpus_allowed_list $t/status | cut -f2)"; done
            """
        ).split(separator: "\n")
        return lines.map { line in
            let fields = line.split(separator: "|").map(String.init)
            return (fields[0], Int(fields[1]) ?? -1, fields[2])
        }
    }

    @Test("only the ring's own threads stay on a processor, and when it is quiet none is low")
    func scheduling() throws {
        let volume = try volume()
        try volume.probe(
            """
            # Many that sync at once, which wakes threads of all kinds, and makes some.
            def work(number):
                for i in range(20):
                    fd = os.open(f'{number}-{i}', os.O_CREAT | os.O_WRONLY)
                    os.write(fd, os.urandom(300000)); os.fsync(fd); os.close(fd)
            for pid in [child(lambda n=n: work(n)) for n in range(24)]: ended(pid)
            """)
        try volume.sync()
        let own = try volume.shell("grep Cpus_allowed_list /proc/self/status | cut -f2")
            .trimmingCharacters(in: .newlines)
        let others = try threads(of: volume).filter { $0.0 != "cairn-ring" }
        #expect(others.count > 10)
        #expect(others.allSatisfy { $0.2 == own && $0.policy == 0 }, "\(others)")
        let processors = try volume.shell("nproc").split(separator: "\n").compactMap { Int($0) }
        let ring = try threads(of: volume).filter { $0.0 == "cairn-ring" }
        #expect(ring.count >= processors[0])
        if processors[0] > 1 { #expect(ring.allSatisfy { !$0.2.contains("-") }, "\(ring)") }
        let isQuiet = try eventually {
            try threads(of: volume).allSatisfy { $0.policy == 0 }
        }
        #expect(isQuiet)
    }

    /// A volume on a service, of which nothing but names is on this machine.
    private func withDistantFiles(
        _ count: Int, byRing: Bool, _ body: (MountedVolume, S3Double) throws -> Void
    ) throws {
        try S3Volume.with { volume, service, _ in
            try volume.shell(
                """
                cd $MNT/files
                for i in $(seq \(count)); do head -c 300000 /dev/urandom > far$i; done
                """)
            let before = try Ring.setting()
            try Ring.set(byRing ? "Y" : "N")
            defer { try? Ring.set(before) }
            try volume.recover()
            #expect(try volume.statusField("ioUring") == (byRing ? "1" : "0"))
            try volume.shell("ls -l $MNT/files > /dev/null; echo near > $MNT/files/near")
            try body(volume, service)
        }
    }

    @Test(
        "more callers wait for the store than there are threads, hold up nobody, and may go",
        arguments: [true, false])
    func waits(byRing: Bool) throws {
        try withDistantFiles(40, byRing: byRing) { volume, service in
            service.behave { $0.instead = { _ in [.silence] } }
            try volume.shell(
                """
                cd $MNT/files; readers=
                for i in $(seq 40); do cat far$i > /dev/null 2>&1 & readers="$readers $!"; done
                sleep 1
                grep -qx near near; ls -l | wc -l | grep -qx 42
                echo more > more; mv more other; rm other
                for reader in $readers; do kill -0 $reader; done
                # They hear it: else they would wait for as long as a read may.
                SECONDS=0; kill -9 $readers
                for reader in $readers; do ! wait $reader || exit 1; done
                test $SECONDS -lt 20
                """)
            service.behave { $0.instead = nil }
            try volume.shell("grep -qx near $MNT/files/near")
        }
    }

    @Test("a daemon that is killed takes its requests with it, and the next mount has everything")
    func killed() throws {
        let volume = try volume()
        try volume.shell("echo kept > $MNT/files/kept; sync $MNT/files/kept")
        try volume.shell(
            """
            for i in 1 2 3 4; do (cd $MNT/files
                for n in $(seq 100000); do echo $n > w$i || exit 0; done) > /dev/null 2>&1 & done
            sleep 0.5; kill -9 \(try volume.daemonPID()); wait
            """)
        try mount(volume, offered: true)
        #expect(try volume.statusField("ioUring") == "1")
        try volume.shell("grep -qx kept $MNT/files/kept")
        try volume.proveThatItWorks()
    }

    @Test("a mount that is taken away while programs use it ends, and so do they")
    func takenAway() throws {
        let volume = try volume()
        let daemon = try volume.daemonPID()
        try volume.shell(
            """
            for i in 1 2 3 4 5 6 7 8; do (cd $MNT/files
                for n in $(seq 100000); do echo $n > w$i || exit 0; sync w$i || exit 0; done) \
                > /dev/null 2>&1 & done
            sleep 0.5; $CAIRN unmount $MNT --now; wait
            """)
        #expect(eventually(within: .seconds(30)) { !isRunning(daemon) })
        try mount(volume, offered: true)
        try volume.proveThatItWorks()
    }
}
