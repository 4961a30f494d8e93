// SPDX-License-Identifier: Apache-2.0
//
// The stores that must keep the contract. A new one has an entry in `all`, and is done when the
// contract suites pass.

import AntdDouble
import Foundation
import Primitives
import RemoteStores
import Scratchpads
import Stores
import Testing

/// One kind of store, and how to get an empty one.
struct StoreUnderTest: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// The digests it names chunks by.
    var algorithms: [DigestAlgorithm] = DigestAlgorithm.allCases
    /// The most bytes of a chunk.
    var chunkSize = StoreLimits.maximumChunkSize
    /// Whether what rests there can be damaged, and be made whole by a put. What rests on a network
    /// that names everything by its digest cannot.
    var repairsDamage = true
    /// An empty store.
    let make: @Sendable () throws -> Bench

    /// One store on the bench, with hands that reach behind its back.
    struct Bench: Sendable {
        /// Opens the store anew: everything it keeps is there, nothing that was in memory is.
        let open: @Sendable () throws -> OpenedStores
        /// Changes the resting bytes of a chunk.
        let damageChunk: @Sendable (Digest) throws -> Void
        /// Changes the resting bytes of a pad.
        let damagePad: @Sendable (PadAddress) throws -> Void
        /// Takes the store away; the last thing a test does.
        let remove: @Sendable () -> Void
    }

    static let all: [StoreUnderTest] =
        [
            folder, memory, s3, s3Unquoted, layers, retried, mirror, autonomi, aleph, alephUnpaid,
        ] + Gateway.stores

    /// A folder.
    static let folder = StoreUnderTest(testDescription: "folder") {
        let folder = try TemporaryFolder()
        let path = folder.path + "/store"
        return Bench(
            open: { try StoreFactory.open(StoreURL("file://\(path)"), create: true) },
            damageChunk: { try flipFirstByte(of: FolderPaths.chunk($0, in: path)) },
            damagePad: { try flipFirstByte(of: FolderPaths.pad($0, in: path)) },
            remove: { folder.remove() })
    }

    /// The plainest store there is: shows that the contract asks nothing of folders.
    static let memory = StoreUnderTest(testDescription: "memory") {
        let store = MemoryStore()
        return Bench(
            open: { OpenedStores(chunks: store, pads: store) },
            damageChunk: { store.damage($0) },
            damagePad: { store.damage($0) },
            remove: {})
    }

    /// The Autonomi network, by a daemon that has pointers.
    static let autonomi = StoreUnderTest(
        testDescription: "autonomi", algorithms: [.blake3],
        chunkSize: AutonomiLimits.chunkSize, repairsDamage: false
    ) {
        let pointer = String(repeating: "5c", count: 32)
        let daemon = try AntdDouble { $0.keys = [pointer] }
        let url = try StoreURL("autonomi://127.0.0.1:\(daemon.port)?pointer=\(pointer)")
        return Bench(
            open: { try StoreFactory.open(url, create: true) }, damageChunk: { _ in },
            damagePad: { _ in }, remove: { daemon.stop() })
    }

    static func flipFirstByte(of path: String) throws {
        var data = try Data(contentsOf: URL(fileURLWithPath: path))
        data[0] ^= 1
        try data.write(to: URL(fileURLWithPath: path))
    }
}

/// Where docs/format.md says that a folder store's files are, written out a second time.
enum FolderPaths {
    static func chunk(_ digest: Digest, in store: String) -> String {
        let suffix = digest.algorithm == .sha3 ? ".sha3" : ""
        return "\(store)/chunks/\(digest.hex.prefix(2))/\(digest.hex)\(suffix)"
    }

    static func pad(_ address: PadAddress, in store: String) -> String {
        "\(store)/pads/\(address.hex.prefix(2))/01-\(address.hex)"
    }
}
