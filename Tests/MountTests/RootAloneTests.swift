// SPDX-License-Identifier: Apache-2.0
//
// A mount of root's that nobody else may enter: nobody checks permissions there, and programs see
// what they would if somebody did.

import Foundation
import TestSupport
import Testing

@Suite(
    "a mount that root alone may enter", .serialized, .mounting,
    .enabled(if: geteuid() == 0, "only root mounts for root"))
struct RootAloneTests {
    /// What root sees, whoever checks.
    private static let script = """
        cd "$MNT/files"; umask 022
        echo 'echo ran' > tool; chmod 644 tool
        test -r tool; test -w tool; test ! -x tool; test -x .
        ! ./tool 2> said || exit 1
        grep -q 'Permission denied' said
        chmod 100 tool; test -x tool; test -w tool; test "$(sh ./tool)" = ran; ./tool | grep -qx ran
        chmod 0 tool; cat tool > copy; echo >> tool; test ! -x tool
        mkdir closed; echo in > closed/f; chmod 0 closed; grep -qx in closed/f; touch closed/g
        mv closed/g closed/h; rm closed/h
        touch other; chown 1001:1002 other; chmod 600 other; echo >> other; rm other
        mkdir -m 1777 sticky; touch sticky/f; chown 1001 sticky sticky/f; rm sticky/f
        """
    /// An access list sets the mode, which shows at once.
    private static let lists = """
        cd "$MNT/files"; touch list; chmod 600 list; stat -c %a list | grep -qx 600
        setfacl -m u:1001:rw list; stat -c %a list | grep -qx 660
        getfacl -cn list | grep -qx user:1001:rw-
        chmod 640 list; getfacl -cn list | grep -qx mask::r--
        setfacl -b list; test -z "$(getfacl -cns list)"
        mkdir d; setfacl -d -m u:1001:rwx,g::rx,o::-,m::rwx d; umask 077; touch d/f plain
        stat -c %a d/f plain | tr '\\n' ' ' | grep -qx '660 600 '
        """
    /// Root without what sets permissions aside.
    private static let bounded =
        "setpriv --bounding-set=-dac_override,-dac_read_search cat \"$MNT/files/f\""

    /// Another user, and root with another's fsuid, as a file server has it; for whom the
    /// kernel has looked the names up already.
    private static let acting = """
        os.chmod('f', 0o600); os.mkdir('d'); write('d/g')
        def refused(code):
            for call in [
                lambda: os.open('f', os.O_RDONLY), lambda: os.open('n', os.O_CREAT | os.O_WRONLY),
                lambda: os.chown('f', 1001, 1001), lambda: os.chmod('f', 0o4755),
                lambda: os.truncate('f', 0), lambda: os.utime('f', (1, 1)),
                lambda: os.unlink('d/g'), lambda: os.rename('d/g', 'h'), lambda: os.mkdir('e'),
                lambda: os.symlink('f', 'l'), lambda: os.link('f', 'l'), lambda: os.rmdir('d'),
                lambda: os.listdir('d'), lambda: os.setxattr('f', 'user.a', b'v'),
            ]: fails(code, call)
        as_user(1001, lambda: refused(errno.EACCES))
        def server():
            libc.setfsuid(1001); same(libc.setfsuid(1001), 1001)
            refused(errno.EACCES)
        ended(child(server))
        same((mode('f'), os.lstat('f').st_uid, os.listdir('d')), (0o600, 0, ['g']))
        """

    private func options(_ volume: MountedVolume) throws -> String {
        try volume.shell("grep -F \" $MNT \" /proc/mounts | cut -d' ' -f4")
    }

    @Test(
        "programs see the same, whether the kernel checks permissions or nobody",
        arguments: [nil, "default_permissions"])
    func sees(mountOptions: String?) throws {
        let volume = try MountedVolume(mountOptions: mountOptions)
        #expect(
            try options(volume).contains("default_permissions") == (mountOptions != nil))
        try volume.shell(Self.script)
        try volume.shell(Self.lists)
    }

    // SEMANTICS: There a directory's sticky bit forbids nothing.
    @Test("a sticky directory does not keep root from another's link, unless the kernel checks")
    func sticky() throws {
        let volume = try MountedVolume()
        try volume.probe(
            """
            os.mkdir('d'); os.symlink('nowhere', 'd/l'); os.lchown('d/l', 211, 211)
            os.chmod('d', 0o1777)
            fails(errno.ELOOP, lambda: os.open('d/l', os.O_CREAT | os.O_NOFOLLOW))
            """)
        try volume.unmount()
        try volume.mount(options: "default_permissions")
        try volume.probe(
            "fails(errno.EACCES, lambda: os.open('d/l', os.O_CREAT | os.O_NOFOLLOW))")
    }

    // SEMANTICS: A server of root's that acts for other users is refused there: EACCES.
    @Test("another user does not enter, nor root who acts for one, but uses what it was handed")
    func others() throws {
        let volume = try MountedVolume()
        try volume.shell(
            "chmod 755 \"$ROOT\"; chmod 777 \"$MNT/files\"; echo text > \"$MNT/files/f\"")
        try volume.probe(Self.acting)
        try volume.shell(
            """
            cd "$MNT/files"; chmod 600 f
            other() { setpriv --reuid=1001 --clear-groups sh -c "$1"; }
            test "$(other 'read -r line; echo "$line"' < f)" = text
            other 'echo more; exec >&-' >> f
            test "$(cat f)" = "text
            more"
            stat -c '%u %a' f | grep -qx '0 600'
            """)
    }

    // SEMANTICS: The kernel checks permissions and access lists, but where root alone may enter:
    // there nobody does, and a process of root's without root's capabilities may do what root may.
    // SEMANTICS: With `-o default_permissions` the kernel always checks.
    @Test("root without its capabilities may do what root may, unless the kernel checks")
    func bounded() throws {
        let volume = try MountedVolume()
        try volume.shell("echo text > \"$MNT/files/f\"; chmod 0 \"$MNT/files/f\"")
        #expect(try volume.shell(Self.bounded) == "text\n")
        for checked in ["default_permissions", "allow_other"] {
            try volume.unmount()
            try volume.mount(options: checked)
            #expect(try options(volume).contains("default_permissions"))
            try volume.shell("! \(Self.bounded) 2> \"$ROOT/said\"")
            try volume.shell("grep -q 'Permission denied' \"$ROOT/said\"")
        }
    }
}
