// SPDX-License-Identifier: Apache-2.0
//
// A page reference as one blob, docs/format.md §15: the digest's algorithm (one byte), the
// address (32), the key (32).

import Namespace
import Primitives

extension PageReference {
    /// Bytes of the blob.
    private static let storedSize = 1 + Digest.byteCount + keySize

    /// The blob.
    var stored: [UInt8] {
        var writer = ByteWriter(capacity: Self.storedSize)
        writer.u8(address.algorithm.rawValue)
        writer.digest(address)
        writer.raw(key)
        return writer.bytes
    }

    /// Reads the blob.
    ///
    /// - Throws: `.corrupt` for any other bytes.
    init(stored bytes: [UInt8]) throws(MetadataError) {
        let end = 1 + Digest.byteCount
        guard bytes.count == Self.storedSize,
            let algorithm = DigestAlgorithm(rawValue: bytes[0]),
            let address = Digest(bytes.span.extracting(1..<end), algorithm: algorithm)
        else { throw .corrupt("a page reference") }
        self.init(address: address, key: Array(bytes[end...]))
    }
}
