// SPDX-License-Identifier: Apache-2.0
//
// The threads that may wait.

import Synchronization
import TestSupport
import Testing
import Threading

@testable import FuseHost

/// A job that counts what happens to it, and waits at a gate.
private final class TestJob: LaneJob {
    let byteCount: Int
    let runCount = Atomic<Int>(0)
    let giveUpCount = Atomic<Int>(0)
    private let flag = Atomic<Bool>(false)
    private let gate: Gate

    init(_ gate: Gate, byteCount: Int = 0) {
        self.gate = gate
        self.byteCount = byteCount
    }

    var isInterrupted: Bool { flag.load(ordering: .acquiring) }
    var endCount: Int { runCount.load(ordering: .relaxed) + giveUpCount.load(ordering: .relaxed) }

    func run() {
        gate.pass { self.isInterrupted }
        runCount.add(1, ordering: .relaxed)
    }

    func giveUp() { giveUpCount.add(1, ordering: .relaxed) }

    func interrupt() {
        flag.store(true, ordering: .releasing)
        gate.monitor.wakeAll()
    }
}

/// A job that nothing interrupts.
private final class StubbornJob: LaneJob {
    private let gate: Gate

    init(_ gate: Gate) { self.gate = gate }

    var byteCount: Int { 0 }
    var isInterrupted: Bool { false }

    func run() { gate.pass { false } }

    func giveUp() {}

    func interrupt() {}
}

/// Holds jobs until it is opened, and knows how many it ever held at once.
private final class Gate: Sendable {
    struct State {
        var isOpen: Bool
        var inside = 0
        var most = 0
    }

    let monitor: Monitor<State>

    init(isOpen: Bool) { monitor = Monitor(State(isOpen: isOpen)) }

    func pass(unless isInterrupted: () -> Bool) {
        monitor.withLock { state in
            state.inside += 1
            state.most = max(state.most, state.inside)
        }
        monitor.wakeAll()
        _ = monitor.wait(atMost: .seconds(20)) { $0.isOpen || isInterrupted() ? true : nil }
        monitor.withLock { $0.inside -= 1 }
    }

    func open() {
        monitor.withLock { $0.isOpen = true }
        monitor.wakeAll()
    }

    /// Whether so many jobs are inside, soon.
    func holds(_ count: Int) -> Bool {
        monitor.wait(atMost: .seconds(10)) { $0.inside >= count ? true : nil } ?? false
    }

    var most: Int { monitor.withLock { $0.most } }
}

@Suite("slow lane")
struct SlowLaneTests {
    private func lane(
        threads: Int = 4, waiting: Int = 8, bytes: Int = 1000
    ) -> SlowLane {
        SlowLane(
            name: "test",
            limits: LaneLimits(
                threadLimit: threads, waitingLimit: waiting, byteLimit: bytes,
                idleTime: .milliseconds(50)))
    }

