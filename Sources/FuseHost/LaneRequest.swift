// SPDX-License-Identifier: Apache-2.0
//
// A request that waits: for the store or the disk, on a thread of a slow lane.
//
// libfuse is asked to say when the caller gets a signal, and is given this object's address for it.
// Invariants:
// 1. The address is watched from before the lane gets this object until just before its request is
//    answered; whoever holds the object then (the lane) keeps it alive for that long.
// 2. The watch ends before the answer: once `watch(nil)` has returned, no interruption is still on
//    its way here, and so nothing touches the object after the lane has let it go.
// 3. The request is taken out once, by whoever answers it.

import Engine
import Synchronization

/// What an interruption finds at the address libfuse keeps: a request of any operation.
class WaitingRequest: @unchecked Sendable {
    // Because: every property of this class and the one below is a constant or behind a `Mutex`.

    /// Ends the engine's wait.
    let patience: Patience
    fileprivate let lane: SlowLane

    fileprivate init(patience: Patience, lane: SlowLane) {
        self.patience = patience
        self.lane = lane
    }

    /// The caller got a signal. libfuse holds the request's lock: nothing is answered from here.
    func callerWasInterrupted() {}
}

/// One operation that waits.
///
/// `@unchecked Sendable` because its superclass is, for the reason given there.
final class LaneRequest<Work: Operation>: WaitingRequest, LaneJob, @unchecked Sendable {
    private let work: Work
    private let host: RequestHost
    private let context: RequestContext
    private let request: Mutex<Request?>

    /// - Parameters:
    ///   - work: with everything it needs copied.
    ///   - context: who asks; patience is added here.
    ///   - request: to be answered by this object.
    init(
        _ work: Work, _ host: RequestHost, _ context: RequestContext, lane: SlowLane,
        _ request: consuming sending Request
    ) {
        let patience = Patience(for: host.options.patience)
        self.work = work
        self.host = host
        var context = context
        context.patience = patience
        self.context = context
        self.request = Mutex(request)
        super.init(patience: patience, lane: lane)
    }

    var byteCount: Int { work.keptBytes }

    var isInterrupted: Bool { patience.isInterrupted }

    func interrupt() { patience.interrupt() }

    /// From now on a signal of the caller ends the wait.
    func watch() {
        // SAFETY: invariant 1: this object outlives the watch.
        unsafe setWatch(Unmanaged.passUnretained(self as WaitingRequest).toOpaque())
    }

    override func callerWasInterrupted() {
        interrupt()
        lane.interrupted(self)
    }

    func run() {
        let scratch = ThreadScratch.current().scratch
        let call = Call(host: host, context: context, scratch: scratch)
        do throws(FileError) {
            let reply = try work.perform(call)
            finish { host.answer($0, reply, scratch) }
        } catch {
            finish { host.fail($0, error) }
        }
    }

    func giveUp() {
        finish { $0.fail(errorNumber(.interrupted)) }
    }

    /// Answers that as many wait as ever may.
    func refuse() {
        finish { $0.fail(HostRefusal.tooMany) }
    }

    private func finish(_ body: (consuming Request) -> Void) {
        // SAFETY: nil ends the watch; nothing is passed.
        unsafe setWatch(nil)
        guard let request = request.withLock({ $0.take() }) else { return }
        body(request)
    }

    private func setWatch(_ data: UnsafeMutableRawPointer?) {
        // Order of locks: this one, the request's in libfuse, the lane's. An interruption begins at
        // the second.
        request.withLock { request in
            switch request {
            // SAFETY: whoever holds this object keeps it alive until the watch has ended.
            case .some(let request): unsafe request.watch(data)
            case .none: break
            }
        }
    }
}
