// SPDX-License-Identifier: Apache-2.0
//
// `cairn check` of a volume that is mounted, unmounted, damaged and repaired.

import Foundation
import TestSupport
import Testing

@Suite("check of a real volume", .serialized, .mounting)
struct CheckMountTests {
    @Test("damage of the store is found mounted and unmounted, and repaired unmounted")
    func wholeWay() throws {
        let volume = try MountedVolume()
        try volume.shell(
            """
            mkdir "$MNT/files/sub"; head -c 200000 /dev/urandom > "$MNT/files/sub/big"
            head -c 200000 "$MNT/files/sub/big" > "$ROOT/copy"
            echo note > "$MNT/scratchpads/todo"; ln "$MNT/files/sub/big" "$MNT/files/other"
            """)
        try volume.sync()
        #expect(try volume.cairn(["check", volume.name]).status == 11)
        #expect(try volume.cairn(["check", volume.name, "--store", "--repair"]).status == 11)
        let sound = try volume.cairn(["check", volume.name, "--store", "--read"])
        #expect(sound.status == 0 && sound.output.isEmpty, "\(sound.output)\(sound.errors)")
        // The largest file of the store is a chunk of the only large file.
        try volume.shell(
            "rm \"$(find \"$STORE/chunks\" -type f -printf '%s %p\\n' | sort -n | tail -1"
                + " | cut -d' ' -f2-)\"")
        let mounted = try volume.cairn(["check", volume.mountPoint, "--store"])
        #expect(mounted.status == 19)
        #expect(mounted.output.contains("files/sub/big: 1 of 3 chunks are missing"))
        #expect(mounted.output.contains("files/other: 1 of 3 chunks are missing"))
        try volume.unmount()
        let local = try volume.cairn(["check", volume.name])
        #expect(local.status == 0 && local.output.isEmpty, "\(local.output)\(local.errors)")
        #expect(try volume.cairn(["check", volume.name, "--store"]).status == 19)
        let repaired = try volume.cairn(["check", volume.name, "--store", "--repair"])
        #expect(repaired.status == 0, "\(repaired.output)\(repaired.errors)")
        try volume.mount()
        try volume.recover()
        try volume.shell(
            """
            cmp "$MNT/files/sub/big" "$ROOT/copy"; cmp "$MNT/files/other" "$ROOT/copy"
            [ "$(cat "$MNT/scratchpads/todo")" = note ]
            """)
    }

    @Test("options that make no sense are said so")
    func usage() throws {
        let volume = try MountedVolume(mounts: false)
        #expect(try volume.cairn(["check", "--read"]).status == 64)
        #expect(try volume.cairn(["check", "nobody"]).status == 5)
    }
}
