// SPDX-License-Identifier: Apache-2.0
//
// Public data on a store in memory, as somebody else's client leaves it.

import Autonomi
import Compression
import Cryptography
import Engine
import Namespace
import Primitives
import SelfEncryption
import Stores
import Testing

/// Things on a store that no volume of ours put there.
struct Network {
    let store = TestStore()

    /// Chunks of `bytes`, stored; the map is not.
    func add(
        _ bytes: [UInt8], _ version: FormatVersion, chunkSize: Int? = nil
    ) throws -> DataMap {
        let encrypted = try SelfEncryptor.encrypt(
            bytes, version: version, quality: .fast, maximumChunkSize: chunkSize)
        for chunk in encrypted.chunks { add(chunk) }
        return encrypted.map
    }

    func add(_ chunk: EncryptedChunk) {
        store.change { $0.chunks[chunk.address] = chunk.bytes }
    }

    /// A public file.
    func share(
        _ bytes: [UInt8], _ version: FormatVersion, chunkSize: Int? = nil
    ) throws -> PublicAddress {
        let chunk = try add(bytes, version, chunkSize: chunkSize).publicChunk()
        add(chunk)
        return PublicAddress(chunk.address)
    }

    /// Any bytes as a chunk of the present network.
    func raw(_ bytes: [UInt8]) -> PublicAddress {
        let chunk = EncryptedChunk(address: Digests.of(bytes), bytes: bytes)
        add(chunk)
        return PublicAddress(chunk.address)
    }

    func archive(
        _ files: [(path: String, bytes: [UInt8])], _ version: FormatVersion, lie: UInt64 = 0
    ) throws -> PublicAddress {
        let entries = try files.map { file in
            ArchiveEntry(
                path: try ArchivePath(file.path),
                content: .address(try share(file.bytes, version)), created: 1,
                modified: 1_700_000_000, size: UInt64(file.bytes.count) + lie)
        }
        return try share(try Archive(entries).encoded(), version)
    }

    func volume() throws -> TestVolume { try TestVolume(on: store) }
}
