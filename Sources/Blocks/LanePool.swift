// SPDX-License-Identifier: Apache-2.0
//
// What one thread needs to seal or open blocks, kept between calls: a fresh megabyte would cost a
// page fault for every 4 KiB of it, and a cipher shared by all threads a lock for every block.

internal import Cryptography
internal import Primitives

/// A cipher and scratch memory for one thread at a time. What the buffers hold is arbitrary.
///
/// An object, so that its buffers have one owner wherever it goes: a copy of the value, alive for
/// an instant while the lane is given back, would have the next thread copy a megabyte.
///
/// `@unchecked Sendable` because the pool hands it to one thread at a time.
private final class Lane: @unchecked Sendable {
    let cipher: BlockCipher
    /// Ciphertext: of one block, or of a whole transfer once one was needed.
    var sealed = [UInt8](repeating: 0, count: Arena.blockSize)
    /// One block's plaintext, of which only a part is wanted.
    var plain = [UInt8](repeating: 0, count: Arena.blockSize)

    init(cipher: BlockCipher) { self.cipher = cipher }
}

/// Lanes that callers take and give back. Any thread may.
///
/// One lock is taken twice for a whole call, for an instant each time. The last lane given back is
/// the first taken: its memory is the likeliest to be in a cache.
final class LanePool: Sendable {
    /// Idle lanes kept at most, of at most 1 MiB each: as many as there are threads at work.
    private static let idleLimit = 32

    private let key: SecretBytes
    private let idle: Lock<[Lane]>

    /// A pool of lanes whose ciphers have `key`, with one lane in it.
    init(key: SecretBytes) throws(CryptographyError) {
        self.key = key
        idle = Lock([Lane(cipher: try BlockCipher(key: key))])
    }

    /// Runs `body` with a lane that nobody else has.
    ///
    /// - Parameters:
    ///   - blocks: how many blocks of ciphertext there must be room for; at most a transfer.
    ///   - body: takes the cipher, room for ciphertext, and room for one block of plaintext.
    func withLane<Result, Failure: Error>(
        blocks: Int,
        _ body: (BlockCipher, inout [UInt8], inout [UInt8]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        assert(blocks <= Arena.transferSlots, "more than one transfer")
        let lane = idle.withLock { $0.popLast() } ?? make()
        defer {
            idle.withLock { idle in
                if idle.count < Self.idleLimit { idle.append(lane) }
            }
        }
        if blocks * Arena.blockSize > lane.sealed.count {
            lane.sealed = [UInt8](repeating: 0, count: Arena.transferSlots * Arena.blockSize)
        }
        return try body(lane.cipher, &lane.sealed, &lane.plain)
    }

    private func make() -> Lane {
        do {
            return Lane(cipher: try BlockCipher(key: key))
        } catch {
            preconditionFailure("a key that was good once is refused")
        }
    }
}
