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

    private func isBusy(after milliseconds: Int) -> Bool {
        foreground.isBusy(at: start + .milliseconds(milliseconds))
    }

    private func begin() {
        foreground.counted { [requests] in requests.count.load(ordering: .relaxed) }
    }

    @Test("without a host nobody asks")
    func nobody() {
        requests.add(1_000_000)
        #expect(!isBusy(after: 1_000))
        foreground.pause { true }
    }

    @Test("programs are busy from a rate of requests on, and until it falls")
    func rate() {
        begin()
        requests.add(400)
        #expect(!isBusy(after: 1_000), "400 in a second and a little")
        requests.add(5)
        #expect(!isBusy(after: 1_010), "5 in 10 ms are just the rate")
        requests.add(6)
        #expect(!isBusy(after: 1_015), "looked at too early")
        #expect(isBusy(after: 1_020))
        #expect(isBusy(after: 1_025), "until the next look")
        #expect(!isBusy(after: 1_030), "no more since")
    }

    @Test("a count that falls, because a thread ended, is no request")
    func falls() {
        begin()
        requests.add(1_000)
        #expect(isBusy(after: 1_000))
        requests.count.store(10, ordering: .relaxed)
        #expect(!isBusy(after: 1_010))
        requests.add(90)
        #expect(isBusy(after: 1_020))
    }

    @Test("a pause ends with the work, and has an end under programs that never cease")
    func pauses() {
        // Each look finds so many more that no window is too long for the rate.
        foreground.counted { [requests] in
            requests.count.add(1_000_000, ordering: .relaxed).newValue
        }
        #expect(isBusy(after: 10))
        var looks = 0
        foreground.pause {
            looks += 1
            return looks < 3
        }
        #expect(looks == 3)
        let begin = ContinuousClock.now
        foreground.pause { true }
        #expect(ContinuousClock.now - begin >= ForegroundRequests.longestPause)
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
