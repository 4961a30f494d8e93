// SPDX-License-Identifier: Apache-2.0
//
// Messages by the thousand, for lists that are long.

import AlephProtocol
import Cryptography
import JSON

extension NodeDouble {
    /// Has the node know posts of an account that is nobody's, a second between two.
    ///
    /// - Parameters:
    ///   - count: how many.
    ///   - tag: what all of them have.
    ///   - start: when the first was sent, in seconds since 1970.
    /// - Returns: the account's address.
    package func fill(
        _ count: Int, tag: String, from start: Double = 1_700_000_000
    ) throws -> String {
        let writer = try AlephAccount(
            secret: SecretBytes([UInt8](repeating: 0x5A, count: 32)), chain: .solana)
        for index in 0..<count {
            let content: JSONValue = [
                "n": .number(JSONNumber(index)), "tags": [.string(tag)],
                "text": .string(String(repeating: "x", count: 400)),
            ]
            let signed = try writer.sign(
                .post(type: "note", content: content), time: start + Double(index), channel: nil)
            guard let json = signed.envelope.json.object,
                let entry = NodeForm.entry(json, arrival: index)
            else { continue }
            admit(entry)
        }
        return writer.address
    }
}
