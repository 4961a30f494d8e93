// SPDX-License-Identifier: Apache-2.0
//
// Damage of each kind on the store, made, found with its path, and put back where this machine has
// what was lost.

import Check
import Engine
import Foundation
import Metadata
import Namespace
import Primitives
import Scratchpads
import SelfEncryption
import Stores
import TestSupport
import Testing

extension CheckedVolume {
    /// A reference to a page that a setting holds.
    func reference(_ setting: String) throws -> PageReference {
        let value = try rows { (reader) throws(MetadataError) in try reader.value(setting) }
        let address = try #require(value.flatMap { Digest(Array($0.prefix(32))) })
        return PageReference(address: address, key: Array(value?.suffix(32) ?? []))
    }

    /// The file of the root page of a directory.
    func pageFile(_ directory: String) throws -> String {
        let ino = try row(directory).ino
        let page = try rows { (reader) throws(MetadataError) in try reader.pageOf(ino) }
        return file(of: try #require(page).address)
    }

    var rootFile: String { file(of: keys.rootPad.address) }

    func padFile(_ path: String) throws -> String {
        let ino = try row(path).ino
        let pad = try rows { (reader) throws(MetadataError) in try reader.pad(ino) }
        return file(of: try #require(pad).address)
    }

    /// The files of the chunks that a path's packed map names itself.
    func chunkFiles(_ path: String) throws -> [String] {
        try content(path).segments.flatMap { $0.map.chunks }.map { file(of: $0.address) }
    }

    /// Every file of the store's chunks and pads.
    func storeFiles() throws -> [String] {
        try ["/chunks", "/pads"].flatMap { folder in
            try FileManager.default.subpathsOfDirectory(atPath: store + folder)
                .map { store + folder + "/" + $0 }
                .filter {
                    let type = try FileManager.default.attributesOfItem(atPath: $0)[.type]
                    return type as? FileAttributeType == .typeRegular
                }
        }.sorted()
    }

    /// Removes a file of the store, or turns a bit of it.
    func harm(_ file: String, by harm: Harm) throws {
        if harm == .removal { try remove(file) } else { try flip(file) }
    }

    enum Harm: CaseIterable, Sendable { case removal, flip }
}

extension Damage {
    private static func both(
        _ description: String, _ isFound: @escaping @Sendable (Problem, Loss) -> Bool,
        at place: Finding.Place, _ file: @escaping @Sendable (CheckedVolume) throws -> String
    ) -> [Damage] {
        CheckedVolume.Harm.allCases.map { harm in
            let loss = harm == .removal ? Loss.missing : .damaged
            return Damage(
                "\(description), \(harm == .removal ? "lost" : "damaged")", { isFound($0, loss) }
            ) { volume in
                try volume.harm(try file(volume), by: harm)
                return place
            }
        }
    }

    /// What a quick look finds, and this machine can put back.
    static let store: [Damage] =
        both("the page of files", { $0 == .page($1, entryCount: 5) }, at: path("files")) {
            try $0.pageFile("files")
        }
        + both("the page of a folder", { $0 == .page($1, entryCount: 4) }, at: path("files/dir")) {
            try $0.pageFile("files/dir")
        }
        + both(
            "the page of scratchpads", { $0 == .page($1, entryCount: 1) }, at: path("scratchpads")
        ) { try $0.pageFile("scratchpads") }
        + both(
            "the hard-link table",
            { if case .page($1, _) = $0 { true } else { false } },
            at: path("(the hard-link table)")
        ) { $0.file(of: try $0.reference("hard-links").address) }
        + both(
            "the log of revisions", { $0 == .revisionLog($1, isNewest: true) }, at: .volume
        ) { $0.file(of: try $0.reference("revision-log").address) }
        + both("a pad", { $0 == .pad($1) }, at: path("scratchpads/note")) {
            try $0.padFile("scratchpads/note")
        }
        + both("a data map", { $0 == .dataMap($1) }, at: path("files/dir/huge.bin")) {
            try $0.chunkFiles("files/dir/huge.bin")[1]
        }
        + [
            Damage("a chunk, lost", { $0 == .chunks(missing: 1, damaged: 0, total: 3) }) {
                try $0.remove(try $0.chunkFiles("files/big.bin")[1])
                return path("files/big.bin")
            },
            Damage("all chunks, lost", { $0 == .chunks(missing: 3, damaged: 0, total: 3) }) {
                for file in try $0.chunkFiles("files/big.bin") { try $0.remove(file) }
                return path("files/big.bin")
            },
            Damage(
                "a chunk of a file of two names, lost",
                { $0 == .chunks(missing: 1, damaged: 0, total: 3) }
            ) {
                try $0.remove(try $0.chunkFiles("files/dir/first")[0])
                return path("files/dir/deep/second")
            },
            Damage("the root pad, lost", { $0 == .rootMissing }) {
                try $0.remove($0.rootFile)
                return .volume
            },
            Damage(
                "the root pad, damaged", { if case .rootDamaged = $0 { true } else { false } }
            ) {
                try $0.flip($0.rootFile)
                return .volume
            },
            Damage("the root pad, older", { $0 == .rollback(offered: 3, known: 12) }) { volume in
                try volume.rows { (writer) throws(MetadataError) in
                    try writer.setInteger("revision", 12)
                }
                return .volume
            },
        ]

    /// What only fetching every chunk finds.
    static let read: [Damage] = [
        Damage(
            "wrong bytes under a right name", { $0 == .chunks(missing: 0, damaged: 1, total: 3) }
        ) {
            try $0.flip(try $0.chunkFiles("files/big.bin")[2])
            return path("files/big.bin")
        },
        Damage(
            "another chunk's bytes under a name",
            { $0 == .chunks(missing: 0, damaged: 1, total: 3) }
        ) { volume in
            let files = try volume.chunkFiles("files/big.bin")
            try volume.remove(files[0])
            try FileManager.default.copyItem(atPath: files[1], toPath: files[0])
            return path("files/big.bin")
        },
        Damage("an empty chunk", { $0 == .chunks(missing: 0, damaged: 1, total: 3) }) { volume in
            try Data([0]).write(
                to: URL(fileURLWithPath: try volume.chunkFiles("files/big.bin")[0]))
            return path("files/big.bin")
        },
    ]
}

@Suite("check of the store")
struct StoreCheckTests {
    @Test("a sound store gives no line, quick or thorough, mounted or not")
    func sound() throws {
        let volume = try CheckedVolume()
        #expect(try volume.check(store: true).map(\.line) == [])
        #expect(try volume.check(store: true, reads: true).map(\.line) == [])
        #expect(try volume.check(store: true, reads: true, mounted: true).map(\.line) == [])
        #expect(try volume.check(store: true, repairs: true).map(\.line) == [])
    }

    // SEMANTICS: `cairn check --store` finds every page, data map, pad and chunk that the published
    // revision needs and the store does not have; damaged pages, maps and pads too, and damaged
    // chunks with `--read`. It works on a mounted volume.
    @Test("damage is found, its path named, and said to be repairable", arguments: Damage.store)
    func found(_ damage: Damage) throws {
        let volume = try CheckedVolume()
        let place = try damage.make(volume)
        let found = try volume.check(store: true)
        let finding = found.first { $0.place == place && damage.isFound($0.problem) }
        #expect(finding?.remedy == .repairable, "\(found.map(\.line))")
        #expect(try volume.wrongAfterRecoveryOrAll() != [] || place == .volume)
    }

    // SEMANTICS: Older revisions are not checked.
    @Test("what only an older revision needs may be gone")
    func olderRevision() throws {
        let volume = try CheckedVolume()
        let old = try volume.chunkFiles("files/big.bin")
        try volume.running { engine in
            let context = RequestContext(
                user: 0, group: 0, patience: Patience(for: .seconds(60)))
            let files = try engine.resolve(Array("/files".utf8), context)
            try engine.unlink(Array("big.bin".utf8), in: files, context)
            try volume.publish(engine)
        }
        for file in old { try volume.remove(file) }
        #expect(!old.isEmpty)
        #expect(try volume.check(store: true, reads: true).map(\.line) == [])
    }

    @Test("wrong bytes are found by reading, and by nothing less", arguments: Damage.read)
    func foundByReading(_ damage: Damage) throws {
        let volume = try CheckedVolume()
        let place = try damage.make(volume)
        #expect(try volume.check(store: true) == [])
        let found = try volume.check(store: true, reads: true)
        #expect(
            found.contains { $0.place == place && damage.isFound($0.problem) },
            "\(found.map(\.line))")
    }

    // SEMANTICS: `--repair` puts back what the store lost and this machine still has: chunks of
    // cached files under the address they had, folders, pads and the root with a new revision. It
    // forgets cached copies that are damaged. Nothing else is changed.
    @Test(
        "a repair makes the store whole, for a machine that has nothing but the secret",
        arguments: Damage.store + Damage.read)
    func repairs(_ damage: Damage) throws {
        let volume = try CheckedVolume()
        let place = try damage.make(volume)
        let mended = try volume.check(store: true, reads: true, repairs: true)
        #expect(
            mended.contains { $0.place == place && damage.isFound($0.problem) },
            "\(mended.map(\.line))")
        #expect(mended.allSatisfy { $0.remedy == .repaired }, "\(mended.map(\.line))")
        #expect(try volume.check(store: true, reads: true).map(\.line) == [])
        #expect(try volume.wrongAfterRecovery() == [])
    }

