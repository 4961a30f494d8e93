// SPDX-License-Identifier: Apache-2.0
//
// One mount, from its making to its end.
//
// States: made → mounted → serving → served → unmounted. `requestStop` may come at any moment, also
// before `run`. Invariants:
// 1. libfuse's session lives from `init` to `deinit`, and only `deinit` destroys it, when no thread
//    of ours can use it any more: `run` returns after the lanes are empty, and every other thread
//    that uses it holds a reference to `self`; so does who still waits for the kernel then.
// 2. The notifier and the kernel's lane end while requests are still served, where that is ours to
//    choose: the kernel may need one of them to finish a notification.

import CFuse
package import Engine
import Glibc
import Synchronization
import Threading

/// One mount of an engine's tree.
///
/// `@unchecked Sendable` because libfuse's session may be used by any thread, and everything else
/// here is constant or behind a `Mutex`.
@safe package final class FuseSession: @unchecked Sendable {
    private enum Phase { case made, mounted, serving, served, unmounted }

    private struct State {
        var phase = Phase.made
        var isStopWanted = false
        var loopThread: pthread_t?
        /// What the kernel's table said of the mount when it was made.
        var mount: MountEntry?
    }

    /// How often a loop that should end is woken, until it has ended.
    private static let stopInterval = Duration.milliseconds(20)
    /// How long the kernel has at the end to hand over what somebody asked for.
    private static let handOverLimit = Duration.seconds(5)
    /// How often the watchdog looks.
    private static let lookInterval = Duration.seconds(5)

    /// The directory it is mounted on, resolved.
    package let mountPoint: String
    private let host: RequestHost
    private let session: OpaquePointer
    private let notifier: KernelNotifier
    private let state = Monitor(State())

    /// Checks the mount point, and makes a session for it. Nothing is mounted yet.
    ///
    /// - Parameters:
    ///   - engine: must outlive the session.
    ///   - options: see `MountOptions`.
    /// - Throws: the reason nothing can be mounted there with these options.
    package init(engine: Engine, options: MountOptions) throws(FuseHostError) {
        FuseLog.install(options.log)
        let arguments = try options.libfuseOptions()
        mountPoint = try MountPointCheck.check(options)
        var options = options
        options.mountPoint = mountPoint
        let host = RequestHost(engine: engine, options: options)
        self.host = host
        notifier = KernelNotifier(log: options.log)
        var callbacks = makeCallbacks()
        // SAFETY: the table is copied; `host` is kept by `self` until libfuse's session is
        // destroyed.
        let made = unsafe cfuse_session_new(
            &callbacks, Unmanaged.passUnretained(host).toOpaque(), arguments)
        guard let made = unsafe made else {
            throw .badOption(FuseLog.take(otherwise: "libfuse does not know one of them"))
        }
        unsafe session = made
    }

    deinit {
        unmount()
        // SAFETY: nobody can reach the session any more, see invariant 1.
        unsafe cfuse_session_destroy(session)
    }

    /// Mounts. Callers of the kernel wait from now on until `run` serves them.
    ///
    /// - Throws: `mountFailed` with libfuse's own words.
    package func mount() throws(FuseHostError) {
        precondition(state.withLock { $0.phase == .made }, "mounted once already")
        // SAFETY: the session lives as long as `self`; the path is copied.
        guard unsafe cfuse_session_mount(session, mountPoint) == 0 else {
            throw .mountFailed(FuseLog.take(otherwise: "the kernel or fusermount3 refused it"))
        }
        let mount = MountTable.current().mount(at: mountPoint)
        state.withLock { state in
            state.phase = .mounted
            state.mount = mount
        }
    }

    /// Serves the mount until it is unmounted, its connection is ended, or `requestStop`.
    ///
    /// The calling thread only waits. Signals should be blocked in it, and taken by another.
    ///
    /// - Throws: `sessionFailed`; by then nothing is served any more, as after a normal return.
    package func run() throws(FuseHostError) {
        WakeSignal.install()
        let isStopped = state.withLock { state -> Bool in
            precondition(state.phase == .mounted, "not mounted, or served already")
            state.phase = .serving
            state.loopThread = pthread_self()
            return state.isStopWanted
        }
        startNotifier()
        host.engine.setWillWait { [weak self] in
            guard let self else { return }
            // SAFETY: the session lives as long as `self`.
            unsafe cfuse_session_expect_wait(session)
        }
        host.handOver.set { [weak self] ino, range in
            guard let self else { return }
            // SAFETY: the session lives as long as `self`.
            _ = unsafe cfuse_hand_over(
                session, host.inodes.kernel(ino), range.lowerBound,
                range.upperBound - range.lowerBound)
        }
        let watchdog = host.watchdog
        host.engine.setRequestCount { watchdog.requestCount }
        host.whenFailed.set { [weak self] in
            guard let self else { return }
            host.options.log(
                .error, "io_uring brings no more requests: the mount ends; try -o no_io_uring")
            requestStop()
        }
        if let limit = host.options.stallLimit { startWatchdog(limit) }
        if isStopped { startStopping() }
        let threads = host.options.threadCount(processors: Processors.count)
        // SAFETY: the session lives as long as `self`.
        let result = unsafe cfuse_session_loop(
            session, UInt32(threads), host.options.clonesDevice ? 1 : 0)
        // From here on a failing answer is no news: libfuse would write it to standard error.
        unsafe cfuse_session_exit(session)
        state.withLock { state in
            state.phase = .served
            state.loopThread = nil
        }
        state.wakeAll()
        host.storeLane.drain()
        host.diskLane.drain()
        if !host.kernelLane.drain(atMost: Self.handOverLimit) {
            host.options.log(.warning, "the kernel still holds on to pages that were asked for")
        }
        // SAFETY: the session lives as long as `self`; nobody answers any more.
        unsafe cfuse_session_finish(session)
        if !notifier.stop() {
            host.options.log(.warning, "the kernel still holds on to a notification")
        }
        guard result == 0 else {
            throw .sessionFailed(FuseLog.take(otherwise: "error \(-result) from the device"))
        }
    }

    /// Makes `run` return soon. Any thread may call it at any time, and as often as it likes.
    package func requestStop() {
        let isServing = state.withLock { state -> Bool in
            guard !state.isStopWanted else { return false }
            state.isStopWanted = true
            return state.phase == .serving
        }
        if isServing { startStopping() }
    }

    /// Takes the mount away: at once for new callers, and for those inside when they leave.
    /// After `run` has returned, or instead of it.
    package func unmount() {
        let (isMounted, mount) = state.withLock { state -> (Bool, MountEntry?) in
            precondition(state.phase != .serving, "still serving: requestStop() first")
            defer { state.phase = .unmounted }
            return (state.phase == .mounted || state.phase == .served, state.mount)
        }
        guard isMounted else { return }
        guard let mount, mount == MountTable.current().mount(at: mountPoint) else {
            // Somebody was faster, and what is there now is none of ours.
            // SAFETY: the session lives as long as `self`; so below.
            return unsafe cfuse_session_disconnect(session)
        }
        unsafe cfuse_session_unmount(session)
        // libfuse takes an aborted connection for an unmounted one, and leaves the mount.
        if mount == MountTable.current().mount(at: mountPoint) {
            do throws(FuseHostError) {
                try DeadMount.clean(mountPoint)
            } catch {
                host.options.log(.warning, error.sentence)
            }
        }
    }

    /// Requests come by io_uring, not by the device.
    package var usesRing: Bool {
        // SAFETY: the session lives as long as `self`.
        unsafe cfuse_session_has_ring(session) != 0
    }

    /// Requests that wait for the store, the disk or the kernel right now, and that wait for a
    /// thread to wait on; for the status.
    package var waitingRequests: (running: Int, queued: Int) {
        [host.storeLane, host.diskLane, host.kernelLane].map(\.load).reduce((0, 0)) {
            ($0.0 + $1.running, $0.1 + $1.waiting)
        }
    }

    /// Ends the loop: its thread waits in libfuse for a signal, which it may just miss, so it is
    /// woken until it has seen the end.
    private func startStopping() {
        let isStarted = SystemThread.start("cairn-stop") { [self] in
            notifier.stop()
            endHandOvers()
            repeat {
                // SAFETY: the session lives as long as `self`. The thread is in `run` while the
                // lock is held: `run` takes the lock before it returns.
                unsafe cfuse_session_exit(session)
                state.withLock { state in
                    if let thread = state.loopThread { pthread_kill(thread, WakeSignal.number) }
                }
            } while state.wait(
                atMost: Self.stopInterval, { $0.phase == .serving ? nil : true }) == nil
        }
        if !isStarted { host.options.log(.error, "no thread to stop the mount with") }
    }

    /// Ends what waits for the kernel while its requests are still served: afterwards only the
    /// connection's end would.
    private func endHandOvers() {
        if host.kernelLane.drain(atMost: Self.handOverLimit) { return }
        do throws(FuseHostError) {
            try state.withLock { $0.mount?.connection }?.abort()
        } catch {
            host.options.log(.warning, error.sentence)
        }
    }

    private func startNotifier() {
        let inodes = host.inodes
        let isStarted = notifier.start { [self] change in
            // SAFETY: the session lives as long as `self`; names live for the length of the call.
            switch change {
            case .inode(let ino):
                _ = unsafe cfuse_invalidate_inode(session, inodes.kernel(ino))
            case .attributes(let ino):
                _ = unsafe cfuse_invalidate_attributes(session, inodes.kernel(ino))
            case .entry(let parent, let name):
                _ = unsafe name.withUnsafeBufferPointer { bytes in
                    guard let start = bytes.baseAddress else { return Int32(0) }
                    return unsafe cfuse_invalidate_entry(
                        session, inodes.kernel(parent), start, bytes.count)
                }
            }
        }
        guard isStarted else {
            return host.options.log(.error, "no thread to tell the kernel of changes with")
        }
        let notifier = notifier
        host.engine.setInvalidation { [weak self] change in
            guard case .attributes(let ino) = change else { return notifier.post(change) }
            // At once, so that who looks next sees it. For attributes alone the kernel takes no
            // lock that a request of ours may be waiting for.
            guard let self else { return }
            // SAFETY: the session lives as long as `self`.
            _ = unsafe cfuse_invalidate_attributes(session, inodes.kernel(ino))
        }
    }

    /// Watches the serving threads until the mount ends.
    private func startWatchdog(_ limit: Duration) {
        let most = max(2, Int(limit / Self.lookInterval))
        let isStarted = SystemThread.start("cairn-watchdog") { [self] in
            while state.wait(
                atMost: Self.lookInterval, { $0.phase == .serving ? nil : true }) == nil
            {
                guard host.watchdog.look() > most else { continue }
                host.options.log(.error, "a request was not answered for \(limit): giving up")
                do throws(FuseHostError) {
                    try DeadMount.abort(mountPoint)
                } catch {
                    host.options.log(.error, error.sentence)
                }
                requestStop()
                return
            }
        }
        if !isStarted { host.options.log(.warning, "no thread for the watchdog") }
    }
}
