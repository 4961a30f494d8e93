// SPDX-License-Identifier: Apache-2.0
//
// Background threads stand back while programs ask for much, and no longer.

import Synchronization
import Testing

@testable import Engine

/// What a host would count.
private final class Requests: Sendable {
    let count = Atomic<UInt64>(0)

    func add(_ number: UInt64) { count.add(number, ordering: .relaxed) }
}

@Suite("programs that ask")
struct ForegroundRequestsTests {
    private let requests = Requests()
    private let foreground = ForegroundRequests()
    /// Not before what the first look compares with.
    private let start = ContinuousClock.now

    private func isBusy(after milliseconds: Int) -> Bool? {
        foreground.isBusy(at: start + .milliseconds(milliseconds))
    }

    private func begin() {
        foreground.count.set { [requests] in requests.count.load(ordering: .relaxed) }
    }

    /// Each look finds so many more that no window is too long for the rate.
    private func beginBusy() {
        foreground.count.set { [requests] in
            requests.count.add(1_000_000, ordering: .relaxed).newValue
        }
    }

    @Test("without a host nobody asks")
    func nobody() {
        requests.add(1_000_000)
        #expect(isBusy(after: 900) == false)
        #expect(foreground.count() == nil)
        foreground.pause {
            Issue.record("there is nothing to wait for")
            return false
        }
    }

    @Test("programs are busy from a rate of requests on, and until it falls")
    func rate() {
        begin()
        requests.add(400)
        #expect(isBusy(after: 900) == false, "400 in 0.9 s and a little")
        requests.add(5)
        #expect(isBusy(after: 910) == false, "5 in 10 ms are just the rate")
        requests.add(6)
        #expect(isBusy(after: 915) == false, "looked at too early")
        #expect(isBusy(after: 920) == true)
        #expect(isBusy(after: 925) == true, "until the next look")
        #expect(isBusy(after: 930) == false, "no more since")
        #expect(foreground.count() == 411)
    }

    @Test("what was long ago says nothing of now")
    func beginsAnew() {
        begin()
        requests.add(1_000_000)
        #expect(isBusy(after: 2_000) == nil)
        #expect(isBusy(after: 2_005) == nil, "looked at too early")
        #expect(isBusy(after: 2_010) == false)
        requests.add(6)
        #expect(isBusy(after: 2_020) == true)
    }

    @Test("a pause ends with the work, and has an end under programs that never cease")
    func pauses() {
        beginBusy()
        var looks = 0
        foreground.pause {
            looks += 1
            return looks < 3
        }
        #expect(looks == 3)
        let begin = ContinuousClock.now
        foreground.pause { true }
        #expect(ContinuousClock.now - begin >= BackgroundPause.limit)
    }

    @Test("nobody stands back while a program waits for the work")
    func hurries() {
        beginBusy()
        foreground.whileWaiting {
            foreground.pause {
                Issue.record("it pauses")
                return false
            }
        }
        var looks = 0
        foreground.pause {
            looks += 1
            return false
        }
        #expect(looks == 1, "it pauses again")
    }

    @Test("a large file is flushed whole while programs ask for much")
    func flushes() throws {
        let volume = try TestVolume(on: TestStore())
        volume.engine.setRequestCount { [requests] in
            requests.count.add(1_000_000, ordering: .relaxed).newValue
        }
        let size = Int(FileEncoder.largeFile) + 12_345
        let bytes = pattern(size, seed: 3)
        try volume.writeFile("/files/large", bytes)
        try volume.publish()
        #expect(requests.count.load(ordering: .relaxed) > 0, "the flush never looked")
        try volume.recover()
        #expect(try volume.readFile("/files/large") == bytes)
    }
}
