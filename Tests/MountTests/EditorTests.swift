// SPDX-License-Identifier: Apache-2.0
//
// Every way editors save a file, on a pad: one save is one counter bump at the same address.

import Foundation
import TestSupport
import Testing

@Suite("editors and pads", .serialized, .mounting)
struct EditorTests {
    struct Save: Sendable, CustomTestStringConvertible {
        let name: String
        let script: String
        var testDescription: String { name }
    }

    static let vim = "vim -u NONE -N -es -c"
    static let saves = [
        Save(name: "redirection", script: "echo redirected > note"),
        Save(name: "append", script: "echo appended >> note"),
        Save(name: "cp", script: "echo copied > $ROOT/c && cp $ROOT/c note"),
        Save(name: "sed -i", script: "sed -i 's/$/ sed/' note"),
        Save(name: "ed", script: "printf 'a\\ned line\\n.\\nw\\nq\\n' | ed -s note"),
        Save(
            name: "vim backupcopy=yes",
            script: "\(vim) 'set bkc=yes nobk' -c 'normal oyes' -c wq note < /dev/null"),
        Save(
            name: "vim backupcopy=yes with backup",
            script: "\(vim) 'set bkc=yes bk' -c 'normal oyesbk' -c wq note < /dev/null; rm -f note~"
        ),
        Save(
            name: "vim backupcopy=no",
            script: "\(vim) 'set bkc=no nobk wb' -c 'normal ono' -c wq note < /dev/null"),
        Save(
            name: "vim backupcopy=no with backup and swap",
            script: "\(vim) 'set bkc=no bk swf' -c 'normal onobk' -c wq note < /dev/null"),
        Save(
            name: "vim without any backup",
            script: "\(vim) 'set bkc=no nobk nowb noswf' -c 'normal onone' -c wq note < /dev/null"),
        Save(
            name: "emacs",
            script: "emacs -Q -batch note --eval '(progn (insert \"emacs\\n\") (save-buffer))'"),
        Save(
            name: "temporary, fsync, rename",
            script:
                "echo renamed > .note.ABC123 && sync .note.ABC123 && mv .note.ABC123 note"),
        Save(
            name: "nano",
            script: """
                python3 - note <<'PY'
                import os, pty, select, sys, time
                pid, fd = pty.fork()
                if pid == 0:
                    os.environ["TERM"] = "xterm"
                    os.execvp("nano", ["nano", sys.argv[1]])
                seen = b""
                def drain(seconds):
                    global seen
                    if select.select([fd], [], [], seconds)[0]:
                        try: seen += os.read(fd, 65536)
                        except OSError: return
                # Each key has its answer on the screen; the next comes after it.
                keys = [(b"", b"Exit"), (b"nano text", b"nano text"), (b"\\x0f", b"Name")]
                for key, answer in keys + [(b"\\r", b"Wrote"), (b"\\x18", b"")]:
                    seen = b""; os.write(fd, key); end = time.monotonic() + 20
                    while answer not in seen and time.monotonic() < end: drain(0.05)
                # A terminal whose program is leaving is at its end at once: the clock decides.
                end = time.monotonic() + 20
                while time.monotonic() < end:
                    if os.waitpid(pid, os.WNOHANG)[0]: sys.exit(0)
                    drain(0.05); time.sleep(0.01)
                os.kill(pid, 9); os.waitpid(pid, 0); sys.exit(1)
                PY
                """),
    ]

    // SEMANTICS: One save is one step of the counter: a pad is sealed 300 ms after its last close,
    // or when one that stays open was not written for 5 seconds.
    @Test("one save is one bump at the same address", arguments: saves)
    func save(_ save: Save) throws {
        let volume = try MountedVolume()
        try volume.shell("cd $MNT/scratchpads && printf 'first\\n' > note && $CAIRN sync $MNT")
        let address = try attribute("address", volume)
        #expect(try attribute("counter", volume) == "1")
        try volume.shell(
            "cd $MNT/scratchpads\n{ \(save.script)\n} > $ROOT/log 2>&1\n$CAIRN sync $MNT")
        #expect(try attribute("counter", volume) == "2")
        #expect(try attribute("address", volume) == address)
        #expect(try volume.shell("cat $MNT/scratchpads/note") != "first\n")
        // Nothing beside the note reached the store: the root pad and this one.
        let pads = try volume.shell("find $STORE/pads -type f | wc -l")
        #expect(pads.trimmingCharacters(in: .whitespacesAndNewlines) == "2")
        let content = try volume.shell("sha256sum < $MNT/scratchpads/note")
        try volume.recover()
        #expect(try volume.shell("sha256sum < $MNT/scratchpads/note") == content)
        #expect(try attribute("counter", volume) == "2")
    }

    // SEMANTICS: A pad whose content and encoding did not change is not sealed again.
    @Test("saving without a change bumps nothing")
    func unchanged() throws {
        let volume = try MountedVolume()
        try volume.shell(
            """
            cd $MNT/scratchpads && echo same > note && $CAIRN sync $MNT
            echo same > note; $CAIRN sync $MNT; touch note; $CAIRN sync $MNT
            \(Self.vim) 'set bkc=no' -c 'w!' -c q note < /dev/null; $CAIRN sync $MNT
            """)
        #expect(try attribute("counter", volume) == "1")
    }

    @Test("getfattr shows what a pad is")
    func attributes() throws {
        let volume = try MountedVolume()
        try volume.shell("echo x > $MNT/scratchpads/note; $CAIRN sync $MNT")
        let shown = try volume.shell("getfattr -d $MNT/scratchpads/note")
        for name in ["address", "counter", "owner", "encoding", "signature", "state"] {
            #expect(shown.contains("user.cairn.\(name)="), "\(name)")
        }
        try volume.shell(
            "setfattr -n user.cairn.encoding -v 42 $MNT/scratchpads/note; $CAIRN sync $MNT")
        #expect(try attribute("encoding", volume) == "42")
        #expect(try attribute("counter", volume) == "2")
    }

    // SEMANTICS: A write to a pad is accepted or refused when `write` returns.
    @Test("a pad over its limit is refused at write")
    func tooLarge() throws {
        let volume = try MountedVolume()
        let result = try run(
            "/usr/bin/python3",
            [
                "-c",
                """
                import os, sys, errno
                fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_DIRECT | os.O_SYNC)
                import mmap
                b = mmap.mmap(-1, 1 << 20)
                try:
                    for _ in range(5): os.write(fd, b)
                except OSError as e:
                    print(errno.errorcode[e.errno])
                """, volume.mountPoint + "/scratchpads/big",
            ])
        #expect(result.output == "EFBIG\n")
    }

    private func attribute(_ name: String, _ volume: MountedVolume) throws -> String {
        try volume.shell("getfattr --only-values -n user.cairn.\(name) $MNT/scratchpads/note")
    }
}
