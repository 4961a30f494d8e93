// SPDX-License-Identifier: Apache-2.0
//
// Key files: the seed comes back with the right passphrase only, and no byte may be wrong.

import Control
import Cryptography
import Primitives
import Testing

struct KeyFileTests {
    /// As cheap as a key file may be.
    private static let cheap = KeyFile.Cost(passes: 1, memory: 8192)
    private static let seed = SecretBytes([UInt8](0..<32))

    private static func secret(_ text: String) -> SecretBytes { SecretBytes(Array(text.utf8)) }

    @Test("a plain file gives its seed back")
    func plain() throws {
        let file = try KeyFile(decoding: KeyFile(seed: Self.seed).encoded())
        #expect(!file.isSealed)
        #expect(try file.seed(passphrase: nil) == Self.seed)
    }

    @Test("a plain file's bytes are as docs/format.md has them")
    func plainVector() {
        let bytes = KeyFile(seed: Self.seed).encoded()
        #expect(bytes.count == 74)
        #expect(
            Hex.encode(Array(bytes[..<42])) == "636169726e6b657901" + "00"
                + Hex.encode([UInt8](0..<32)))
        #expect(Array(bytes[42...]) == Blake3.hash(Array(bytes[..<42])).bytes)
    }

    /// Sealed once; to be opened for ever.
    private static let sealedVector =
        "636169726e6b65790101404142434445464748494a4b4c4d4e4f0100000000000000002000000000"
        + "0000808182838485868788898a8b8c8d8e8f9091929394959697341f559f26cb10f9660841d4a691"
        + "ca888fdcfc1720a92f8f9d0484101501860324c36f821553ad2dbcd012c685a00c65855639fefe5e"
        + "ce2f8e16518d103d9acdeecc53b3bcaeaacaabb96068b63db856"

    @Test("a sealed file of version 1 opens, now and in every later version")
    func sealedVector() throws {
        let bytes = try #require(Hex.decode(Self.sealedVector))
        let file = try KeyFile(decoding: bytes)
        #expect(file.isSealed)
        #expect(try file.seed(passphrase: Self.secret("correct horse")) == Self.seed)
    }

    @Test("a sealed file opens with its passphrase, and with no other")
    func sealed() throws {
        let made = try KeyFile(
            seed: Self.seed, passphrase: Self.secret("correct horse"), cost: Self.cheap)
        let file = try KeyFile(decoding: made.encoded())
        #expect(file.isSealed)
        #expect(try file.seed(passphrase: Self.secret("correct horse")) == Self.seed)
        #expect(throws: KeyFileError.wrongPassphrase) {
            try file.seed(passphrase: Self.secret("correct house"))
        }
        #expect(throws: KeyFileError.needsPassphrase) { try file.seed(passphrase: nil) }
    }

    @Test("sealing twice gives two files")
    func fresh() throws {
        let first = try KeyFile(seed: Self.seed, passphrase: Self.secret("a"), cost: Self.cheap)
        let second = try KeyFile(seed: Self.seed, passphrase: Self.secret("a"), cost: Self.cheap)
        #expect(first.encoded() != second.encoded())
    }

    @Test("a file cut anywhere is damaged", arguments: [false, true])
    func truncated(isSealed: Bool) throws {
        let bytes = try Self.file(isSealed).encoded()
        for count in 0..<bytes.count {
            #expect(throws: KeyFileError.self) { try KeyFile(decoding: Array(bytes[..<count])) }
        }
        #expect(throws: KeyFileError.self) { try KeyFile(decoding: bytes + [0]) }
    }

    @Test("a file with any bit changed is damaged", arguments: [false, true])
    func flipped(isSealed: Bool) throws {
        let bytes = try Self.file(isSealed).encoded()
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1 << UInt8(index % 8)
            #expect(throws: KeyFileError.self, "byte \(index)") { try KeyFile(decoding: changed) }
        }
    }

    @Test("a file that asks for all memory, or all day, is refused though its checksum is right")
    func hostileCost() throws {
        for (passes, memory) in [(UInt64.max, 8192), (1, UInt64.max), (0, 8192), (1, 0)] {
            var writer = ByteWriter()
            writer.raw(Array("cairnkey".utf8))
            writer.u8(1)
            writer.u8(1)
            writer.raw([UInt8](repeating: 0, count: 16))
            writer.u64le(passes)
            writer.u64le(memory)
            writer.raw([UInt8](repeating: 0, count: 24 + 48))
            writer.digest(Blake3.hash(writer.bytes))
            #expect(throws: KeyFileError.self) { try KeyFile(decoding: writer.bytes) }
        }
    }

    @Test("a later version is named")
    func laterVersion() {
        var bytes = KeyFile(seed: Self.seed).encoded()
        bytes[8] = 2
        #expect(throws: KeyFileError.unknownVersion(2)) { try KeyFile(decoding: bytes) }
    }

    @Test("a key file is written for its owner alone")
    func permissions() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        try KeyFile(seed: Self.seed).write(to: volume)
        #expect(try FileFacts.of(volume.keyFile).mode == 0o600)
        #expect(try KeyFile.read(from: volume) == KeyFile(seed: Self.seed))
    }

    @Test("a key file that others can read is refused", arguments: [0o640, 0o604, 0o620, 0o666])
    func widePermissions(mode: UInt32) throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        try KeyFile(seed: Self.seed).write(to: volume)
        try Files.setMode(volume.keyFile, mode)
        let failure = #expect(throws: CommandFailure.self) { try KeyFile.read(from: volume) }
        #expect(failure?.code == .invalidConfiguration)
        #expect(failure?.advice.contains("chmod 600") == true)
    }

    @Test("a missing, a damaged and a huge key file each have a sentence")
    func unreadable() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        func code() -> ExitCode? {
            #expect(throws: CommandFailure.self) { try KeyFile.read(from: volume) }?.code
        }
        #expect(code() == .invalidConfiguration)
        try Files.replace(volume.keyFile, with: [1, 2, 3], mode: 0o600)
        #expect(code() == .invalidConfiguration)
        try Files.replace(volume.keyFile, with: [UInt8](repeating: 0, count: 100_000), mode: 0o600)
        #expect(code() == .invalidConfiguration)
    }

    private static func file(_ isSealed: Bool) throws -> KeyFile {
        isSealed
            ? try KeyFile(seed: seed, passphrase: secret("a"), cost: cheap) : KeyFile(seed: seed)
    }
}
