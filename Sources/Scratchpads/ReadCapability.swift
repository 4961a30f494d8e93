// SPDX-License-Identifier: Apache-2.0
//
// What somebody holds who may read a pad, and not write it.

package import Cryptography

/// The power to verify and read one pad.
package struct ReadCapability: Sendable {
    /// Bytes of a read key.
    package static let readKeySize = PadCipher.keySize

    /// The pad.
    package let address: PadAddress
    /// The key its content is sealed with. Nobody can make signatures from it.
    package let readKey: SecretBytes

    /// Puts together what its owner gave away.
    ///
    /// - Parameter readKey: `readKeySize` bytes.
    package init(address: PadAddress, readKey: SecretBytes) {
        precondition(readKey.count == ReadCapability.readKeySize, "a read key of another size")
        self.address = address
        self.readKey = readKey
    }

    /// The content of a record, after its signature was found to be the owner's.
    ///
    /// - Throws: `foreignPad`, `badSignature`, `cannotOpen`.
    package func open(_ record: PadRecord) throws(ScratchpadError) -> [UInt8] {
        guard record.address == address else { throw .foreignPad }
        try record.verify()
        return try PadCipher(key: readKey).open(record)
    }
}
