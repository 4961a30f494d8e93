// SPDX-License-Identifier: Apache-2.0
//
// Volumes without a mount: made, filled, lost and brought back; and what is said when it goes
// wrong.

import Control
import Cryptography
import Glibc
import Synchronization
import Testing

struct VolumeTests {
    private let folder: TemporaryFolder
    private let state: StateFolder
    private let store: String

    init() throws {
        folder = try TemporaryFolder()
        state = try StateFolder(folder.path("state"))
        store = folder.path("store")
    }

    private func creation(_ name: String = "home") throws -> VolumeCreation {
        var creation = VolumeCreation(state: state, name: try VolumeName(name))
        creation.store = store
        creation.cache = 64 << 20
        return creation
    }

    private func make(_ name: String = "home") throws -> String {
        let shown = Mutex("")
        try creation(name).create { words in shown.withLock { $0 = words } }
        return shown.withLock { $0 }
    }

    private func code(_ body: () throws -> Void) -> ExitCode? {
        do {
            try body()
            return nil
        } catch let failure as CommandFailure {
            #expect(!failure.sentence.isEmpty && !failure.sentence.hasSuffix("."))
            return failure.code
        } catch {
            Issue.record("not a failure of the command: \(error)")
            return nil
        }
    }

    private func run(_ script: String) throws {
        let status = try ProcessLaunch.run("sh", ["-ec", "cd \(folder.path); " + script])
        #expect(status == 0, "\(script)")
    }

    private func recover(_ words: String, as name: String = "home") throws {
        try creation(name).recover(try RecoveryPhrase(words: words))
    }

    private func lose(_ name: String = "home") throws {
        try state.volume(try VolumeName(name)).remove()
    }

    @Test("a new volume shows 24 words, and is listed with its files for its owner alone")
    func create() throws {
        let words = try make()
        #expect(words.split(separator: " ").count == 24)
        #expect(try state.volumes().map(\.name) == [.standard])
        let volume = state.volume(.standard)
        for file in [volume.keyFile, volume.configuration] {
            #expect(try FileFacts.of(file).mode == 0o600)
        }
        #expect(try FileFacts.of(volume.path).mode == 0o700)
        #expect(volume.isFreed)
    }

    @Test("what was put is got back, from the phrase, after the local state is lost")
    func wholeWay() throws {
        try run(
            """
            mkdir -p tree/sub; echo hello > tree/a; ln tree/a tree/b; ln -s a tree/l
            head -c 200000 /dev/urandom > tree/sub/big; truncate -s 9M tree/sparse
            chmod 4711 tree/sub/big; touch -d @1234567890.5 tree/a tree/sub; : > tree/empty
            """)
        let words = try make()
        var copy = VolumeCopy(state: state)
        copy.isRecursive = true
        try copy.put([folder.path("tree")], to: try VolumePath("home:files"))
        try lose()
        try recover(words)
        try copy.get([try VolumePath("home:files/tree")], to: folder.path("back"))
        try run(
            """
            diff -r --no-dereference tree back; [ back/a -ef back/b ]
            list() { (cd $1; find . -printf '%P %y %m %n %T@ %l\\0' | sort -z); }
            list tree > x; list back > y; cmp x y
            """)
        let report = try FileInquiry(state: state).report(on: "home:files/tree/sub/big")
        #expect(report.form == "data map")
        #expect(report.chunkAddresses.count >= 3)
        #expect(report.size == 200_000)
        #expect(report.lines(path: "p").contains("data map"))
        // Nothing of the plaintext, nor a name, is in the store.
        try run("! grep -rqE 'hello|sparse|tree' store")
    }

