// SPDX-License-Identifier: Apache-2.0
//
// Foreign files under names of the volume, and the volume's own made public.

import Autonomi
import Compression
import Cryptography
import Engine
import Foundation
import Namespace
import Primitives
import SelfEncryption
import Stores
import Synchronization
import TestSupport
import Testing

@Suite("foreign files and sharing", .serialized)
struct SharingTests {
    // SEMANTICS: `cairn open` makes a file of the volume out of a foreign one, or a folder out of
    // an archive, without downloading it. It is a file like others: what is written over it is
    // stored as the volume's own. Its unchanged chunks stay those it came with, and are gone when
    // whoever keeps them lets them go.
    @Test(
        "a foreign file gets a name without its bytes, and is there on another machine",
        arguments: FormatVersion.allCases)
    func adopt(version: FormatVersion) throws {
        let network = Network()
        let bytes = pattern(20_000_000, seed: 11)
        let map = try network.add(bytes, version)
        let volume = try network.volume()
        let files = try volume.resolve("/files")
        let before = volume.engine.engineStatus().chunksFetched
        let name = Array("foreign".utf8)
        let maps = FormatVersion.allCases.compactMap { version in
            try? DataMapFile.decode(Array(DataMapFile.hexadecimal(map).utf8), version: version)
        }
        let status = try volume.engine.adopt(.maps(maps), as: name, in: files, volume.context)
        #expect(status.size == UInt64(bytes.count))
        // One chunk to tell the generation, and the three that hold the map's lower level.
        #expect(volume.engine.engineStatus().chunksFetched <= before + 4)
        #expect(throws: FileError.exists) {
            try volume.engine.adopt(.maps(maps), as: name, in: files, volume.context)
        }
        #expect(same(try volume.readFile("/files/foreign"), bytes))
        try volume.recover()
        #expect(same(try volume.readFile("/files/foreign"), bytes))
        // What is written over it is the volume's own, in the present generation.
        try volume.writeFile("/files/foreign", [1, 2, 3], at: 9_000_000)
        var changed = bytes
        changed.replaceSubrange(9_000_000..<9_000_003, with: [1, 2, 3])
        try volume.recover()
        #expect(same(try volume.readFile("/files/foreign"), changed))
    }

    @Test("a map of chunks that the store does not have makes no file")
    func adoptNothing() throws {
        let network = Network()
        let map = try SelfEncryptor.encrypt(
            pattern(5000, seed: 1), version: .v2, quality: .fast
        ).map
        let volume = try network.volume()
        let files = try volume.resolve("/files")
        #expect(throws: FileError.notFound) {
            try volume.engine.adopt(.maps([map]), as: Array("x".utf8), in: files, volume.context)
        }
        #expect(throws: FileError.notFound) { try volume.resolve("/files/x") }
    }

    // SEMANTICS: `cairn share` makes a file, or the regular files of a folder as an archive,
    // readable for whoever has the address, for ever. Links, empty folders, and files of fewer than
    // three bytes are left out, and counted.
    @Test("what one volume shares, another opens, whatever form it had")
    func share() throws {
        let network = Network()
        let volume = try network.volume()
        let large = pattern(9_000_000, seed: 12)
        try volume.writeFile("/files/small", pattern(700, seed: 13))
        try volume.writeFile("/files/large", large)
        let other = try network.volume()
        for (name, bytes) in [("small", pattern(700, seed: 13)), ("large", large)] {
            let ino = try volume.resolve("/files/" + name)
            // Once dirty, once after all is stored: the address is the same.
            let first = try volume.engine.share(ino, name: Array(name.utf8), volume.context)
            try volume.publish()
            let second = try volume.engine.share(ino, name: Array(name.utf8), volume.context)
            #expect(first == second && first.fileCount == 1)
            #expect(network.store.change { $0.unsynced.isEmpty })
            #expect(same(try other.readFile("/public/" + first.address.text), bytes))
        }
        try volume.writeFile("/files/tiny", [1, 2])
        let tiny = try volume.resolve("/files/tiny")
        #expect(throws: SharingError.tooSmall) {
            try volume.engine.share(tiny, name: Array("tiny".utf8), volume.context)
        }
    }

    // SEMANTICS: `cairn open` makes a file of the volume out of a foreign one, or a folder out of
    // an archive, without downloading it. It is a file like others: what is written over it is
    // stored as the volume's own. Its unchanged chunks stay those it came with, and are gone when
    // whoever keeps them lets them go.
    // SEMANTICS: `cairn share` makes a file, or the regular files of a folder as an archive,
    // readable for whoever has the address, for ever. Links, empty folders, and files of fewer than
    // three bytes are left out, and counted.
    @Test("a directory is shared as an archive, which opens as a tree and as files")
    func shareDirectory() throws {
        let network = Network()
        let volume = try network.volume()
        let context = volume.context
        let files = try volume.resolve("/files")
        let top = try volume.engine.makeDirectory(
            Array("top".utf8), in: files, mode: 0o755, context)
        _ = try volume.engine.makeDirectory(Array("in".utf8), in: top.ino, mode: 0o755, context)
        _ = try volume.engine.makeSymlink(
            Array("link".utf8), in: top.ino, target: Array("x".utf8), context)
        let (first, second) = (pattern(600, seed: 14), pattern(6_000_000, seed: 15))
        try volume.writeFile("/files/top/a", first)
        try volume.writeFile("/files/top/in/b", second)
        try volume.writeFile("/files/top/empty", [])
        let shared = try volume.engine.share(top.ino, name: Array("top".utf8), context)
        #expect(shared.fileCount == 2 && shared.skippedCount == 2)
        let other = try network.volume()
        let root = "/public/" + shared.address.text
        #expect(same(try other.readFile(root + "/top/a"), first))
        #expect(same(try other.readFile(root + "/top/in/b"), second))
        let theirs = try other.resolve("/files")
        _ = try other.engine.adopt(
            .address(shared.address), as: Array("copy".utf8), in: theirs, other.context)
        try other.recover()
        #expect(same(try other.readFile("/files/copy/top/a"), first))
        #expect(same(try other.readFile("/files/copy/top/in/b"), second))
    }

    // SEMANTICS: A file that changes while it is shared is refused.
    @Test("a file that changes while it is shared is refused, and shared as it is then")
    func changesMeanwhile() throws {
        let store = TestStore()
        let volume = try TestVolume(on: store) { $0.flushDelay = .seconds(600) }
        try volume.writeFile("/files/a", pattern(13_000_000, seed: 17))
        let ino = try volume.resolve("/files/a")
        let context = volume.context
        let engine = volume.engine
        let outcome = Lock<Result<SharedTree, SharingError>?>(nil)
        store.hang(true)
        defer { store.heal() }
        Thread.detachNewThread {
            let result = Result { () throws(SharingError) in
                try engine.share(ino, name: Array("a".utf8), context)
            }
            outcome.withLock { $0 = result }
        }
        // It waits with its first chunk: every digest is taken, and not every byte read again.
        #expect(eventually(within: .seconds(60)) { store.waiting.load(ordering: .relaxed) > 0 })
        try volume.writeFile("/files/a", [1, 2, 3], at: 12_999_990)
        store.hang(false)
        #expect(eventually(within: .seconds(60)) { outcome.withLock { $0 != nil } })
        guard case .failure(.file(.busy))? = outcome.withLock({ $0 }) else {
            Issue.record("\(String(describing: outcome.withLock { $0 }))")
            return
        }
        let shared = try engine.share(ino, name: Array("a".utf8), context)
        let bytes = try volume.readFile("/files/a")
        let other = try TestVolume(on: store)
        #expect(same(try other.readFile("/public/" + shared.address.text), bytes))
    }

    @Test("a store that refuses leaves no address behind")
    func refused() throws {
        let network = Network()
        let volume = try network.volume()
        try volume.writeFile("/files/a", pattern(700, seed: 16))
        let ino = try volume.resolve("/files/a")
        network.store.refuseWrites(.paymentRequired)
        #expect(throws: SharingError.file(.quotaExceeded)) {
            try volume.engine.share(ino, name: Array("a".utf8), volume.context)
        }
        network.store.heal()
    }
}
