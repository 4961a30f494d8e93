// SPDX-License-Identifier: Apache-2.0
//
// A service that refuses while its volume is mounted: what a person reads, what a program gets, and
// that it goes on by itself when the cause is gone.

import Foundation
import LocalServer
import S3Double
import TestSupport
import Testing

@Suite("trouble with S3 under a mount", .serialized, .mounting, .timeLimit(.minutes(5)))
struct S3TroubleTests {
    /// A cause, and what is said of it.
    struct Trouble: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let sentence: String
        let begin: @Sendable (S3Double) -> Void
        /// What the person does about it; the file has the keys.
        let end: @Sendable (S3Double, _ keys: String) throws -> Void
    }

    /// The service answers this to everything, signed right or not.
    private static func refusing(_ status: Int, _ code: String) -> @Sendable (S3Double) -> Void {
        { service in
            service.behave {
                $0.instead = { _ in
                    [.answer(status, [], Array("<Error><Code>\(code)</Code></Error>".utf8))]
                }
            }
        }
    }

    private static let healed: @Sendable (S3Double, String) throws -> Void = { service, _ in
        service.behave {
            $0.instead = nil
            $0.clockOffset = 0
        }
    }

    static let troubles = [
        Trouble(
            testDescription: "an access key that was taken back",
            sentence: "the server does not know the access key",
            begin: refusing(403, "InvalidAccessKeyId"), end: healed),
        Trouble(
            testDescription: "a secret that was changed",
            sentence: "the secret key does not belong to the access key",
            begin: refusing(403, "SignatureDoesNotMatch"), end: healed),
        Trouble(
            testDescription: "a policy that denies",
            sentence: "access to the bucket “\(S3Double.bucket)” is denied (AccessDenied)",
            begin: refusing(403, "AccessDenied"), end: healed),
        Trouble(
            testDescription: "a bucket that is gone",
            sentence: "there is no bucket “\(S3Double.bucket)”",
            begin: refusing(404, "NoSuchBucket"), end: healed),
        Trouble(
            testDescription: "a clock that is wrong by an hour",
            sentence: "this machine's clock and the server's differ by more than it allows",
            begin: { service in service.behave { $0.clockOffset = 3600 } }, end: healed),
        Trouble(
            testDescription: "a session token that expired",
            sentence: "the session token has expired; get new keys",
            begin: { service in service.behave { $0.expiredTokens = ["first"] } },
            end: { _, file in try S3Volume.writeKeys(token: "second", in: file) }),
    ]

    @Test("each refusal is said at the command and in errors, gives EIO, and ends")
    func refusals() throws {
        try S3Volume.with { volume, service, keys in
            try volume.shell(
                """
                cd "$MNT/files"; echo here > small
                for i in $(seq 1 \(Self.troubles.count)); do
                    head -c 300000 /dev/urandom > old$i; cp old$i "$ROOT/old$i"
                done
                """)
            // Now nothing but the names is on this machine.
            try volume.recover()
            try volume.shell("ls -l \"$MNT/files\"; cat \"$MNT/files/small\"")
            for (index, trouble) in Self.troubles.enumerated() {
                let name = "old\(index + 1)"
                trouble.begin(service)
                try meet(trouble, volume, name, "new\(index + 1)")
                try trouble.end(service, keys)
                if index == 0 {
                    // Nobody has to ask: it goes on by itself.
                    let isThrough = try waits(seconds: 60) {
                        try volume.statusField("unpublishedChanges") == "0"
                    }
                    #expect(isThrough)
                } else {
                    try volume.sync()
                }
                try volume.shell("cmp \"$ROOT/\(name)\" \"$MNT/files/\(name)\"")
            }
            try volume.proveThatItWorks()
            try volume.shell(
                """
                cd "$MNT/files"
                for i in $(seq 1 \(Self.troubles.count)); do
                    cmp "$ROOT/old$i" old$i; cmp "$ROOT/new$i" new$i
                done
                """)
        }
    }

    private func meet(
        _ trouble: Trouble, _ volume: MountedVolume, _ old: String, _ new: String
    ) throws {
        // What is on this machine goes on, what is not is EIO, at once.
        let read = "open('\(volume.mountPoint)/files/\(old)', 'rb').read()"
        let start = ContinuousClock.now
        #expect(try volume.outcome(of: read) == "EIO", "\(trouble.testDescription)")
        #expect(ContinuousClock.now - start < .seconds(20), "\(trouble.testDescription)")
        try volume.shell(
            """
            cd "$MNT/files"; grep -qx here small
            head -c 100000 /dev/urandom > \(new); sync \(new); cp \(new) "$ROOT/\(new)"
            """)
        let sync = try volume.tried("sync", volume.mountPoint)
        expectRefusal(sync, .unpublished, trouble.sentence, "safe on this machine")
        #expect(try volume.statusField("storeFailure").contains(trouble.sentence))
        #expect(try volume.errorLines().contains(trouble.sentence))
        #expect(!sync.errors.contains(S3Double.secret))
    }

    @Test("a quota gives EDQUOT to who waits for the store, ENOSPC to nobody, and ends")
    func quota() throws {
        try S3Volume.with("durability=remote") { volume, service, _ in
            try volume.shell(
                """
                cd "$MNT/files"
                head -c 200000 /dev/urandom > old; sync old; cp old "$ROOT/old"
                """)
            let used = service.objects.reduce(0) { $0 + $1.value.count }
            service.behave { $0.quota = used + 100_000 }
            let write = "open('\(volume.mountPoint)/files/new', 'wb').write(bytes(100))"
            #expect(try volume.outcome(of: write) == "ok")
            try volume.shell("head -c 3000000 /dev/urandom > \"$MNT/files/large\"")
            let save = """
                fd = os.open('\(volume.mountPoint)/files/large', os.O_RDWR); os.fsync(fd)
                """
            #expect(try volume.outcome(of: save) == "EDQUOT")
            let sync = try volume.tried("sync", volume.mountPoint)
            expectRefusal(sync, .unpublished, "quota is used up", "safe on this machine")
            #expect(try volume.errorLines().contains("the store's quota is used up"))
            try volume.shell("cmp \"$ROOT/old\" \"$MNT/files/old\"")
            service.behave { $0.quota = .max }
            let isThrough = try waits(seconds: 60) {
                try volume.statusField("unpublishedChanges") == "0"
            }
            #expect(isThrough)
            #expect(try volume.outcome(of: save) == "ok")
            try volume.proveThatItWorks()
        }
    }
}
