// SPDX-License-Identifier: Apache-2.0
//
// How deep directories lie: each asked for once, and an error where they lie too deep.

import Metadata
import TestSupport
import Testing

@testable import Engine

@Suite("depths of directories")
struct TreeDepthsTests {
    /// As in a volume: what is below is a top directory, or the root.
    private static let first: UInt64 = 16

    /// The number of the directory at a depth of a chain.
    private static func number(_ depth: Int) -> UInt64 { first + UInt64(depth) - 1 }

    /// What stands above a directory of the chain.
    private static func parent(_ directory: UInt64) -> UInt64 {
        directory == first ? 2 : directory - 1
    }

    @Test("each directory is asked for once, in whatever order their depths are wanted")
    func linear() throws {
        let count = 20_000
        for order in [Array(1...count), Array((1...count).reversed())] {
            var depths = TreeDepths()
            var asked = 0
            for depth in order {
                let found = try depths.depth(of: Self.number(depth), belowTopsUnder: Self.first) {
                    asked += 1
                    return Self.parent($0)
                }
                #expect(found == depth)
            }
            #expect(asked == count)
        }
    }

    @Test("what stands below something that is gone is gone too")
    func gone() throws {
        var depths = TreeDepths()
        for depth in [30, 20, 11, 10] {
            let found = try depths.depth(of: Self.number(depth), belowTopsUnder: Self.first) {
                $0 == Self.number(10) ? nil : Self.parent($0)
            }
            #expect(found == nil)
        }
        let above = try depths.depth(
            of: Self.number(9), belowTopsUnder: Self.first, parent: Self.parent)
        #expect(above == 9)
    }

    // SEMANTICS: directories inside each other that a revision takes: 100 000
    @Test("deeper than the limit is an error, found in one climb or in several", arguments: [1, 7])
    func limit(step: Int) throws {
        #expect(TreeDepths.limit == 100_000)
        var depths = TreeDepths()
        for depth in stride(from: TreeDepths.limit / step, to: TreeDepths.limit + 1, by: step) {
            let found = try depths.depth(
                of: Self.number(depth), belowTopsUnder: Self.first, parent: Self.parent)
            #expect(found == depth)
        }
        #expect(throws: TreeDepths.TooDeep.self) {
            try depths.depth(
                of: Self.number(TreeDepths.limit + step), belowTopsUnder: Self.first,
                parent: Self.parent)
        }
    }

    @Test("a publication that meets directories without end fails, and says so")
    func publication() throws {
        let volume = try TestVolume(on: TestStore()) { $0.publishDelay = .seconds(600) }
        try volume.makeDirectory("/files/a")
        try volume.makeDirectory("/files/a/b")
        try volume.publish()
        let (a, b) = (try volume.resolve("/files/a"), try volume.resolve("/files/a/b"))
        try volume.writeFile("/files/a/b/c", [1])
        // Rows that no operation makes: each in the other.
        try volume.engine.volume.with(a) { (inode) throws(FileError) in
            try volume.engine.volume.change(inode) { state throws(FileError) in
                state.row.parent = b
                state.isRowDirty = true
            }
        }
        let failure = volume.engine.publisher.publishNow(until: nil)
        #expect(failure == .inputOutput)
        #expect(try volume.report("errors").contains("levels deep"))
    }
}
