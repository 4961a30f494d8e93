// SPDX-License-Identifier: Apache-2.0
//
// One holder of a state folder, and a folder nobody else can look into.

import Foundation
import Testing

@testable import Blocks

@Suite("State lock")
struct StateLockTests {
    private func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }

    @Test("a missing folder is made with its parents, for its owner alone")
    func makesFolder() throws {
        let folder = try TemporaryFolder()
        let state = folder.path + "/a/b/state"
        let lock = try StateLock(folder: state)
        #expect(try mode(folder.path + "/a") == 0o700 && mode(state) == 0o700)
        #expect(try mode(state + "/lock") == 0o600)
        let text = try String(contentsOfFile: state + "/lock", encoding: .utf8)
        #expect(text == "\(getpid())\n")
        withExtendedLifetime(lock) {}
    }

    @Test("a folder others could look into is tightened", arguments: [0o755, 0o777, 0o750, 0o500])
    func tightens(permissions: Int) throws {
        let folder = try TemporaryFolder()
        try FileManager.default.setAttributes(
            [.posixPermissions: permissions], ofItemAtPath: folder.path)
        let lock = try StateLock(folder: folder.path + "/")
        #expect(try mode(folder.path) == 0o700)
        withExtendedLifetime(lock) {}
    }

    @Test(
        "a folder of another user is refused",
        .enabled(if: geteuid() == 0, "giving a folder to another user needs root"))
    func notOwned() throws {
        let folder = try TemporaryFolder()
        try FileManager.default.setAttributes(
            [.ownerAccountID: 12_345], ofItemAtPath: folder.path)
        #expect(throws: StateLockError.notOwned(uid: 12_345)) {
            _ = try StateLock(folder: folder.path)
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/lock"))
    }

    @Test("a file in the folder's place is refused")
    func notAFolder() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/file"
        #expect(FileManager.default.createFile(atPath: path, contents: nil))
        #expect(throws: StateLockError.notAFolder) { _ = try StateLock(folder: path) }
    }

    @Test("a symbolic link in the lock file's place is refused")
    func linkedLock() throws {
        let folder = try TemporaryFolder()
        let target = folder.path + "/target"
        #expect(FileManager.default.createFile(atPath: target, contents: Data([1])))
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/lock", withDestinationPath: target)
        #expect(throws: StateLockError.io(errno: ELOOP)) {
            _ = try StateLock(folder: folder.path)
        }
        #expect(try Data(contentsOf: URL(fileURLWithPath: target)) == Data([1]))
    }

    @Test("a second lock names the holder, and gets it when the first is let go")
    func contention() throws {
        let folder = try TemporaryFolder()
        do {
            let lock = try StateLock(folder: folder.path)
            #expect(throws: StateLockError.locked(pid: getpid())) {
                _ = try StateLock(folder: folder.path)
            }
            withExtendedLifetime(lock) {}
        }
        _ = try StateLock(folder: folder.path)
    }

    @Test("another process finds the folder locked, and who has it")
    func acrossProcesses() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path
        let holder = getpid()
        let lock = try StateLock(folder: path)
        await #expect(processExitsWith: .exitCode(17)) {
            [path = path as String, holder = holder as Int32] in
            do {
                _ = try StateLock(folder: path)
            } catch StateLockError.locked(pid: holder) {
                exit(17)
            }
        }
        withExtendedLifetime(lock) {}
    }

    @Test("a holder that was killed leaves the folder free")
    func killedHolder() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let lock = try StateLock(folder: path)
            kill(getpid(), SIGKILL)
            withExtendedLifetime(lock) {}
        }
        let lock = try StateLock(folder: path)
        let text = try String(contentsOfFile: path + "/lock", encoding: .utf8)
        #expect(text == "\(getpid())\n")
        withExtendedLifetime(lock) {}
    }

    @Test(
        "a lock file without a readable holder still locks", arguments: ["", "junk", "99999999999"])
    func unreadableHolder(text: String) throws {
        let folder = try TemporaryFolder()
        let lock = try StateLock(folder: folder.path)
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder.path + "/lock"), options: [])
        #expect(throws: StateLockError.locked(pid: nil)) {
            _ = try StateLock(folder: folder.path)
        }
        try lock.recordHolder()
        #expect(throws: StateLockError.locked(pid: getpid())) {
            _ = try StateLock(folder: folder.path)
        }
    }
}
