// SPDX-License-Identifier: Apache-2.0
//
// `cairn check` as a script sees it: lines and exit codes.

import Control
import Glibc
import Testing

@Suite("the check command")
struct VolumeCheckTests {
    private let folder: TemporaryFolder
    private let state: StateFolder

    init() throws {
        folder = try TemporaryFolder()
        state = try StateFolder(folder.path("state"))
        var creation = VolumeCreation(state: state, name: .standard)
        creation.store = folder.path("store")
        creation.cache = 64 << 20
        try creation.create { _ in }
        try run("head -c 100000 /dev/urandom > big; echo hello > small")
        let copy = VolumeCopy(state: state)
        try copy.put([folder.path("big"), folder.path("small")], to: try VolumePath("home:files"))
    }

    private func run(_ script: String) throws {
        let status = try ProcessLaunch.run("sh", ["-ec", "cd \(folder.path); " + script])
        #expect(status == 0, "\(script)")
    }

    private func check(
        _ change: (inout VolumeCheck) -> Void = { _ in }
    ) throws -> (lines: [String], code: ExitCode?) {
        var lines: [String] = []
        var check = VolumeCheck(state: state)
        check.found = { lines.append($0) }
        change(&check)
        do throws(CommandFailure) {
            try check.run(nil)
            return (lines, nil)
        } catch {
            return (lines, error.code)
        }
    }

    /// Removes one chunk of `files/big`, which is not inline.
    private func loseChunk() throws {
        let report = try FileInquiry(state: state).report(on: "home:files/big")
        let address = try #require(report.chunkAddresses.first)
        try run("rm store/chunks/\(address.prefix(2))/\(address)")
    }

    @Test("a sound volume gives no line and no failure, however it is looked at")
    func sound() throws {
        #expect(try check() == ([], nil))
        #expect(try check { $0.checksStore = true } == ([], nil))
        let all = try check {
            $0.checksStore = true
            $0.readsChunks = true
            $0.repairs = true
        }
        #expect(all == ([], nil))
    }

    @Test("a lost chunk has a line with its path and a code of its own, until it is repaired")
    func repairs() throws {
        try loseChunk()
        #expect(try check() == ([], nil))
        let found = try check { $0.checksStore = true }
        #expect(found.code == .damageFound)
        #expect(
            found.lines == [
                "files/big: 1 of 3 chunks are missing on the store; “cairn check --store --repair”"
                    + " puts it back from this machine"
            ])
        let repaired = try check {
            $0.checksStore = true
            $0.repairs = true
        }
        #expect(repaired.code == nil)
        #expect(repaired.lines.count == 1)
        #expect(try check { $0.checksStore = true } == ([], nil))
    }

    @Test("what is on neither side is damage after a repair, too")
    func lost() throws {
        try loseChunk()
        try run("rm state/volumes/home/arena")
        let found = try check {
            $0.checksStore = true
            $0.repairs = true
        }
        #expect(found.code == .damageFound)
        #expect(found.lines.contains { $0.hasPrefix("files/big: 1 of 3 chunks are missing") })
    }

    @Test("a store that is away is said so, and does not hinder the local check")
    func noStore() throws {
        try run("mv store away")
        #expect(try check() == ([], nil))
        #expect(try check { $0.checksStore = true }.code == .storeUnusable)
    }

    @Test("a volume that another process uses is not looked at")
    func inUse() throws {
        let lock = try state.volume(.standard).lock()
        #expect(try check().code == .stateInUse)
        withExtendedLifetime(lock) {}
    }
}
