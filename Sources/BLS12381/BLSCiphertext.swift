// SPDX-License-Identifier: Apache-2.0
//
// What is encrypted to a public key: U ‖ W ‖ V, where U = ρ·G, W = ρ·H(V, U), and V is the
// plaintext under a mask made from ρ times the public key. docs/format.md §4 is the authority.

internal import Cryptography
internal import Primitives

/// A ciphertext that was made by somebody who knew its ρ: U and W belong together.
struct BLSCiphertext {
    /// Bytes of U and W.
    static let overhead = G1Point.byteCount + G2Point.byteCount
    /// V above this is hashed as its digest.
    private static let hashedLimit = 64

    /// U.
    let first: G1Point
    /// V.
    let sealed: [UInt8]

    /// Reads and checks a ciphertext; nil for anything else, and for one without a plaintext.
    init?(_ bytes: Span<UInt8>) {
        guard bytes.count > BLSCiphertext.overhead else { return nil }
        let head = bytes.extracting(0..<G1Point.byteCount)
        let proof = bytes.extracting(G1Point.byteCount..<BLSCiphertext.overhead)
        guard let first = G1Point(head), !first.isInfinity, let last = G2Point(proof),
            !last.isInfinity
        else { return nil }
        let body = bytes.extracting(BLSCiphertext.overhead..<bytes.count)
        let hashed = BLSCiphertext.point(sealed: body, first: first.bytes)
        guard Pairing.isProductOne([(-G1Point.generator, last), (first, hashed)]) else {
            return nil
        }
        self.first = first
        sealed = body.indices.map { body[$0] }
    }

    /// H(V, U): the point of V, or of its digest if it is long, and the bytes of U.
    static func point(sealed: Span<UInt8>, first: [UInt8]) -> G2Point {
        var message =
            sealed.count > hashedLimit
            ? SHA3.hash256(sealed).bytes : sealed.indices.map { sealed[$0] }
        message += first
        return BLSSuite.point(of: message.span)
    }

    /// The bytes under the mask of a point that both sides know, which takes it off as well.
    ///
    /// A byte of the mask is the lowest of each 32 bits of the key stream.
    static func masked(_ bytes: Span<UInt8>, with point: G1Point) -> [UInt8] {
        let key = SecretBytes(SHA3.hash256(point.bytes).bytes)
        var output = [UInt8](repeating: 0, count: bytes.count)
        var position = 0
        var block: UInt64 = 0
        while position < bytes.count {
            let stream = ChaCha20.keyStream(key: key, fromBlock: block, blocks: ChaCha20.batch)
            block += UInt64(ChaCha20.batch)
            for index in stride(from: 0, to: stream.count, by: 4) where position < bytes.count {
                output[position] = bytes[position] ^ stream[index]
                position += 1
            }
        }
        return output
    }
}
