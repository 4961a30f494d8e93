// SPDX-License-Identifier: Apache-2.0
//
// The whole way on a real S3 service, Ceph's gateway: from `cairn init` to another machine, through
// a server that is killed.

import Foundation
import TestSupport
import Testing

private let gatewayEnvironment = ProcessInfo.processInfo.environment

@Suite(
    "Mounts on Ceph's gateway", .serialized, .mounting,
    .enabled(
        if: gatewayEnvironment["CAIRN_RGW"] != nil, "no gateway was started: Tests/Ceph/rgw run"))
struct GatewayMountTests {
    /// A volume on a new place in a bucket, mounted.
    private func withVolume(
        bucket: String = "mounts", mountOptions: String? = nil,
        _ body: (MountedVolume) throws -> Void
    ) throws {
        let endpoint = try #require(gatewayEnvironment["CAIRN_RGW_ENDPOINT"])
        try gateway("make-bucket", bucket)
        let url = "s3://\(bucket)/\(UUID().uuidString)?endpoint=\(endpoint)"
        let volume = try MountedVolume(mountOptions: mountOptions, storeURL: url)
        try body(volume)
        withExtendedLifetime(volume) {}
    }

    @discardableResult
    private func gateway(_ verb: String, _ arguments: String...) throws -> String {
        try gateway(verb, arguments)
    }

    @discardableResult
    private func gateway(_ verb: String, _ arguments: [String]) throws -> String {
        let script = gatewayEnvironment["CAIRN_RGW_SCRIPT"] ?? ""
        let folder = gatewayEnvironment["CAIRN_RGW"] ?? ""
        let result = try run(script, [verb, folder] + arguments)
        guard result.status == 0 else { throw ShellFailure(command: "rgw \(verb)", result: result) }
        return result.output
    }

    /// Writes the keys of a new session into a file, as `credentials=` of a store's address takes.
    ///
    /// - Returns: the endpoint that takes them.
    @discardableResult
    private func writeSession(_ kind: String, to path: String) throws -> Substring {
        let lines = try gateway("session", kind).split(separator: "\n")
        try #require(lines.count == 4)
        let text =
            "[default]\naccess_key_id = \(lines[0])\nsecret_access_key = \(lines[1])\n"
            + "session_token = \(lines[2])\n"
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        return lines[3]
    }

    @Test("a tree that was synced is the same on another machine")
    func restore() throws {
        try withVolume { volume in
            try volume.shell(
                """
                cd "$MNT/files"
                mkdir -p a/b/c empty
                for i in $(seq 1 200); do echo "small $i" > a/b/small$i; done
                head -c 30000000 /dev/urandom > a/large
                head -c 100000 /dev/zero > a/b/c/zeros
                echo start > a/sparse; truncate -s 20M a/sparse
                ln -s ../large a/b/link; ln a/large a/hard; chmod 640 a/large
                echo note > "$MNT/scratchpads/note"
                """)
            try volume.sync()
            try volume.expectSameTreeAfterRecovery()
            #expect(try volume.shell("cat \"$MNT/scratchpads/note\"") == "note\n")
            let metrics = try volume.shell("cat \"$MNT/.cairn/metrics\"")
            #expect(metrics.contains("cairn_store_requests_total{operation=\"get\"}"))
        }
    }

    @Test(
        "a server that is down at the start lets the mount come up, and is taken up when it is back"
    )
    func downAtStart() throws {
        try withVolume { volume in
            try volume.shell("head -c 3000000 /dev/urandom > $MNT/files/a; cp $MNT/files/a $ROOT/a")
            try volume.unmount()
            try gateway("kill")
            do {
                let mounted = try volume.cairn(["mount", volume.name, volume.mountPoint])
                #expect(mounted.status == 0, "\(mounted)")
                try volume.shell("cmp $MNT/files/a $ROOT/a; echo new > $MNT/files/new")
                try volume.shell(
                    """
                    for i in $(seq 100); do
                        "$CAIRN" status test | grep -q "offline since 20" && exit 0
                        sleep 0.1
                    done
                    exit 1
                    """)
            }
            try gateway("resume")
            try volume.shell(
                """
                for i in $(seq 600); do
                    "$CAIRN" status test | grep -q "everything is on the store" && exit 0
                    sleep 0.1
                done
                exit 1
                """)
            try volume.recover()
            #expect(try volume.shell("cat $MNT/files/new; cmp $MNT/files/a $ROOT/a") == "new\n")
        }
    }

    @Test("a server that is killed during a publication loses nothing that was told to be stored")
    func killed() throws {
        try withVolume { volume in
            try volume.shell("head -c 20000000 /dev/urandom > \"$MNT/files/first\"")
            try volume.sync()
            try volume.shell(
                """
                for i in 1 2 3 4 5 6; do head -c 30000000 /dev/urandom > "$MNT/files/big$i"; done
                """)
            let sync = Process()
            sync.executableURL = URL(fileURLWithPath: MountedVolume.binary)
            sync.arguments = ["sync", volume.mountPoint]
            sync.environment = gatewayEnvironment.merging(volume.environment) { $1 }
            sync.standardOutput = FileHandle.nullDevice
            sync.standardError = FileHandle.nullDevice
            try sync.run()
            usleep(300_000)
            try gateway("kill")
            // The mount goes on meanwhile, with what is on this machine.
            try volume.shell(
                """
                echo offline > "$MNT/files/offline"; sha256sum "$MNT/files/first" > "$ROOT/sum"
                grep -q '"unpublished":true' "$MNT/.cairn/status.json"
                """)
            try gateway("resume")
            sync.waitUntilExit()
            try volume.sync()
            try volume.expectSameTreeAfterRecovery()
        }
    }

