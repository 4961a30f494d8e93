// SPDX-License-Identifier: Apache-2.0
//
// Addresses of accounts, told apart by their form.

import Cryptography
import Primitives

/// The name of an account: its public key, or what is made from it.
package enum AlephAddress: Hashable, Sendable {
    /// A Solana address: an Ed25519 public key of 32 bytes.
    case solana(publicKey: [UInt8])
    /// An Ethereum address, in the capitals that check it.
    case ethereum(String)

    /// The address that `text` spells; nil if it is neither form, or its capitals are wrong.
    package init?(_ text: String) {
        if let address = Ethereum.address(text) {
            self = .ethereum(address)
        } else if (32...44).contains(text.utf8.count), let key = Base58.decode(text),
            key.count == Ed25519.publicKeySize
        {
            self = .solana(publicKey: key)
        } else {
            return nil
        }
    }

    /// As messages have it.
    package var text: String {
        switch self {
        case .solana(let publicKey): Base58.encode(publicKey)
        case .ethereum(let text): text
        }
    }

    /// Whether two texts name one account: Ethereum's are compared without regard to capitals.
    package static func isSame(_ left: String, _ right: String) -> Bool {
        if left.utf8.elementsEqual(right.utf8) { return true }
        return left.hasPrefix("0x") && left.lowercased().utf8.elementsEqual(right.lowercased().utf8)
    }
}