    // SEMANTICS: It does not put back a folder that this machine never looked into, a chunk whose
    // bytes are not in the cache, older history, or rows that contradict each other: `cairn
    // recover` gets what was published.
    @Test("what neither side has is said to be lost, and stays so", arguments: Damage.store)
    func lost(_ damage: Damage) throws {
        let damaged = try CheckedVolume()
        let place = try damage.make(damaged)
        // A machine that has seen nothing but the root when the store lost it.
        let fresh = try CheckedVolume(isFresh: true)
        for folder in ["/chunks", "/pads"] {
            try fresh.remove(fresh.store + folder)
            try FileManager.default.copyItem(
                atPath: damaged.store + folder, toPath: fresh.store + folder)
        }
        let found = try fresh.check(store: true, repairs: true)
        guard place != .volume else {
            return #expect(found.allSatisfy { $0.remedy.isDone }, "\(found.map(\.line))")
        }
        #expect(
            found.contains {
                $0.place == place && damage.isFound($0.problem) && $0.remedy == .lost
            }, "\(found.map(\.line))")
    }

    @Test("without a state of this machine, what the store lost is lost")
    func noState() throws {
        let volume = try CheckedVolume()
        let page = try volume.pageFile("files/dir")
        try volume.remove(page)
        try volume.remove(try volume.padFile("scratchpads/note"))
        for file in try FileManager.default.contentsOfDirectory(atPath: volume.state) {
            try volume.remove(volume.state + "/" + file)
        }
        let found = try volume.check(store: true, repairs: true)
        #expect(found.first?.problem == .unreadableRows("the file is gone"))
        #expect(
            found.dropFirst().map { $0.place } == [path("files/dir"), path("scratchpads/note")])
        #expect(found.dropFirst().allSatisfy { $0.remedy == .lost }, "\(found.map(\.line))")
    }

    @Test("of a mounted volume the store alone is checked, and nothing is said to be lost")
    func mounted() throws {
        let volume = try CheckedVolume()
        try volume.remove(try volume.chunkFiles("files/big.bin")[0])
        try volume.remove(try volume.pageFile("files/dir"))
        let found = try volume.check(store: true, mounted: true)
        #expect(Set(found.map { $0.place }) == [path("files/big.bin"), path("files/dir")])
        #expect(found.allSatisfy { $0.remedy == .unmounted })
    }

    @Test("a root that another machine published is never replaced")
    func elsewhere() throws {
        let volume = try CheckedVolume()
        try volume.remove(try volume.pageFile("files/dir"))
        try volume.rows { (writer) throws(MetadataError) in try writer.setInteger("revision", 1) }
        let before = try Data(contentsOf: URL(fileURLWithPath: volume.rootFile))
        let found = try volume.check(store: true, repairs: true)
        #expect(found.map { $0.remedy } == [.elsewhere])
        #expect(try Data(contentsOf: URL(fileURLWithPath: volume.rootFile)) == before)
    }

    @Test("bytes that were changed since never take the place of what was published")
    func changedSince() throws {
        let volume = try CheckedVolume()
        let chunk = try volume.chunkFiles("files/big.bin")[1]
        let wanted = try Data(contentsOf: URL(fileURLWithPath: chunk))
        try volume.remove(chunk)
        // The cached copy of the middle is another file's now, soundly sealed.
        let other = try volume.block(of: "files/unsent.bin").0
        let ino = try volume.row("files/big.bin").ino
        try volume.rows { (writer) throws(MetadataError) in
            guard let map = try writer.blockGroup(ino, 0), var group = BlockGroup(decoding: map)
            else { throw .corrupt("no blocks") }
            group[8] = .dirty(other)
            try writer.setBlockGroup(ino, 0, group.encoded())
        }
        let found = try volume.check(store: true, repairs: true)
        #expect(found.contains { $0.place == path("files/big.bin") && $0.remedy == .lost })
        if FileManager.default.fileExists(atPath: chunk) {
            #expect(try Data(contentsOf: URL(fileURLWithPath: chunk)) == wanted)
        }
    }

    @Test("a store that does not answer is no damage", arguments: [true, false])
    func unreachable(isMounted: Bool) throws {
        let volume = try CheckedVolume()
        let target = CheckTarget(
            keys: volume.keys, stateFolder: volume.state, cacheBudget: CheckedVolume.cacheBudget)
        let stores = CheckStores(chunks: DeadStore(), pads: DeadStore())
        var options = StoreCheckOptions()
        options.usesLocalState = !isMounted
        #expect(throws: CheckError.store(.unreachable(retryAfter: nil))) {
            _ = try StoreCheck(
                target, stores, options,
                report: CheckReport(found: { Issue.record("\($0.line)") })
            ).run()
        }
    }

    @Test("any losses are found, and put back", arguments: 1...6)
    func anyLoss(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let volume = try CheckedVolume()
        let files = try volume.storeFiles()
        var harmed: [String] = []
        for _ in 0...dice.below(4) {
            let file = files[dice.below(files.count)]
            guard FileManager.default.fileExists(atPath: file) else { continue }
            let harm = dice.chance(50) ? CheckedVolume.Harm.removal : .flip
            try volume.harm(file, by: harm)
            harmed.append("\(harm) \(file.suffix(20))")
        }
        let found = try volume.check(store: true, reads: true)
        let wrong = try volume.wrongAfterRecoveryOrAll()
        #expect(wrong.isEmpty || !found.isEmpty, "seed \(seed), \(harmed): \(wrong)")
        _ = try volume.check(store: true, reads: true, repairs: true)
        let left = try volume.check(store: true, reads: true).map(\.line)
        #expect(left == [], "seed \(seed), \(harmed): \(left)")
        #expect(try volume.wrongAfterRecovery() == [], "seed \(seed), \(harmed)")
    }
}

extension CheckedVolume {
    /// As `wrongAfterRecovery`; everything when nothing can be recovered.
    func wrongAfterRecoveryOrAll() throws -> [String] {
        do {
            return try wrongAfterRecovery()
        } catch is EngineStartError {
            // Without a root nothing is to be had.
            return Self.contents.keys.sorted()
        }
    }
}

/// A store on a machine that is off.
private struct DeadStore: ChunkStore, PadStore {
    func put(_ digest: Digest, _ bytes: [UInt8]) throws(StoreError) {
        throw .unreachable(retryAfter: nil)
    }
    func get(_ digest: Digest) throws(StoreError) -> [UInt8] {
        throw .unreachable(retryAfter: nil)
    }
    func has(_ digests: [Digest]) throws(StoreError) -> Set<Digest> {
        throw .unreachable(retryAfter: nil)
    }
    func sync() throws(StoreError) { throw .unreachable(retryAfter: nil) }
    func get(_ address: PadAddress) throws(StoreError) -> PadRecord? {
        throw .unreachable(retryAfter: nil)
    }
    func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome {
        throw .unreachable(retryAfter: nil)
    }
}
