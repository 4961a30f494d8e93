// SPDX-License-Identifier: Apache-2.0
//
// Waiting, watching, and telling the kernel.

import Engine
import Glibc
import Synchronization
import Testing
import Threading

@testable import FuseHost

/// Waits, where a test cannot know better.
enum Pause {
    static func milliseconds(_ count: UInt32) {
        usleep(count * 1000)
    }
}

@Suite("watchdog")
struct WatchdogTests {
    @Test("a thread that stays in one request is seen at every look, one that moves is not")
    func seesWhatStays() {
        let watchdog = Watchdog()
        let stuck = Activity()
        let busy = Activity()
        watchdog.watch(stuck)
        watchdog.watch(busy)
        #expect(watchdog.look() == 0)
        stuck.step()
        for look in 1...5 {
            busy.step()
            #expect(watchdog.look() == look)
            busy.step()
        }
        stuck.step()
        #expect(watchdog.look() == 0)
    }

    @Test("requests of all threads count once each, from their start on, also while one waits")
    func counts() {
        let watchdog = Watchdog()
        let activities = [Activity(), Activity()]
        for activity in activities { watchdog.watch(activity) }
        #expect(watchdog.requestCount == 0)
        activities[0].step()
        activities[0].setMayWait(true)
        #expect(watchdog.requestCount == 1)
        activities[0].step()
        for _ in 0..<6 { activities[1].step() }
        #expect(watchdog.requestCount == 4)
        activities[1].end()
        #expect(watchdog.look() == 0)
        #expect(watchdog.requestCount == 4, "those of threads that ended count on")
    }

    @Test("a thread that may wait is not taken for one that is stuck")
    func letsWait() {
        let watchdog = Watchdog()
        let activity = Activity()
        watchdog.watch(activity)
        activity.step()
        activity.setMayWait(true)
        for _ in 0..<5 { #expect(watchdog.look() == 0) }
        activity.setMayWait(false)
        #expect(watchdog.look() == 1)
    }

    @Test("a thread that has ended is forgotten")
    func forgets() {
        let watchdog = Watchdog()
        let activity = Activity()
        watchdog.watch(activity)
        activity.step()
        #expect(watchdog.look() == 1)
        activity.end()
        #expect(watchdog.look() == 0)
    }
}

@Suite("telling the kernel")
struct KernelNotifierTests {
    @Test("changes are told in order, all of them")
    func tellsInOrder() {
        let notifier = KernelNotifier { _, _ in }
        let told = Monitor<[UInt64]>([])
        let isStarted = notifier.start { change in
            guard case .inode(let ino) = change else { return }
            told.withLock { $0.append(ino) }
            told.wakeAll()
        }
        #expect(isStarted)
        for ino: UInt64 in 0..<1000 { notifier.post(.inode(ino)) }
        let all = told.wait(atMost: .seconds(10)) { $0.count == 1000 ? $0 : nil }
        #expect(all == Array(0..<1000))
        notifier.stop()
    }

    @Test("after the end nothing is told, and nobody is held back")
    func endsAtOnce() {
        let notifier = KernelNotifier { _, _ in }
        let count = Monitor(0)
        #expect(notifier.start { _ in count.withLock { $0 += 1 } })
        notifier.stop()
        let start = ContinuousClock.now
        for ino: UInt64 in 0..<10 { notifier.post(.inode(ino)) }
        #expect(ContinuousClock.now - start < .seconds(5))
        #expect(count.withLock { $0 } == 0)
        notifier.stop()
    }
}
