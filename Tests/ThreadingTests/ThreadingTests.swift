// SPDX-License-Identifier: Apache-2.0
//
// Waiting, waking, and threads of our own.

import Glibc
import TestSupport
import Testing
import Threading

@Suite("processors")
struct ProcessorTests {
    /// The processors that the main thread may use, as taskset(1) takes and tells them.
    private func own() throws -> String {
        let result = try run("/usr/bin/taskset", ["-cp", "\(getpid())"])
        let list = try #require(result.output.split(separator: ": ").last)
        return String(list.prefix { $0 != "\n" })
    }

    @Test("those count that the process may use, and no others of the machine")
    func usable() throws {
        let all = try own()
        let ranges = all.split(separator: ",").map {
            $0.split(separator: "-").compactMap { Int($0) }
        }
        let count = try ranges.reduce(0) { sum, range in
            let first = try #require(range.first)
            return sum + (range.last ?? first) - first + 1
        }
        #expect(Processors.count == count)
        let first = try #require(ranges.first?.first)
        _ = try run("/usr/bin/taskset", ["-cp", "\(first)", "\(getpid())"])
        let one = Processors.count
        _ = try run("/usr/bin/taskset", ["-cp", all, "\(getpid())"])
        #expect(one == 1)
        #expect(Processors.count == count)
    }
}

@Suite("monitor")
struct MonitorTests {
    @Test("a wait that nobody answers ends after its time, with nothing")
    func timesOut() {
        let monitor = Monitor(0)
        let start = ContinuousClock.now
        #expect(monitor.wait(atMost: .milliseconds(30)) { $0 == 1 ? true : nil } == nil)
        #expect(ContinuousClock.now - start >= .milliseconds(30))
    }

    @Test("a wait without time left looks once and ends", arguments: [0, -5])
    func looksOnce(seconds: Int) {
        let monitor = Monitor(0)
        #expect(monitor.wait(atMost: .seconds(seconds)) { $0 == 1 ? true : nil } == nil)
        #expect(monitor.wait(atMost: .seconds(seconds)) { $0 == 0 ? true : nil } == true)
    }

    @Test("a wait ends when another thread makes it true", arguments: [nil, Duration.seconds(60)])
    func wakes(limit: Duration?) {
        let monitor = Monitor(0)
        let isStarted = SystemThread.start("test-wakes") {
            monitor.withLock { $0 = 6 }
            monitor.wakeAll()
            monitor.update { $0 += 1 }
        }
        #expect(isStarted)
        #expect(monitor.wait(atMost: limit) { $0 == 7 ? $0 : nil } == 7)
    }

    @Test("an update that throws leaves the lock free and wakes who waits")
    func throwing() {
        struct Refusal: Error {}
        let monitor = Monitor(0)
        let isStarted = SystemThread.start("test-throws") {
            do throws(Refusal) {
                try monitor.update { (state) throws(Refusal) in
                    state = 1
                    throw Refusal()
                }
            } catch {
                // Thrown on purpose.
            }
        }
        #expect(isStarted)
        #expect(monitor.wait(atMost: .seconds(10)) { $0 == 1 ? true : nil } == true)
    }

    @Test("one wake-up lets one waiter go on")
    func wakesOne() {
        let monitor = Monitor((passes: 0, done: 0))
        for _ in 0..<3 {
            let isStarted = SystemThread.start("test-one") {
                _ = monitor.wait { state -> Bool? in
                    guard state.passes > 0 else { return nil }
                    state.passes -= 1
                    return true
                }
                monitor.update { $0.done += 1 }
            }
            #expect(isStarted)
        }
        for count in 1...3 {
            monitor.withLock { $0.passes += 1 }
            monitor.wakeOne()
            #expect(monitor.wait(atMost: .seconds(10)) { $0.done == count ? true : nil } == true)
        }
    }
}

@Suite("threads")
struct SystemThreadTests {
    /// What a thread says of itself.
    private struct Facts {
        var name = ""
        var niceness: Int32 = 0
        var takesNoSignals = false
    }

