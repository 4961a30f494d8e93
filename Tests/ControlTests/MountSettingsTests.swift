// SPDX-License-Identifier: Apache-2.0
//
// Mount options as mount(8), fstab and people write them.

import Control
import TestSupport
import Testing

struct MountSettingsTests {
    private func read(_ list: String) throws(CommandFailure) -> MountSettings {
        var settings = MountSettings()
        try settings.add(list)
        return settings
    }

    private func code(_ list: String) -> ExitCode? {
        do {
            _ = try read(list)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("every option is understood")
    func all() throws {
        let settings = try read(
            "ro,allow_other,noexec,suid,dev,subdir=/files//photos/,cache=2G,quota=3G,"
                + "durability=remote,passphrase-file=/etc/pass,state=/var/lib/cairn,finish-time=5m,"
                + "limit-upload=5M,limit-download=1K,aleph,aleph-node=http://127.0.0.1:1,"
                + "aleph-node=https://node.example,aleph-pay=credit")
        #expect(settings.showsAleph == true && settings.alephPay == .credit)
        #expect(settings.alephNodes == ["http://127.0.0.1:1", "https://node.example"])
        #expect(settings.isReadOnly && settings.allowsOthers && settings.forbidsPrograms)
        #expect(settings.honoursSetUser && settings.honoursDevices)
        #expect(settings.subdirectory == "files/photos")
        #expect(settings.cache == 2 << 30 && settings.quota == 3 << 30)
        #expect(settings.fsyncIsRemote)
        #expect(settings.passphraseFile == "/etc/pass")
        #expect(settings.state == "/var/lib/cairn")
        #expect(settings.finishTime == .seconds(300))
        #expect(settings.uploadLimit == 5 << 20 && settings.downloadLimit == 1024)
        #expect(try read(settings.list) == settings)
    }

    @Test(
        "what mount(8) and systemd add is let pass",
        arguments: [
            "", ",", "rw,nosuid,nodev,relatime", "defaults,user,noauto,_netdev,nofail",
            "x-systemd.automount,x-systemd.idle-timeout=60", "comment=a line",
        ])
    func silent(list: String) throws {
        #expect(try read(list) == MountSettings())
    }

    @Test("later options win")
    func order() throws {
        #expect(try read("ro,rw") == MountSettings())
        #expect(try read("rw,ro").isReadOnly)
        #expect(try read("default_permissions").alwaysChecksPermissions)
        #expect(try read("no_io_uring").avoidsRing)
        #expect(try read("cache=1G,cache=2G").cache == 2 << 30)
    }

    @Test(
        "an unknown option, a missing value and a senseless value are usage errors",
        arguments: [
            "allow_others", "uid=0", "subdir", "cache", "cache=", "cache=1M", "cache=x", "quota",
            "quota=", "quota=1K", "quota=lots", "quota=9223372036854775808",
            "durability=never", "subdir=a/../b", "state=relative", "finish-time=x",
            "limit-upload", "limit-upload=", "limit-upload=fast", "limit-upload=1",
            "limit-download=-5M", "aleph-node", "aleph-node=ftp://x", "aleph-pay=cash", "aleph=1",
            "passphrase-file=",
            "ro=1", "=1", "nonsense=1",
        ])
    func refused(list: String) {
        #expect(code(list) == .usage)
    }

    @Test("a comma or a backslash in a value is written after a backslash")
    func escapes() throws {
        #expect(try read("subdir=a\\,b\\\\c,ro").subdirectory == "a,b\\c")
        #expect(try read("subdir=a\\,b,ro").isReadOnly)
    }

    @Test("too long a list is refused")
    func long() {
        #expect(code(String(repeating: "ro,", count: 5000)) == .usage)
    }

    @Test("the list a daemon is given reads back to the same settings", arguments: 0..<200)
    func roundTrip(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        var settings = MountSettings()
        settings.isReadOnly = Bool.random(using: &dice)
        settings.allowsOthers = Bool.random(using: &dice)
        settings.alwaysChecksPermissions = Bool.random(using: &dice)
        settings.forbidsPrograms = Bool.random(using: &dice)
        settings.honoursSetUser = Bool.random(using: &dice)
        settings.honoursDevices = Bool.random(using: &dice)
        settings.fsyncIsRemote = Bool.random(using: &dice)
        if Bool.random(using: &dice) {
            settings.cache = .random(in: (64 << 20)...(1 << 46), using: &dice)
        }
        if Bool.random(using: &dice) {
            settings.quota = .random(in: VolumeConfiguration.quotas, using: &dice)
        }
        if Bool.random(using: &dice) {
            settings.finishTime = .milliseconds(Int.random(in: 0...86_400_000, using: &dice))
        }
        if Bool.random(using: &dice) {
            settings.subdirectory = String(
                (0..<8).map { _ in "ab,\\=é".randomElement(using: &dice) ?? "a" })
        }
        #expect(try read(settings.list) == settings, "seed \(seed)")
    }
}
