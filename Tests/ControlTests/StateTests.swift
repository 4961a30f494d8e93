// SPDX-License-Identifier: Apache-2.0
//
// Where state is, what a volume may be called, and who may use a volume's folder.

import Control
import Glibc
import Testing

struct StateTests {
    @Test(
        "names that are one plain path component are taken",
        arguments: [
            "home", "a", "_x", "2024-photos.old", String(repeating: "n", count: 64),
        ])
    func names(text: String) throws {
        #expect(try VolumeName(text).text == text)
    }

    @Test(
        "other names are refused",
        arguments: [
            "", ".", "..", ".hidden", "-f", "a/b", "a b", "ä", "a\n", "٣", "a:b",
            String(repeating: "n", count: 65),
        ])
    func noNames(text: String) {
        let failure = #expect(throws: CommandFailure.self) { try VolumeName(text) }
        #expect(failure?.code == .usage)
    }

    @Test("a given state folder is made absolute, and nothing is made")
    func given() throws {
        let state = try StateFolder("some/./where/")
        #expect(state.path.hasPrefix("/"))
        #expect(state.path.hasSuffix("/some/where"))
        #expect(!Files.exists(state.path))
        #expect(try StateFolder("/a//b/").path == "/a/b")
    }

    @Test("the standard store is beside the state folder, not in it")
    func store() throws {
        let state = try StateFolder("/a/state")
        #expect(state.standardStore(of: .standard) == "file:///a/state-store/home")
    }

    @Test("only finished volumes are listed, by name")
    func list() throws {
        let folder = try TemporaryFolder()
        let state = try StateFolder(folder.path)
        #expect(try state.volumes().isEmpty)
        for name in ["b", "a", "unfinished"] { _ = try folder.volume(name) }
        try folder.file("volumes/not a name", "")
        for name in ["a", "b"] { try folder.file("volumes/\(name)/config", "version = 1") }
        #expect(try state.volumes().map(\.name.text) == ["a", "b"])
    }

    @Test("the only volume is meant when none is named; of several, “home”")
    func onlyVolume() throws {
        let folder = try TemporaryFolder()
        let state = try StateFolder(folder.path)
        func code() -> ExitCode? {
            #expect(throws: CommandFailure.self) { try state.onlyVolume() }?.code
        }
        #expect(code() == .noSuchVolume)
        func add(_ name: String) throws {
            _ = try folder.volume(name)
            try folder.file("volumes/\(name)/config", "version = 1")
        }
        try add("a")
        #expect(try state.onlyVolume().name.text == "a")
        try add("b")
        #expect(code() == .usage)
        try add("home")
        #expect(try state.onlyVolume().name == .standard)
    }

    @Test("a volume's folder is made for its owner alone, and refused when it is open to others")
    func permissions() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        #expect(try FileFacts.of(volume.path).mode == 0o700)
        try Files.setMode(volume.path, 0o750)
        let failure = #expect(throws: CommandFailure.self) { try volume.checkPermissions() }
        #expect(failure?.code == .invalidConfiguration)
        #expect(failure?.advice.contains("chmod 700") == true)
    }

    @Test("a folder is used by one at a time, and the second is told by whom")
    func lock() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        #expect(!volume.isLocked)
        do {
            let held = try volume.lock()
            #expect(volume.isLocked)
            let failure = #expect(throws: CommandFailure.self) { try volume.lock() }
            #expect(failure?.code == .stateInUse)
            #expect(failure?.sentence.contains("process") == true)
            withExtendedLifetime(held) {}
        }
        #expect(volume.isFreed)
        _ = try volume.lock()
    }

    @Test("an unfinished folder is cleared but for its lock; a removed one is gone")
    func clear() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        let held = try volume.lock()
        try folder.file("volumes/home/meta.db", "x")
        try Files.makeDirectories(volume.path + "/deep/er", mode: 0o700)
        try folder.file("volumes/home/deep/er/file", "x")
        try volume.clear()
        #expect(!Files.exists(volume.path + "/deep"))
        #expect(!Files.exists(volume.path + "/meta.db"))
        #expect(Files.exists(volume.path + "/lock"))
        try volume.remove()
        #expect(!Files.exists(volume.path))
        withExtendedLifetime(held) {}
    }

    @Test("a path in a volume is a name, a colon and a path")
    func volumePaths() throws {
        let path = try VolumePath("home:/files//a/./b/")
        #expect(path.volume == .standard)
        #expect(path.names == ["files", "a", "b"])
        #expect(path.path == "/files/a/b")
        #expect(try VolumePath("home:").names.isEmpty)
        for text in ["files/a", "a/b:c", ":files", "home:a/../b"] {
            #expect(throws: CommandFailure.self, "\(text)") { try VolumePath(text) }
        }
        #expect(VolumePath.isMeant(by: "home:files"))
        #expect(!VolumePath.isMeant(by: "./home:files"))
        #expect(!VolumePath.isMeant(by: ":files"))
    }
}
