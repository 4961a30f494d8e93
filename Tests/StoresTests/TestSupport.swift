// SPDX-License-Identifier: Apache-2.0
//
// What the tests of stores share: a folder that goes away, dice that fall the same way every time,
// threads, and short ways to make chunks and pads.

import Cryptography
import Foundation
import Primitives
import Scratchpads
import Synchronization
import TestSupport

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

/// Bytes and their name.
struct TestChunk: Sendable {
    let digest: Digest
    let bytes: [UInt8]

    init(_ bytes: [UInt8], algorithm: DigestAlgorithm = .blake3) {
        self.bytes = bytes
        digest = Digests.of(bytes, algorithm: algorithm)
    }

    init(seed: UInt64, count: Int = 100) {
        var dice = SeededGenerator(seed: seed)
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
