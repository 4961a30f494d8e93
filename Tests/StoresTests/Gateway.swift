// SPDX-License-Identifier: Apache-2.0
//
// A real S3 service, where Tests/Ceph/rgw has started one; elsewhere these are no tests, and the
// script has said so.

import Cryptography
import Foundation
import HTTP
import Primitives
import RemoteStores
import Scratchpads
import Stores
import Testing

@testable import S3

/// Ceph's gateway, for the contract suites.
enum Gateway {
    private static let bucket = "contract"

    /// One kind of store, or none.
    static var stores: [StoreUnderTest] {
        guard let endpoint = ProcessInfo.processInfo.environment["CAIRN_RGW_ENDPOINT"] else {
            return []
        }
        return [
            StoreUnderTest(testDescription: "Ceph") {
                // Each test has a place of its own, in one bucket.
                var address = S3Address(bucket: bucket, prefix: UUID().uuidString)
                address.endpoint = endpoint
                let client = S3Client(
                    address, try CredentialSource(address), now: Surroundings.process.now)
                let keys = ObjectKeys(prefix: address.prefix)
                _ = try client.send(S3Request(method: .put, key: nil), accepting: [409])
                let url = try StoreURL(address.text)
                let flip = { @Sendable (key: String) throws in
                    var request = S3Request(method: .get, key: key)
                    request.answerSize = StoreLimits.maximumChunkSize
                    var bytes = try client.send(request).body
                    bytes[0] ^= 1
                    _ = try client.send(S3Request(method: .put, key: key, body: bytes))
                }
                return StoreUnderTest.Bench(
                    open: { try StoreFactory.open(url, create: true) },
                    damageChunk: { try flip(keys.chunk($0)) },
                    damagePad: { try flip(keys.pad($0)) }, remove: { client.stop() })
            }
        ]
    }
}
