// SPDX-License-Identifier: Apache-2.0
//
// Where every request of one mount is done: first on the thread it came in on, which may not wait;
// if the engine would have to wait for the store, on a lane that may.
//
// What waits for the local disk (fsync) goes to a lane of its own: there are few serving threads,
// and eight programs that sync must not stop everybody's `ls`. Measured with a disk that answers in
// 200 µs: sixteen callers get 36 000 answers a second instead of 27 000; and the more wait at the
// same time, the more share one commit. But waking the lane costs a caller 10 µs and more, so one
// at a time, who finds nobody else waiting so, stays where it is.

import CFuse
import Engine
import Synchronization

/// Does the requests of one mount.
final class RequestHost: Sendable {
    let engine: Engine
    let inodes: InodeTranslation
    let timeouts: ReplyTimeouts
    let options: MountOptions
    let storeLane = SlowLane(name: "cairn-store", limits: .store)
    let diskLane = SlowLane(name: "cairn-disk", limits: .disk)
    /// For what waits for requests that the kernel makes meanwhile, and so for the other lanes.
    let kernelLane = SlowLane(name: "cairn-pages", limits: .kernel)
    let watchdog = Watchdog()
    let habit = ListingHabit()
    /// Called when requests of the kernel can no longer be taken.
    let whenFailed = Listener<Void>()
    /// Has the kernel hand over the pages of an inode that it gathered of a range, and returns when
    /// it has. Waits for requests, and for pages that others read.
    let handOver = Listener<(UInt64, Range<UInt64>)>()
    /// What was agreed with the kernel.
    private let gathers = Atomic<Bool>(false)
    private let kernelWaitLimit = Atomic<Int>(.max)
    /// Whether a serving thread waits for the disk: one may, of four or more.
    private let isWaitingHere = Atomic<Bool>(false)

    /// - Parameters: as given to the session.
    init(engine: Engine, options: MountOptions) {
        self.engine = engine
        inodes = InodeTranslation(root: options.rootInode)
        timeouts = ReplyTimeouts(options)
        self.options = options
    }

    /// The kernel gathers small writes, and keeps the times of what it wrote.
    var gathersWrites: Bool { gathers.load(ordering: .relaxed) }

    /// Takes what was agreed with the kernel, before the first request.
    ///
    /// - Parameter kernelWaits: most requests that may wait for the kernel at once.
    func note(gathersWrites: Bool, kernelWaits: Int) {
        gathers.store(gathersWrites, ordering: .relaxed)
        kernelWaitLimit.store(kernelWaits, ordering: .relaxed)
    }

    /// Does one operation and answers its request, now or later.
    ///
    /// - Parameters:
    ///   - raw: libfuse's request; nobody else answers it.
    ///   - work: borrows from libfuse what dies with the callback this is called from.
    func dispatch<Work: Operation>(_ raw: cfuse_request, _ work: Work) {
        // SAFETY: libfuse's, and nobody else answers it.
        let request = unsafe Request(raw)
        let (scratch, isNew) = ThreadScratch.current()
        if isNew { watchdog.watch(scratch.activity) }
        scratch.activity.step()
        defer { scratch.activity.step() }
        let context = request.context
        if !options.checksPermissions, context.user != 0, !work.isForHolders {
            return fail(request, .accessDenied)
        }
        if work.waitsForDisk {
            return waitForDisk(work, context, request, scratch)
        }
        do throws(FileError) {
            let reply = try work.perform(Call(host: self, context: context, scratch: scratch))
            answer(request, reply, scratch)
        } catch .wouldBlock {
            let lane = work.waitsForKernel ? kernelLane : storeLane
            wait(work, context, on: lane, request, scratch)
        } catch {
            fail(request, error)
        }
    }

    /// Does what waits for the disk here if nobody else does so, and it waits for nothing else.
    private func waitForDisk<Work: Operation>(
        _ work: Work, _ context: RequestContext, _ request: consuming sending Request,
        _ scratch: ThreadScratch
    ) {
        let mayWaitHere =
            !engine.syncWaitsForStore
            && isWaitingHere.compareExchange(
                expected: false, desired: true, ordering: .acquiringAndReleasing
            ).exchanged
        guard mayWaitHere else { return wait(work, context, on: diskLane, request, scratch) }
        let waiting = LaneRequest(work, self, context, lane: diskLane, request)
        waitHere(waiting, scratch)
        isWaitingHere.store(false, ordering: .releasing)
    }

    /// Does an operation that waits on this serving thread, and lets the watchdog know.
    private func waitHere(_ waiting: some LaneJob, _ scratch: ThreadScratch) {
        scratch.activity.setMayWait(true)
        waiting.run()
        scratch.activity.setMayWait(false)
    }

    /// Hands an operation to a lane. Not inlined: the fast way need not pay for it.
    @inline(never)
    private func wait<Work: Operation>(
        _ work: Work, _ context: RequestContext, on lane: SlowLane,
        _ request: consuming sending Request, _ scratch: ThreadScratch
    ) {
        let waiting = LaneRequest(work.keeping(), self, context, lane: lane, request)
        // Before the lane has it: afterwards it may be answered and gone at any moment.
        waiting.watch()
        cfuse_thread_waits()
        let limit = work.waitsForKernel ? kernelWaitLimit.load(ordering: .relaxed) : .max
        if lane.submit(waiting, ifFewerThan: limit) { return }
        switch work.whenFull {
        case .refuse:
            waiting.refuse()
        case .waitHere:
            waitHere(waiting, scratch)
        }
    }

    /// Answers, and takes back what the kernel did not take.
    func answer(
        _ request: consuming Request, _ reply: FuseReply, _ scratch: ThreadScratch
    ) {
        if !request.answer(reply, inodes, timeouts, scratch) { takeBack(reply, scratch) }
    }

    /// Answers with the engine's reason.
    func fail(_ request: consuming Request, _ error: FileError) {
        request.fail(errorNumber(error))
    }

    /// Gives up what an answer gave that never arrived: its caller was interrupted, or the mount
    /// is gone.
    @inline(never)
    private func takeBack(_ reply: FuseReply, _ scratch: ThreadScratch) {
        switch reply {
        case .entry(let status):
            engine.forget(status.ino, count: 1)
        case .created(let status, let file):
            engine.release(file.handle, ino: status.ino)
            engine.forget(status.ino, count: 1)
        case .opened(let file, let ino):
            engine.release(file.handle, ino: ino)
        case .openedDirectory(let directory):
            engine.releaseDirectory(directory.handle)
        case .listing:
            for ino in scratch.countedInodes { engine.forget(ino, count: 1) }
        case .done, .noEntry, .attributes, .target, .count, .data, .value, .statistics, .offset:
            break
        }
    }
}
