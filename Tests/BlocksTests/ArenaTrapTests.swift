// SPDX-License-Identifier: Apache-2.0
//
// What callers got wrong traps. The folders belong to this process: the one that traps cleans
// nothing up.

import Foundation
import Testing

@testable import Blocks

@Suite("Traps")
struct ArenaTrapTests {
    /// Runs `body` in the child that should trap; anything else than a trap ends it with success.
    static func run(
        _ path: String, isAdopted: Bool = true, _ body: (Arena) throws -> Void
    ) -> Never {
        do {
            let arena = try Arena(path: path, key: testKey(), budget: mebibyte)
            if isAdopted { arena.adoptionFinished() }
            try body(arena)
        } catch {
            // An error is no trap: the same as none.
            exit(0)
        }
        exit(0)
    }

    @Test("a reference released once too often traps")
    func doubleRelease() async throws {
        let folder = try TemporaryFolder()
        await #expect(processExitsWith: .failure) { [path = folder.arena as String] in
            ArenaTrapTests.run(path) { arena in
                let slot = try arena.writeOne([1]).slot
                arena.release(slot)
                arena.release(slot)
            }
        }
    }

    @Test("writing before adoption is finished traps")
    func earlyWrite() async throws {
        let folder = try TemporaryFolder()
        await #expect(processExitsWith: .failure) { [path = folder.arena as String] in
            ArenaTrapTests.run(path, isAdopted: false) { arena in
                _ = try arena.writeOne([1])
            }
        }
    }

    @Test("spending more reservations than there are traps")
    func unpromised() async throws {
        let folder = try TemporaryFolder()
        await #expect(processExitsWith: .failure) { [path = folder.arena as String] in
            ArenaTrapTests.run(path) { arena in
                _ = try arena.writeOne([1], reserved: true)
            }
        }
    }

    @Test("releasing for a row that does not name the slot traps")
    func foreignRow() async throws {
        let folder = try TemporaryFolder()
        await #expect(processExitsWith: .failure) { [path = folder.arena as String] in
            ArenaTrapTests.run(path) { arena in
                let slot = try arena.writeOne([1], ino: 1).slot
                arena.release(slot, owner: BlockOwner(ino: 2, block: 0))
            }
        }
    }

    @Test("a block over the size of a slot traps")
    func tooLong() async throws {
        let folder = try TemporaryFolder()
        await #expect(processExitsWith: .failure) { [path = folder.arena as String] in
            ArenaTrapTests.run(path) { arena in
                _ = try arena.writeOne([UInt8](repeating: 1, count: blockSize + 1))
            }
        }
    }
}