    private static func facts(
        _ name: String, stackSize: Int? = nil, niceness: Int32 = 0
    ) -> Facts? {
        let answer = Monitor<Facts?>(nil)
        let isStarted = SystemThread.start(name, stackSize: stackSize, niceness: niceness) {
            var text = [UInt8](repeating: 0, count: 64)
            // SAFETY: the text is a local, written during the call only.
            let comm = unsafe open("/proc/thread-self/comm", O_RDONLY)
            let count = unsafe read(comm, &text, text.count)
            close(comm)
            let facts = Facts(
                name: String(decoding: text.prefix(max(count - 1, 0)), as: UTF8.self),
                niceness: getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0),
                takesNoSignals: isBlocked())
            answer.update { $0 = facts }
        }
        return isStarted ? answer.wait(atMost: .seconds(10)) { $0 } : nil
    }

    /// Whether the calling thread blocks SIGUSR2.
    private static func isBlocked() -> Bool {
        var signals = sigset_t()
        // SAFETY: a local, used during the calls only.
        unsafe pthread_sigmask(SIG_BLOCK, nil, &signals)
        return unsafe sigismember(&signals, SIGUSR2) == 1
    }

    @Test("a thread has its name, cut to what the system takes")
    func named() throws {
        #expect(try #require(Self.facts("test-with-a-long-name")).name == "test-with-a-lon")
    }

    @Test("a thread takes no signals, and the one that starts it takes those that it took")
    func signals() throws {
        var signals = sigset_t()
        var before = sigset_t()
        // SAFETY: locals, used during the calls only; the mask is put back below.
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGUSR2)
        unsafe pthread_sigmask(SIG_UNBLOCK, &signals, &before)
        // SAFETY: as above.
        defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
        let facts = Self.facts("test-signals")
        #expect(!Self.isBlocked())
        #expect(try #require(facts).takesNoSignals)
    }

    @Test("a thread is as polite as it is told, and those after it are not")
    func polite() throws {
        let usual = try #require(Self.facts("test-usual")).niceness
        let polite = try #require(Self.facts("test-polite", niceness: min(usual + 3, 19)))
        #expect(polite.niceness == min(usual + 3, 19))
        #expect(try #require(Self.facts("test-usual")).niceness == usual)
    }

    @Test("a thread can have a stack of its own size")
    func stack() throws {
        #expect(try #require(Self.facts("test-stack", stackSize: 1 << 18)).name == "test-stack")
    }

    @Test("a stack that no thread can run on traps")
    func tooSmall() async {
        await #expect(processExitsWith: .failure) {
            _ = SystemThread.start("test-tiny", stackSize: 1) {}
        }
    }
}

@Suite("pool")
struct WorkerPoolTests {
    /// Who worked on each index, and who was asked before it took one.
    private final class Seen: Sendable {
        struct Facts {
            var workers: [Int: [pthread_t]] = [:]
            var asked: Set<Int> = []
        }
        let facts = Monitor(Facts())
        func note(_ index: Int) {
            facts.update { $0.workers[index, default: []].append(pthread_self()) }
        }
        func ask(_ thread: Int) { facts.update { _ = $0.asked.insert(thread) } }
        var all: Facts { facts.withLock { $0 } }
    }

    @Test(
        "where some threads stand back, the others do all, and nobody waits for those",
        .timeLimit(.minutes(1)))
    func standsBack() {
        let pool = WorkerPool("test-pool", threads: 4)
        defer { pool.stop() }
        let seen = Seen()
        pool.forEach(
            count: 50,
            before: { thread, isLeft in
                seen.ask(thread)
                // The first goes on when all have been asked, so that each has its say.
                while isLeft(), thread > 0 || seen.all.asked.count < 4 { usleep(100) }
            },
            { index in seen.note(index) })
        let all = seen.all
        #expect(all.asked == [0, 1, 2, 3])
        #expect(Set(all.workers.keys) == Set(0..<50))
        #expect(all.workers.values.allSatisfy { $0.count == 1 })
        #expect(Set(all.workers.values.joined()).count == 1, "one thread did it all")
    }

    @Test(
        "who stands back takes nothing any more once another has failed", .timeLimit(.minutes(1)))
    func fails() {
        struct Refused: Error {}
        let pool = WorkerPool("test-pool", threads: 2)
        defer { pool.stop() }
        let seen = Seen()
        #expect(throws: Refused.self) {
            try pool.forEach(
                count: 50,
                before: { thread, isLeft in
                    if thread > 0 { while isLeft() { usleep(100) } }
                },
                { (index) throws(Refused) in
                    if index == 7 { throw Refused() }
                    seen.note(index)
                })
        }
        #expect(Set(seen.all.workers.keys) == Set(0..<7))
    }
}

@Suite("waits that nobody is woken from")
struct PolledTests {
    @Test("it is looked until it is so, however long the clock stands still")
    func standsStill() {
        let clock = HandClock()
        var looks = 0
        let isSo = polled(within: .seconds(1), every: 100, by: clock) {
            looks += 1
            return looks == 300
        }
        #expect(isSo && looks == 300)
    }

    @Test("when the time is over it is looked once more, and then no more")
    func ends() {
        let clock = HandClock()
        var looks: [Bool] = []
        for answer in [false, true] {
            var count = 0
            looks.append(
                polled(within: .seconds(1), every: 100, by: clock) {
                    count += 1
                    // Time passes behind the first look; what comes is the last.
                    clock.move(by: .seconds(1))
                    return count == 2 && answer
                })
            #expect(count == 2)
        }
        #expect(looks == [false, true])
    }

    @Test("without time it is looked once", arguments: [0, -5])
    func looksOnce(seconds: Int) {
        var looks = 0
        let isSo = polled(within: .seconds(seconds), every: 100) {
            looks += 1
            return false
        }
        #expect(!isSo && looks == 1)
    }

    @Test("what a look throws ends it")
    func throwing() {
        struct Refusal: Error {}
        #expect(throws: Refusal.self) {
            try polled(within: .seconds(60), every: 100) { () throws(Refusal) in throw Refusal() }
        }
    }
}
