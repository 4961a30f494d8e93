// SPDX-License-Identifier: Apache-2.0
//
// The network's own vectors, and the fixed accounts they were made with.

import AlephProtocol
import Cryptography
import Foundation
import JSON
import Primitives
import Testing

/// One file of vectors.
enum VectorFile {
    /// The content of `Vectors/NAME.json`.
    static func read(_ name: String) throws -> JSONValue {
        let url = try #require(
            Bundle.module.url(forResource: name, withExtension: "json", subdirectory: "Vectors"))
        return try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
    }
}

/// Accounts whose keys everybody knows: never to be funded.
enum TestAccount {
    static let solana = account(
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", .solana)
    static let ethereum = account(
        "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20", .ethereum)

    /// An account that is nobody else's: one for each number.
    static func numbered(_ number: UInt8, chain: AlephChain = .solana) -> AlephAccount {
        account(Hex.encode([UInt8](repeating: number, count: 32)), chain)
    }

    private static func account(_ hex: String, _ chain: AlephChain) -> AlephAccount {
        do {
            return try AlephAccount(secret: SecretBytes(Hex.decode(hex) ?? []), chain: chain)
        } catch {
            preconditionFailure("a test account is damaged: \(error)")
        }
    }
}

extension JSONValue {
    /// The text of a field that the vectors have.
    func text(_ name: String) throws -> String {
        try #require(self[name]?.string, "\(name)")
    }

    /// What the vectors call this one.
    var label: String { self["name"]?.string ?? "?" }

    /// The bytes of a field in hex.
    func bytes(_ name: String) throws -> [UInt8] {
        let text = try self.text(name)
        return try #require(Hex.decode(text.hasPrefix("0x") ? String(text.dropFirst(2)) : text))
    }
}
