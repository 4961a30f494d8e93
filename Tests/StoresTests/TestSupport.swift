// SPDX-License-Identifier: Apache-2.0
//
// What the tests of stores share: a folder that goes away, dice that fall the same way every time,
// threads, and short ways to make chunks and pads.

import Cryptography
import Foundation
import Primitives
import Scratchpads
import Synchronization

/// A new folder for one test, which removes it when it is done.
struct TemporaryFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/cairn-stores-XXXXXX".utf8CString)
        // SAFETY: the array is NUL-terminated, and written during the call only.
        guard unsafe mkdtemp(&template) != nil else { throw POSIXError(.EIO) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Removes the folder with everything in it.
    func remove() {
        // A test that leaves a folder behind has failed for another reason already.
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// SplitMix64: the same numbers for the same seed, everywhere.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Quick also for megabytes: a hash of the next number, as long as wanted.
    mutating func bytes(_ count: Int) -> [UInt8] {
        let number = next()
        let material = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
        return Blake3.deriveKey(
            context: "cairn test dice", material: material.span, count: count)
    }
}

/// Bytes and their name.
struct TestChunk: Sendable {
    let digest: Digest
    let bytes: [UInt8]

    init(_ bytes: [UInt8], algorithm: DigestAlgorithm = .blake3) {
        self.bytes = bytes
        digest = Digests.of(bytes, algorithm: algorithm)
    }

    init(seed: UInt64, count: Int = 100) {
        var dice = Dice(seed: seed)
        self.init(dice.bytes(count))
    }
}

extension WriteCapability {
    /// The pad whose seed is this byte, 32 times.
    init(testSeed: UInt8) {
        self.init(seed: SecretBytes([UInt8](repeating: testSeed, count: 32)))
    }

    func seal(_ text: String, counter: UInt64) throws(ScratchpadError) -> PadRecord {
        try seal(Array(text.utf8).span, encoding: 1, counter: counter)
    }
}

extension PadRecord {
    /// The same record with another counter, under the signature of this one.
    func forged(counter: UInt64) throws(ScratchpadError) -> PadRecord {
        try PadRecord(
            address: address, encoding: encoding, counter: counter, ciphertext: ciphertext,
            signature: signature)
    }
}

/// Runs `body` on `count` threads at once and waits for all; the errors they threw.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) -> [any Error] {
    let outcome = ThreadOutcome()
    let group = DispatchGroup()
    for index in 0..<count {
        group.enter()
        Thread.detachNewThread {
            defer { group.leave() }
            do {
                try body(index)
            } catch {
                outcome.errors.withLock { $0.append(error) }
            }
        }
    }
    group.wait()
    return outcome.errors.withLock { $0 }
}

private final class ThreadOutcome: Sendable {
    let errors = Mutex<[any Error]>([])
}
