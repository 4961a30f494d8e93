// SPDX-License-Identifier: Apache-2.0
//
// Stores behind a network, and stores around stores, for the contract suites.

import Foundation
import Primitives
import FaultStore
import RemoteStores
import S3Double
import Scratchpads
import StoreWrappers
import Stores
import Testing

extension StoreUnderTest {
    /// S3, from the address on, on a service that compares in the standard's words.
    static let s3 = s3("s3", .quoted)
    /// The same on one that wants tags without quotes, as Ceph does.
    static let s3Unquoted = s3("s3, unquoted", .unquoted)

    private static func s3(_ name: String, _ comparing: S3Double.Comparing) -> StoreUnderTest {
        StoreUnderTest(testDescription: name) {
            var behaviour = S3Double.Behaviour()
            behaviour.comparing = comparing
            let service = try S3Double(behaviour)
            let folder = try TemporaryFolder()
            let keys = folder.path + "/keys"
            let text = "access_key_id=\(S3Double.accessKey)\nsecret_access_key=\(S3Double.secret)\n"
            try Data(text.utf8).write(to: URL(fileURLWithPath: keys))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: keys)
            let url = try StoreURL(
                "s3://\(S3Double.bucket)/a/b?endpoint=\(service.endpoint)&credentials=\(keys)")
            let flip = { @Sendable (key: String) in
                service.change("a/b/" + key) { $0[0] ^= 1 }
            }
            return Bench(
                open: { try StoreFactory.open(url, create: true) },
                damageChunk: { digest in
                    flip("chunks/\(digest.hex)\(digest.algorithm == .sha3 ? ".sha3" : "")")
                },
                damagePad: { flip("pads/01-\($0.hex)") },
                remove: {
                    service.stop()
                    folder.remove()
                })
        }
    }

    /// Every layer there is around a store in memory.
    static let layers = StoreUnderTest(testDescription: "layers") {
        let store = MemoryStore()
        return Bench(
            open: {
                let all: [any StoreLayer] = [
                    MetricsLayer(), ConcurrencyLayer(), PaceLayer(), RetryLayer(),
                    BandwidthLayer(upload: 1 << 34, download: 1 << 34),
                ]
                var stores = OpenedStores(chunks: store, pads: store)
                for layer in all {
                    stores = OpenedStores(
                        chunks: StoreLayers.wrap(stores.chunks, in: layer),
                        pads: StoreLayers.wrap(stores.pads, in: layer))
                }
                return stores
            },
            damageChunk: { store.damage($0) }, damagePad: { store.damage($0) }, remove: {})
    }

    /// Retry around everything that a retry can mend.
    static let retried = StoreUnderTest(testDescription: "retry over faults") {
        let store = MemoryStore()
        var faults = Faults()
        faults.dropped = 10
        faults.busy = 10
        faults.doneButFailed = 10
        faults.late = 5
        let bad = faults
        return Bench(
            open: {
                let line = FaultStore(chunks: store, pads: store, bad, seed: 17)
                let plan = RetryPlan(
                    firstWait: .milliseconds(1), longestWait: .milliseconds(5), attemptLimit: 60)
                let layer = RetryLayer(plan)
                return OpenedStores(
                    chunks: StoreLayers.wrap(line, in: layer),
                    pads: StoreLayers.wrap(line, in: layer))
            },
            damageChunk: { store.damage($0) }, damagePad: { store.damage($0) }, remove: {})
    }

    /// Two folders, from the address on.
    static let mirror = StoreUnderTest(testDescription: "mirror") {
        let folder = try TemporaryFolder()
        let paths = ["/one", "/two"].map { folder.path + $0 }
        let url = try StoreURL("mirror:file://\(paths[0]),file://\(paths[1])")
        return Bench(
            open: { try StoreFactory.open(url, create: true) },
            // Both: damage of one is repaired from the other, which MirrorTests shows.
            damageChunk: { digest in
                for path in paths { try flipFirstByte(of: FolderPaths.chunk(digest, in: path)) }
            },
            damagePad: { address in
                for path in paths { try flipFirstByte(of: FolderPaths.pad(address, in: path)) }
            },
            remove: { folder.remove() })
    }
}
