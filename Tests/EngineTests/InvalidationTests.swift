// SPDX-License-Identifier: Apache-2.0
//
// The kernel's side hears of what changed; how it is told must not grow with how often.

import Engine
import Foundation
import Primitives
import TestSupport
import Testing

@Suite("invalidations")
struct InvalidationTests {
    @Test("the thousandth word to the kernel takes the way that the first took")
    func directCalls() throws {
        let volume = try TestVolume()
        defer { volume.stop() }
        let engine = volume.engine
        let depths = Lock<[Int]>([])
        engine.setInvalidation { _ in
            let depth = Thread.callStackReturnAddresses.count
            depths.withLock { $0.append(depth) }
        }
        let (status, opened) = try engine.create(
            Array("file".utf8), in: Engine.filesInode, mode: 0o644,
            OpenIntent(reads: true, writes: true), isExclusive: true, volume.context)
        defer { engine.release(opened.handle, ino: status.ino) }
        // Bytes that the kernel gathered, and that make the file longer, are told of each time.
        for index in 0..<1000 {
            _ = try engine.write(
                opened.handle, ino: status.ino, at: UInt64(index), [1].span, isGathered: true,
                volume.context)
        }
        let told = depths.withLock { $0 }
        #expect(told.count == 1000)
        #expect(Set(told).count == 1, "calls \(told.first ?? 0) deep, then \(told.last ?? 0)")
    }
}
