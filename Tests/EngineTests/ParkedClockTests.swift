// SPDX-License-Identifier: Apache-2.0
//
// Parked identities and a clock that jumps: what is written down is told by the system's clock, and
// nothing depends on it.

import Cryptography
import Metadata
import Scratchpads
import Testing

@testable import Engine

@Suite("parked identities and clocks")
struct ParkedClockTests {
    private func parked(at now: ContinuousClock.Instant) -> ParkedPads {
        var parked = ParkedPads()
        let capability = WriteCapability(seed: SecretBytes([UInt8](repeating: 7, count: 32)))
        let row = PadRow(
            ino: 5, identity: [UInt8](repeating: 3, count: 32), address: capability.address)
        parked.park(row, parent: 3, name: Array("note".utf8), mover: 5, now: now)
        return parked
    }

    @Test("a jump of the system's clock over a restart neither ends nor stretches the wait")
    func jumps() throws {
        let now = ContinuousClock.now
        for jump in [-86_400 * 3650, -3600, 0, 3600, 86_400 * 3650] as [Int64] {
            let bytes = parked(at: now).encoded(now: now, seconds: 1_700_000_000 + jump)
            var again = try ParkedPads(decoding: bytes, now: now)
            #expect(again.expire(now: now + .seconds(29)).isEmpty)
            #expect(again.expire(now: now + .seconds(31)).count == 1)
        }
    }

    @Test("an identity ends after thirty seconds by a clock that nobody sets")
    func ends() {
        let now = ContinuousClock.now
        var parked = parked(at: now)
        #expect(parked.expire(now: now + .seconds(29)).isEmpty)
        #expect(parked.expire(now: now + .seconds(30)).count == 1)
        #expect(parked.entries.isEmpty)
    }
}
