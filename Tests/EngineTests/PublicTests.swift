// SPDX-License-Identifier: Apache-2.0
//
// What is public on the store: files and archives by address, foreign files under names of the
// volume, and the volume's own made public.

import Autonomi
import Compression
import Cryptography
import Glibc
import Namespace
import Primitives
import SelfEncryption
import Stores
import TestSupport
import Testing

@testable import Engine

@Suite("public data", .serialized)
struct PublicTests {
    private static let absent = String(repeating: "0a", count: 32)

    private func errors(_ volume: TestVolume) throws -> String {
        String(decoding: try volume.readFile("/.cairn/errors"), as: UTF8.self)
    }

    // SEMANTICS: `user.cairn.address`, `.datamap` and `.chunks` are listed there.
    @Test(
        "a public file of either generation is read by its address",
        arguments: FormatVersion.allCases, [3, 5000, 20_000_000])
    func file(version: FormatVersion, size: Int) throws {
        let network = Network()
        let bytes = pattern(size, seed: 1)
        let address = try network.share(bytes, version)
        let volume = try network.volume()
        let path = "/public/" + address.text
        let status = try volume.status(path)
        #expect(status.size == UInt64(size) && status.kind == .regular)
        #expect(status.attributes.mode == 0o444)
        #expect(same(try volume.readFile(path), bytes))
        let ino = try volume.resolve(path)
        let name = Array("user.cairn.address".utf8)
        let value = try volume.engine.extendedAttribute(name, of: ino, volume.context)
        #expect(value == Array(address.text.utf8))
        let names = try volume.engine.extendedAttributeNames(of: ino, volume.context)
        #expect(
            Set(names).isSuperset(
                of: ["address", "datamap", "chunks"].map { Array("user.cairn.\($0)".utf8) }))
    }

    @Test("a public file with chunks of another size than ours is read")
    func otherChunkSize() throws {
        let network = Network()
        let bytes = pattern(3_300_000, seed: 2)
        let address = try network.share(bytes, .v1, chunkSize: 1 << 20)
        #expect(same(try network.volume().readFile("/public/" + address.text), bytes))
    }

    @Test("a map in the older clients' form is read, with the map below it")
    func oldMaps() throws {
        let network = Network()
        let bytes = pattern(5_000_000, seed: 3)
        let full = DataMap(
            version: .v1,
            chunks: try network.add(bytes, .v1, chunkSize: 1 << 20).chunks)
        // The file's map has a child; what is shared is the same as clients of that time did.
        let inner = try SelfEncryptor.encrypt(
            bytes, version: .v1, quality: .fast, maximumChunkSize: 1 << 20)
        let whole = try unpack(inner.map) { digest in
            network.store.change { $0.chunks[digest] }
        }
        #expect(full.chunks.count == 3 && whole.chunks.count == 5)
        func level(_ name: String, _ map: DataMap) -> [UInt8] {
            var writer = MessagePack.Writer()
            writer.map(count: 1)
            writer.string(name)
            let body = map.encodedMessagePack().dropFirst(2)
            return writer.bytes + (map.child == nil ? body.dropLast() : body.dropLast())
        }
        let first = level("First", whole)
        let additional = try network.add(first, .v1)
        let chunk = level("Additional", additional)
        let address = Digests.of(chunk, algorithm: .sha3)
        network.add(EncryptedChunk(address: address, bytes: chunk))
        let volume = try network.volume()
        #expect(same(try volume.readFile("/public/" + address.hex), bytes))
    }

    // SEMANTICS: A read fetches the chunks it needs; up to 16 MiB more are fetched ahead of who
    // reads on.
    // SEMANTICS: What was read is kept in memory, not in the cache on the disk.
    // SEMANTICS: A file of more than 64 MiB is never taken for an archive.
    @Test("a cold read of 4 KiB of a large file fetches its map and one chunk of it")
    func coldRead() throws {
        let network = Network()
        let bytes = pattern(80_000_000, seed: 4)
        let address = try network.share(bytes, .v2)
        let volume = try network.volume()
        let start = volume.engine.engineStatus()
        let ino = try volume.resolve("/public/" + address.text)
        let before = volume.engine.engineStatus().chunksFetched
        // The map and its lower level: to see whether it is an archive takes the whole file.
        #expect(before - start.chunksFetched <= 4)
        let file = try volume.engine.open(
            ino, OpenIntent(reads: true, writes: false), volume.context)
        defer { volume.engine.release(file.handle, ino: ino) }
        #expect(file.keepsCache)
        func read(at offset: UInt64) throws -> [UInt8] {
            var out = [UInt8](repeating: 0, count: 4096)
            var span = out.mutableSpan
            let count = try volume.engine.read(
                file.handle, ino: ino, at: offset, into: &span, volume.context)
            return Array(out[..<count])
        }
        #expect(same(try read(at: 50_000_000), Array(bytes[50_000_000..<50_004_096])))
        #expect(volume.engine.engineStatus().chunksFetched == before + 1)
        // Whoever reads on gets the next ahead, and no more than is of use so far.
        for offset in stride(from: 50_004_096, to: 50_200_000, by: 4096) {
            #expect(same(try read(at: UInt64(offset)), Array(bytes[offset..<offset + 4096])))
        }
        #expect(eventually { volume.engine.engineStatus().chunksFetched == before + 2 })
        #expect(try read(at: 80_000_000).isEmpty)
        // What memory has is not asked for again, and the cache on the disk has none of it.
        #expect(same(try read(at: 50_000_000), Array(bytes[50_000_000..<50_004_096])))
        #expect(volume.engine.engineStatus().chunksFetched == before + 2)
        #expect(volume.engine.engineStatus().cacheUsed == start.cacheUsed)
    }

    // SEMANTICS: An address that nothing lies at is ENOENT; one mistyped, or of a chunk that is no
    // data map, is EINVAL; a map or archive that is damaged, hostile or incomplete is EIO; an
    // archive of more than 262 144 files is EFBIG. `.cairn/errors` has the sentence.
    @Test("names that are no address are not there, and mistyped addresses are invalid")
    func names() throws {
        let volume = try Network().volume()
        let wrong: [(String, FileError)] = [
            (".git", .notFound), ("index.html", .notFound), ("abc", .notFound),
            (Self.absent.uppercased(), .invalid), (String(Self.absent.dropLast()), .invalid),
            (Self.absent + "0", .invalid), (Self.absent, .notFound),
        ]
        for (name, error) in wrong {
            #expect(throws: error, "\(name)") { try volume.resolve("/public/" + name) }
        }
        #expect(try errors(volume).contains("nothing at a public address: \(Self.absent)"))
    }

    // SEMANTICS: An address that nothing lies at is ENOENT; one mistyped, or of a chunk that is no
    // data map, is EINVAL; a map or archive that is damaged, hostile or incomplete is EIO; an
    // archive of more than 262 144 files is EFBIG. `.cairn/errors` has the sentence.
    // SEMANTICS: Every byte was verified before it is read.
    @Test("a chunk that is no data map, and a map that lies or lacks chunks, are refused")
    func damaged() throws {
        let network = Network()
        let noMap = network.raw(Array("hello".utf8))
        let bytes = pattern(100_000, seed: 5)
        let map = try network.add(bytes, .v2)
        let lying = DataMap(
            version: .v2,
            chunks: map.chunks.enumerated().map { index, chunk in
                ChunkDescriptor(
                    index: chunk.index, address: chunk.address, source: chunk.source,
                    size: index == 2 ? chunk.size + 7 : chunk.size)
            })
        network.add(lying.publicChunk())
        let missing = try network.add(pattern(90_000, seed: 6), .v2)
        network.add(missing.publicChunk())
        let deep = DataMap(version: .v2, chunks: map.chunks, child: 1)
        network.add(deep.publicChunk())
        let turned = try network.share(pattern(70_000, seed: 7), .v2)
        let chunk = try network.add(pattern(70_000, seed: 7), .v2).chunks[1].address
        network.store.change { $0.chunks[missing.chunks[1].address] = nil }
        network.store.change { $0.chunkFaults[chunk] = .flipped }
        let volume = try network.volume()
        #expect(throws: FileError.invalid) { try volume.resolve("/public/" + noMap.text) }
        #expect(try errors(volume).contains("is no data map"))
        for address in [lying, missing].map({ $0.publicChunk().address.hex }) + [turned.text] {
            let path = "/public/" + address
            #expect(throws: FileError.inputOutput) { try volume.readFile(path) }
        }
        #expect(throws: FileError.inputOutput) {
            try volume.resolve("/public/" + deep.publicChunk().address.hex)
        }
    }

    @Test("a map that lies about another map's chunks gets nothing of what that one fetched")
    func borrowedChunks() throws {
        let network = Network()
        let bytes = pattern(30_000, seed: 21)
        let map = try network.add(bytes, .v2)
        func share(_ chunks: [ChunkDescriptor]) -> PublicAddress {
            let chunk = DataMap(version: .v2, chunks: chunks).publicChunk()
            network.add(chunk)
            return PublicAddress(chunk.address)
        }
        func lie(_ change: (ChunkDescriptor) -> (Digest, UInt64)) -> PublicAddress {
            share(
                map.chunks.map { chunk in
                    let (source, size) = change(chunk)
                    return ChunkDescriptor(
                        index: chunk.index, address: chunk.address, source: source, size: size)
                })
        }
        let honest = share(map.chunks)
        let lies = [
            lie { ($0.source, $0.size * 2) }, lie { ($0.source, $0.size / 2) },
            lie { (Digests.of($0.source.bytes), $0.size) },
        ]
        let volume = try network.volume()
        for address in lies {
            #expect(same(try volume.readFile("/public/" + honest.text), bytes))
            #expect(throws: FileError.inputOutput) {
                try volume.readFile("/public/" + address.text)
            }
        }
        #expect(same(try volume.readFile("/public/" + honest.text), bytes))
    }

    @Test("an archive is a tree with the times in it", arguments: FormatVersion.allCases)
    func archive(version: FormatVersion) throws {
        let network = Network()
        let files = [
            ("site/index.html", pattern(300, seed: 7)), ("site/a/b/deep", pattern(70_000, seed: 8)),
            ("site/a.txt", pattern(3, seed: 9)),
        ]
        let address = try network.archive(files, version)
        let volume = try network.volume()
        let root = "/public/" + address.text
        #expect(try volume.status(root).kind == .directory)
        for (path, bytes) in files {
            let status = try volume.status(root + "/" + path)
            #expect(status.attributes.modified.seconds == 1_700_000_000)
            #expect(same(try volume.readFile(root + "/" + path), bytes))
        }
        func list(_ path: String) throws -> [String] {
            let ino = try volume.resolve(path)
            let handle = try volume.engine.openDirectory(ino, volume.context).handle
            defer { volume.engine.releaseDirectory(handle) }
            var names: [String] = []
            try volume.engine.readDirectory(
                handle, ino: ino, from: 0, withStatus: true, volume.context
            ) { entry in
                names.append(String(decoding: entry.name, as: UTF8.self))
                return true
            }
            return names
        }
        #expect(try list(root) == [".", "..", "site"])
        #expect(try list(root + "/site") == [".", "..", "a", "a.txt", "index.html"])
        #expect(try list("/public") == [".", "..", address.text])
        #expect(try list("/").contains("public"))
        #expect(throws: FileError.notFound) { try volume.resolve(root + "/site/none") }
        #expect(throws: FileError.notDirectory) { try volume.resolve(root + "/site/a.txt/x") }
    }

    // SEMANTICS: An address that nothing lies at is ENOENT; one mistyped, or of a chunk that is no
    // data map, is EINVAL; a map or archive that is damaged, hostile or incomplete is EIO; an
    // archive of more than 262 144 files is EFBIG. `.cairn/errors` has the sentence.
    // SEMANTICS: A file in an archive whose data map speaks of another size than the archive is EIO
    // when it is opened.
    @Test("a hostile archive, and one that lies about a size, are refused")
    func hostileArchive() throws {
        let network = Network()
        var writer = MessagePack.Writer()
        writer.map(count: 1)
        writer.string("V0")
        writer.map(count: 1)
        writer.string("map")
        writer.map(count: 1)
        writer.string("../../etc/passwd")
        writer.array(count: 2)
        writer.array(count: 32)
        for byte in 0..<32 { writer.uint(UInt64(byte)) }
        writer.map(count: 0)
        let leaving = try network.share(writer.bytes, .v2)
        let many = try network.share(
            Array(writer.bytes[..<9]) + [0xDF, 0x00, 0x98, 0x96, 0x80] + writer.bytes, .v2)
        let lying = try network.archive([("a", pattern(50, seed: 1))], .v2, lie: 1)
        let volume = try network.volume()
        #expect(throws: FileError.inputOutput) { try volume.resolve("/public/" + leaving.text) }
        #expect(try errors(volume).contains("has a path that leaves the archive"))
        #expect(throws: FileError.tooLarge) { try volume.resolve("/public/" + many.text) }
        #expect(throws: FileError.inputOutput) {
            try volume.readFile("/public/\(lying.text)/a")
        }
    }

    // SEMANTICS: Everything in `public/` is read-only and owned by who mounts.
    @Test("nothing below public can be changed")
    func readOnly() throws {
        let network = Network()
        let address = try network.share(pattern(5000, seed: 1), .v2)
        let volume = try network.volume()
        let path = "/public/" + address.text
        let ino = try volume.resolve(path)
        let (parent, name) = try volume.split(path)
        let attributes = try volume.status(path).attributes
        #expect(attributes.uid == getuid() && attributes.gid == getgid())
        #expect(throws: FileError.accessDenied) {
            try volume.engine.open(ino, OpenIntent(reads: true, writes: true), volume.context)
        }
        #expect(throws: FileError.notPermitted) { try volume.writeFile("/public/new", [1]) }
        #expect(throws: FileError.notPermitted) {
            try volume.engine.unlink(name, in: parent, volume.context)
        }
        var change = AttributeChange()
        change.size = 0
        #expect(throws: FileError.notPermitted) {
            try volume.engine.setAttributes(of: ino, change, volume.context)
        }
        #expect(throws: FileError.notPermitted) {
            try volume.engine.setExtendedAttribute(
                Array("user.x".utf8), of: ino, to: [1], .any, volume.context)
        }
    }

    // SEMANTICS: `ls` shows what was opened since the mount, at most 4096 addresses and 1 048 576
    // files and folders of archives; older ones give ESTALE where they are still open, and come
    // back when asked for.
    // SEMANTICS: ESTALE: an inode that is gone, such as an address in `public/` that others have
    // pushed out
    @Test("the oldest of 4097 addresses is stale, not listed, and comes back when asked for")
    func oldest() throws {
        #expect(PublicTree.addressLimit == 4096 && PublicTree.nodeLimit == 1_048_576)
        let network = Network()
        let volume = try network.volume()
        #expect(try volume.list("/public").isEmpty)
        let first = try network.share(pattern(16, seed: 0), .v2)
        let ino = try volume.resolve("/public/" + first.text)
        for number in 1..<PublicTree.addressLimit {
            let address = try network.share(pattern(16, seed: UInt64(number)), .v2)
            _ = try volume.resolve("/public/" + address.text)
        }
        #expect(try volume.engine.status(of: ino, volume.context).size == 16)
        let last = try network.share(pattern(17, seed: 0), .v2)
        _ = try volume.resolve("/public/" + last.text)
        let listed = try volume.list("/public")
        #expect(listed.count == 4096 && listed.contains(last.text))
        #expect(!listed.contains(first.text))
        #expect(throws: FileError.stale) {
            try volume.engine.open(ino, OpenIntent(reads: true, writes: false), volume.context)
        }
        #expect(try volume.readFile("/public/" + first.text) == pattern(16, seed: 0))
    }

    @Test("without patience a look at an address asks for it, and nothing is fetched")
    func patience() throws {
        let network = Network()
        let address = try network.share(pattern(5000, seed: 1), .v2)
        let volume = try network.volume()
        let hasty = RequestContext(user: 0, group: 0)
        let parent = try volume.resolve("/public")
        #expect(throws: FileError.wouldBlock) {
            try volume.engine.lookup(Array(address.text.utf8), in: parent, hasty)
        }
    }
}
