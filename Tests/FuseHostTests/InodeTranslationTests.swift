// SPDX-License-Identifier: Apache-2.0
//
// Inode numbers between the kernel and the engine.

import TestSupport
import Testing

@testable import FuseHost

@Suite("inode translation")
struct InodeTranslationTests {
    @Test("with the volume's root mounted, every number is the same on both sides")
    func isIdentityAtTheRoot() {
        let inodes = InodeTranslation(root: 1)
        for number: UInt64 in [1, 2, 3, 77, .max] {
            #expect(inodes.engine(number) == number)
            #expect(inodes.kernel(number) == number)
        }
    }

    @Test(
        "what the kernel is told, it can ask for, whatever directory is mounted", arguments: 0..<32)
    func undoesItself(seed: UInt64) {
        var numbers = SeededGenerator(seed: seed)
        let root = UInt64.random(in: 2...1000, using: &numbers)
        let inodes = InodeTranslation(root: root)
        #expect(inodes.kernel(root) == 1, "seed \(seed)")
        #expect(inodes.engine(1) == root, "seed \(seed)")
        for _ in 0..<1000 {
            let number = UInt64.random(in: 2...2000, using: &numbers)
            #expect(inodes.engine(inodes.kernel(number)) == number, "seed \(seed)")
        }
    }

    @Test("a file that is made on the spot has a number for each size, and all lead to it")
    func momentary() {
        let inodes = InodeTranslation(root: 40)
        let sizes: [UInt64] = [0, 1, 15, 16, 1000, 1 << 40, .max]
        let numbers = sizes.map { inodes.kernel(momentary: 7, size: $0) }
        #expect(Set(numbers).count == sizes.count)
        for number in numbers {
            #expect(InodeTranslation.momentary.contains(number) && inodes.engine(number) == 7)
        }
    }

    @Test("the number of a mounted subdirectory does not lead out of it")
    func doesNotLeadOut() {
        let inodes = InodeTranslation(root: 40)
        #expect(inodes.engine(40) == InodeTranslation.none)
        #expect(inodes.kernel(1) == 40)
    }
}
