// SPDX-License-Identifier: Apache-2.0
//
// What encryption gives and a chunk store keeps. It does not check that the two parts belong
// together: who makes one has just hashed the bytes, and who fetches one checks them.

package import Primitives

/// A chunk as it is stored: nothing in it can be read without the map.
package struct EncryptedChunk: Hashable, Sendable {
    /// The digest of `bytes`, and their name in a chunk store.
    package let address: Digest
    /// What is stored, verbatim.
    package let bytes: [UInt8]

    /// Bytes under the digest that the caller made of them.
    package init(address: Digest, bytes: [UInt8]) {
        self.address = address
        self.bytes = bytes
    }
}