    @Test("a volume whose phrase could not be shown is not made")
    func phraseNotShown() throws {
        #expect(
            code {
                try creation().create { _ throws(CommandFailure) in
                    throw CommandFailure(.failure, "the pipe is closed")
                }
            } == .failure)
        #expect(!Files.exists(state.volume(.standard).path))
        _ = try make()
    }

    @Test("a volume of the same name is never touched")
    func standing() throws {
        let words = try make()
        let before = try VolumeConfiguration.read(from: state.volume(.standard))
        #expect(code { _ = try make() } == .volumeExists)
        #expect(code { try recover(words) } == .volumeExists)
        #expect(try VolumeConfiguration.read(from: state.volume(.standard)) == before)
    }

    @Test("a phrase that no volume on the store has is said so, and leaves nothing")
    func foreignPhrase() throws {
        _ = try make("other")
        let words = RecoveryPhrase(entropy: SecretBytes(randomCount: 32)).words
        #expect(code { try recover(words) } == .noSuchVolume)
        #expect(!Files.exists(state.volume(.standard).path))
    }

    @Test("a store that is missing, or something else, is said so")
    func badStores() throws {
        let words = RecoveryPhrase(entropy: SecretBytes(randomCount: 32)).words
        #expect(code { try recover(words) } == .storeUnusable)
        try run("mkdir store; echo x > store/letter")
        #expect(code { try recover(words) } == .storeUnusable)
        #expect(code { _ = try make() } == .storeUnusable)
        var creation = try creation()
        for (text, expected) in [
            ("s3://Bucket", ExitCode.usage), ("nonsense://x", .usage), ("", .usage),
            ("file://elsewhere/x", .usage), (state.path + "/inside", .usage),
        ] {
            creation.store = text
            #expect(code { try creation.create { _ in } } == expected, "\(text)")
        }
    }

    @Test("an unfinished folder does not stand in the way")
    func unfinished() throws {
        let volume = state.volume(.standard)
        try volume.make()
        try Files.replace(volume.path + "/meta.db", with: [1, 2, 3], mode: 0o600)
        try Files.replace(volume.keyFile, with: [1], mode: 0o600)
        _ = try make()
        #expect(volume.isComplete)
    }

    @Test("a volume in use is refused, and unharmed")
    func inUse() throws {
        _ = try make()
        let held = try state.volume(.standard).lock()
        let copy = VolumeCopy(state: state)
        #expect(code { try copy.get([try VolumePath("home:files")], to: "-") } == .stateInUse)
        withExtendedLifetime(held) {}
    }

    @Test("a key file of another volume is noticed")
    func exchangedKey() throws {
        _ = try make("a")
        _ = try make("b")
        let (a, b) = (state.volume(try VolumeName("a")), state.volume(try VolumeName("b")))
        try Files.rename(b.keyFile, to: a.keyFile)
        let copy = VolumeCopy(state: state)
        #expect(
            code { try copy.get([try VolumePath("a:files")], to: "-") } == .invalidConfiguration)
    }

    @Test("a sealed key opens with the passphrase from its file, and no other")
    func passphrase() throws {
        try folder.file("right", "correct horse\nanother line\n")
        try folder.file("wrong", "correct house\n")
        try folder.file("empty", "\n")
        var creation = try creation()
        creation.passphrase = .file(folder.path("right"))
        try creation.create { _ in }
        var copy = VolumeCopy(state: state)
        try folder.file("a", "text")
        for (file, expected) in [
            ("right", nil), ("wrong", ExitCode.wrongPassphrase), ("empty", .wrongPassphrase),
            ("missing", .unusablePath),
        ] {
            copy.passphrase = .file(folder.path(file))
            #expect(
                code { try copy.put([folder.path("a")], to: try VolumePath("home:files")) }
                    == expected, "\(file)")
        }
    }

    @Test("paths that cannot be copied are named, and the exit code tells")
    func badPaths() throws {
        _ = try make()
        try folder.file("a", "text")
        var copy = VolumeCopy(state: state)
        copy.report = { _, _ in }
        let a = folder.path("a")
        #expect(code { try copy.put([a], to: try VolumePath("home:nowhere/x")) } == .unusablePath)
        #expect(code { try copy.put([a], to: try VolumePath("other:files")) } == .noSuchVolume)
        #expect(
            code { try copy.put([a + "x"], to: try VolumePath("home:files")) } == .incompleteCopy)
        // The root holds fixed folders only.
        #expect(code { try copy.put([a], to: try VolumePath("home:x")) } == .incompleteCopy)
        #expect(
            code { try copy.get([try VolumePath("home:files/x")], to: folder.path) }
                == .incompleteCopy)
        #expect(code { try copy.get([try VolumePath("home:")], to: folder.path) } == .unusablePath)
        #expect(
            code { _ = try FileInquiry(state: state).report(on: "home:files/x") } == .unusablePath)
        #expect(
            code { _ = try FileInquiry(state: state).report(on: folder.path("a")) } == .notMounted)
    }

    @Test("a volume that is not mounted says so")
    func notMounted() throws {
        _ = try make()
        let target = try VolumeTarget("home", in: state)
        #expect(target.status == nil)
        #expect(code { _ = try Unmounting(target).synchronize() } == .notMounted)
        #expect(code { _ = try Unmounting(target).unmount(isForced: true) } == .notMounted)
        #expect(code { _ = try VolumeTarget("nothing", in: state) } == .noSuchVolume)
        #expect(code { _ = try VolumeTarget(folder.path, in: state) } == .notMounted)
    }

    @Test("a mount point that is missing or no folder is said before anything starts")
    func mountPoints() throws {
        _ = try make()
        func mount(_ path: String) throws {
            try Mounting(
                state: state, name: .standard, directory: path, settings: MountSettings()
            ).run()
        }
        #expect(code { try mount(folder.path("missing")) } == .mountPointUnusable)
        #expect(code { try mount(folder.path("missing/deep")) } == .mountPointUnusable)
        try folder.file("a", "text")
        #expect(code { try mount(folder.path("a")) } == .mountPointUnusable)
        #expect(state.volume(.standard).isFreed)
    }

    @Test("a symlink is put as itself, and what it leads to stays out")
    func symlink() throws {
        _ = try make()
        try run("mkdir other; echo local > other/a; ln -s other/a link; echo volume > a")
        let copy = VolumeCopy(state: state)
        try copy.put([folder.path("a")], to: try VolumePath("home:files"))
        try copy.put([folder.path("link")], to: try VolumePath("home:files/"))
        try run("mkdir back")
        for name in ["a", "link"] {
            try copy.get([try VolumePath("home:files/" + name)], to: folder.path("back"))
        }
        try run("cmp a back/a; [ \"$(readlink back/link)\" = other/a ]")
    }
}