    @Test("what the service refuses is a sentence and a code, and no key is in it")
    func refusals() throws {
        try withVolume { volume in
            try volume.unmount()
            let secret = gatewayEnvironment["AWS_SECRET_ACCESS_KEY"] ?? ""
            func failure(_ changes: [String: String], _ store: String) throws -> ShellResult {
                try run(
                    MountedVolume.binary, ["init", "other", "--store", store],
                    environment: volume.environment.merging(changes) { $1 })
            }
            let cases: [([String: String], String, String)] = [
                (["AWS_SECRET_ACCESS_KEY": secret + "x"], volume.storeURL, "secret key"),
                (["AWS_ACCESS_KEY_ID": "NOBODY"], volume.storeURL, "access key"),
                (
                    [:],
                    volume.storeURL.replacingOccurrences(of: "//mounts/", with: "//none-such/"),
                    "no bucket"
                ),
                (
                    [:], "s3://mounts/x?endpoint=http://127.0.0.1:1", "does not answer"
                ),
            ]
            for (changes, store, part) in cases {
                let result = try failure(changes, store)
                #expect(result.status == Refusal.storeUnusable.rawValue, "\(part)")
                #expect(result.errors.contains(part), "\(result.errors)")
                #expect(!result.errors.contains(secret) && !result.output.contains(secret))
            }
            try volume.mount()
            try volume.shell("echo on > \"$MNT/files/on\"")
            try volume.sync()
            let log = try volume.shell("cat \"$CAIRN_STATE\"/volumes/test/log*")
            let state = try volume.shell(
                "cat \"$MNT/.cairn/status.json\" \"$CAIRN_STATE\"/volumes/test/config")
            #expect(!log.contains(secret) && !state.contains(secret))
        }
    }

    @Test("a session that the service no longer takes is said, loses nothing, and ends by new keys")
    func sessions() throws {
        try gateway("make-bucket", "sessions")
        let keys = "/tmp/cairn-keys-\(UUID().uuidString)"
        // A scratch file of this test: nothing depends on its removal.
        defer { try? FileManager.default.removeItem(atPath: keys) }
        let endpoint = try writeSession("good", to: keys)
        let url = "s3://sessions/\(UUID().uuidString)?endpoint=\(endpoint)&credentials=\(keys)"
        for kind in ["expired", "foreign"] {
            try writeSession(kind, to: keys)
            let failure = #expect(throws: ShellFailure.self) {
                _ = try MountedVolume(mounts: false, storeURL: url)
            }
            #expect(failure?.result.status == Refusal.storeUnusable.rawValue)
            #expect(failure?.result.errors.contains("session token") == true, "\(kind)")
        }
        try writeSession("good", to: keys)
        let volume = try MountedVolume(mountOptions: "durability=remote", storeURL: url)
        let save = """
            fd = os.open('\(volume.mountPoint)/files/a', os.O_RDWR); os.fsync(fd)
            """
        try volume.shell("head -c 3000000 /dev/urandom > \"$MNT/files/a\"")
        #expect(try volume.outcome(of: save) == "ok")
        try gateway("forget-sessions")
        try volume.shell("head -c 3000000 /dev/urandom > \"$MNT/files/a\"")
        #expect(try volume.outcome(of: save) == "EIO")
        let refused = try volume.tried("sync", volume.mountPoint)
        expectRefusal(refused, .unpublished, "session token", "safe on this machine")
        try writeSession("good", to: keys)
        try volume.sync()
        #expect(try volume.outcome(of: save) == "ok")
        try volume.expectSameTreeAfterRecovery()
    }

    @Test("a quota, a user who is suspended, and a bucket that is removed, under a mount")
    func trouble() throws {
        try withVolume(bucket: "trouble", mountOptions: "durability=remote") { volume in
            let save = """
                fd = os.open('\(volume.mountPoint)/files/new', os.O_RDWR); os.fsync(fd)
                """
            func write() throws {
                try volume.shell("head -c 3000000 /dev/urandom > \"$MNT/files/new\"")
            }
            let quota = ["--bucket=trouble", "--quota-scope=bucket", "--uid=test"]
            try gateway("admin", ["quota", "set", "--max-size=1K"] + quota)
            try gateway("admin", ["quota", "enable"] + quota)
            try write()
            #expect(try volume.outcome(of: save) == "EDQUOT")
            let full = try volume.tried("sync", volume.mountPoint)
            expectRefusal(full, .unpublished, "quota is used up", "safe on this machine")
            try gateway("admin", ["quota", "disable"] + quota)
            try volume.sync()
            #expect(try volume.outcome(of: save) == "ok")

            try gateway("admin", ["user", "suspend", "--uid=test"])
            try write()
            #expect(try volume.outcome(of: save) == "EIO")
            let denied = try volume.tried("sync", volume.mountPoint)
            expectRefusal(denied, .unpublished, "denied", "safe on this machine")
            try gateway("admin", ["user", "enable", "--uid=test"])
            try volume.sync()

            try gateway("admin", ["bucket", "rm", "--bucket=trouble", "--purge-objects"])
            try write()
            #expect(try volume.outcome(of: save) == "EIO")
            let gone = try volume.tried("sync", volume.mountPoint)
            expectRefusal(
                gone, .unpublished, "there is no bucket “trouble”", "safe on this machine")
            #expect(try volume.errorLines().contains("there is no bucket “trouble”"))
        }
    }
}
