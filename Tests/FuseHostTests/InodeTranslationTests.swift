// SPDX-License-Identifier: Apache-2.0
//
// Inode numbers between the kernel and the engine.

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

    @Test("what the kernel is told, it can ask for, whatever directory is mounted", arguments: 0..<32)
    func undoesItself(seed: UInt64) {
        var state = seed
        let root = 2 + next(&state) % 1000
        let inodes = InodeTranslation(root: root)
        #expect(inodes.kernel(root) == 1, "seed \(seed)")
        #expect(inodes.engine(1) == root, "seed \(seed)")
        for _ in 0..<1000 {
            let number = 2 + next(&state) % 2000
            #expect(inodes.engine(inodes.kernel(number)) == number, "seed \(seed)")
        }
    }

    @Test("the number of a mounted subdirectory does not lead out of it")
    func doesNotLeadOut() {
        let inodes = InodeTranslation(root: 40)
        #expect(inodes.engine(40) == InodeTranslation.none)
        #expect(inodes.kernel(1) == 40)
    }

    private func next(_ state: inout UInt64) -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