    @Test("every job it takes is run once, and never more at once than its threads")
    func runsAll() {
        let gate = Gate(isOpen: true)
        let lane = lane(threads: 4, waiting: 1000)
        let jobs = (0..<500).map { _ in TestJob(gate) }
        for job in jobs { #expect(lane.submit(job)) }
        while lane.load != (0, 0) { gate.monitor.wakeAll() }
        lane.drain()
        #expect(jobs.allSatisfy { $0.endCount == 1 })
        #expect(gate.most <= 4)
    }

    @Test("beyond its threads and its queue it takes nothing, and touches nothing")
    func refusesBeyondItsLimits() {
        let gate = Gate(isOpen: false)
        let lane = lane(threads: 2, waiting: 3)
        let taken = (0..<5).map { _ in TestJob(gate) }
        for job in taken.prefix(2) { #expect(lane.submit(job)) }
        #expect(gate.holds(2))
        for job in taken.dropFirst(2) { #expect(lane.submit(job)) }
        let refused = TestJob(gate)
        #expect(!lane.submit(refused))
        #expect(lane.load == (2, 3))
        gate.open()
        lane.drain()
        #expect(taken.allSatisfy { $0.endCount == 1 })
        #expect(refused.endCount == 0)
    }

    @Test("the bytes that wait have a limit, and what runs does not count")
    func limitsBytes() {
        let gate = Gate(isOpen: false)
        let lane = lane(threads: 1, waiting: 8, bytes: 1000)
        #expect(lane.submit(TestJob(gate, byteCount: 5000)))
        #expect(gate.holds(1))
        #expect(lane.submit(TestJob(gate, byteCount: 900)))
        #expect(!lane.submit(TestJob(gate, byteCount: 101)))
        #expect(lane.submit(TestJob(gate, byteCount: 100)))
        gate.open()
        lane.drain()
    }

    @Test("a job whose caller is interrupted is given up at once, though all threads are taken")
    func givesUpWhatWaits() {
        let gate = Gate(isOpen: false)
        let lane = lane(threads: 2, waiting: 8)
        let running = (0..<2).map { _ in TestJob(gate) }
        for job in running { #expect(lane.submit(job)) }
        #expect(gate.holds(2))
        let waiting = TestJob(gate)
        #expect(lane.submit(waiting))
        waiting.interrupt()
        lane.interrupted(waiting)
        let done = gate.monitor.wait(atMost: .milliseconds(1)) { _ in true }
        #expect(done == true)
        for _ in 0..<1000 where waiting.endCount == 0 { Pause.milliseconds(5) }
        #expect(waiting.giveUpCount.load(ordering: .relaxed) == 1)
        #expect(running.allSatisfy { $0.endCount == 0 })
        gate.open()
        lane.drain()
        #expect(waiting.endCount == 1)
    }

    @Test("a job interrupted before it was handed in is given up, not run")
    func givesUpWhatCameInterrupted() {
        let gate = Gate(isOpen: true)
        let lane = lane()
        let job = TestJob(gate)
        job.interrupt()
        #expect(lane.submit(job))
        lane.drain()
        #expect(job.giveUpCount.load(ordering: .relaxed) == 1)
        #expect(job.runCount.load(ordering: .relaxed) == 0)
    }

    @Test("without a thread a job is not taken, also where its caller was interrupted before")
    func refusesWithoutThreads() {
        let lane = SlowLane(name: "test", limits: .store) { _, _ in false }
        let gate = Gate(isOpen: true)
        let (plain, interrupted) = (TestJob(gate), TestJob(gate))
        interrupted.interrupt()
        #expect(!lane.submit(plain) && !lane.submit(interrupted))
        #expect(lane.drain(atMost: .seconds(10)))
        #expect(plain.endCount == 0 && interrupted.endCount == 0)
    }

    @Test("of jobs that may be few it takes no more than those")
    func takesFew() {
        let gate = Gate(isOpen: false)
        let lane = lane(threads: 2, waiting: 8)
        let jobs = (0..<4).map { _ in TestJob(gate) }
        #expect(lane.submit(jobs[0], ifFewerThan: 3))
        #expect(gate.holds(1))
        for job in jobs[1...2] { #expect(lane.submit(job, ifFewerThan: 3)) }
        #expect(!lane.submit(jobs[3], ifFewerThan: 3))
        #expect(lane.submit(jobs[3]))
        gate.open()
        lane.drain()
        #expect(jobs.allSatisfy { $0.endCount == 1 })
    }

    @Test("draining ends in its time though a job cannot be interrupted")
    func drainsInTime() {
        let gate = Gate(isOpen: false)
        let lane = lane()
        let job = StubbornJob(gate)
        #expect(lane.submit(job))
        #expect(gate.holds(1))
        #expect(!lane.drain(atMost: .milliseconds(20)))
        gate.open()
        #expect(lane.drain(atMost: .seconds(10)))
    }

    @Test("draining interrupts what runs, gives up what waits, and takes nothing more")
    func drains() {
        let gate = Gate(isOpen: false)
        let lane = lane(threads: 2, waiting: 8)
        let jobs = (0..<6).map { _ in TestJob(gate) }
        for job in jobs { #expect(lane.submit(job)) }
        #expect(gate.holds(2))
        lane.drain()
        #expect(jobs.allSatisfy { $0.endCount == 1 })
        #expect(!lane.submit(TestJob(gate)))
        #expect(lane.load == (0, 0))
    }

    @Test(
        "in any order of handing in, interrupting and finishing, each job ends once",
        arguments: 0..<8)
    func survivesStorms(seed: UInt64) {
        var numbers = SeededGenerator(seed: seed)
        let gate = Gate(isOpen: true)
        let lane = lane(threads: 3, waiting: 16)
        var taken: [TestJob] = []
        for _ in 0..<400 {
            let job = TestJob(gate)
            if lane.submit(job) { taken.append(job) }
            if Bool.random(using: &numbers), let some = taken.randomElement(using: &numbers) {
                some.interrupt()
                lane.interrupted(some)
            }
        }
        lane.drain()
        #expect(taken.allSatisfy { $0.endCount == 1 }, "seed \(seed)")
        #expect(gate.most <= 3, "seed \(seed)")
    }
}
