// SPDX-License-Identifier: Apache-2.0
//
// The life of one mount, from its start to the end of its process.
//
// States: starting → serving → finishing → ended.
//   starting   lock, engine, session, control socket; any failure goes to the one who started it
//   serving    until a signal, an unmount from outside, or a command
//   finishing  nothing is mounted any more; what is not on the store is brought there, for a
//              named time
//   ended      everything is committed here; the log says what is left for the next mount
//
// Invariants:
// - the folder's lock is held from before the engine starts until after it has stopped;
// - only the thread in `run` changes the state, mounts, unmounts, and stops the engine;
// - the control socket answers until the engine has stopped.

import Blocks
package import Cryptography
import Engine
import FuseHost
import Glibc
import Namespace
import Synchronization
import Threading

/// A mounted volume's process.
package final class Daemon: Sendable {
    /// What can happen while it serves.
    enum Event: Sendable {
        case signal(Int32)
        case sessionEnded(FuseHostError?)
        case unmount(isForced: Bool, answer: Mailbox<ControlReply>)
    }

    /// What connections see of the state.
    struct Condition: Sendable {
        var phase = DaemonStatus.Phase.serving
        /// The engine's last words; set when it has stopped.
        var last: EngineStatus?
    }

    /// How long a session may take to end after its unmount.
    static let sessionPatience = Duration.seconds(20)
    /// How long connections have to take their last reply.
    static let replyPatience = Duration.seconds(2)

    let start: VolumeStart
    let mountPoint: String
    let log: EventLog
    let lock: StateLock
    let engine: Engine
    let session: FuseSession
    /// The mounted filesystem's device number; 0 where it is not known.
    let device: UInt64
    let events: Mailbox<Event>
    let condition = Mutex(Condition())
    let startedAt = Int64(time(nil))

    /// Brings a volume up to the point where its mount answers.
    ///
    /// - Parameters:
    ///   - start: the volume, and what its mount wants.
    ///   - mountPoint: an absolute path.
    /// - Throws: the sentence for whatever went wrong; nothing is left mounted or locked then.
    package init(
        _ start: VolumeStart, at mountPoint: String, seed: SecretBytes, log: EventLog
    ) throws(CommandFailure) {
        self.start = start
        self.mountPoint = mountPoint
        self.log = log
        events = try Self.mailbox()
        lock = try start.folder.lock()
        if try MountPoint.cleanDead(mountPoint) {
            log.write(.warning, "the mount of a daemon that died was cleaned away")
        }
        var mounted = start
        mounted.isMount = true
        let engine = try mounted.start(.existing, seed: seed)
        self.engine = engine
        do {
            session = try Self.mount(engine, start, mountPoint, log)
            device = MountPoint.device(at: mountPoint)
        } catch {
            // Nobody wrote anything: this only closes what was opened.
            _ = engine.stop(finishing: nil)
            throw error
        }
    }

    static func mailbox<Value>() throws(CommandFailure) -> Mailbox<Value> {
        do {
            return try Mailbox<Value>()
        } catch {
            throw CommandFailure(.failure, "the daemon cannot be set up", error)
        }
    }

    private static func mount(
        _ engine: Engine, _ start: VolumeStart, _ mountPoint: String, _ log: EventLog
    ) throws(CommandFailure) -> FuseSession {
        let settings = start.settings
        var options = MountOptions(mountPoint: mountPoint)
        options.fsname = MountPoint.source(of: start.folder.name)
        options.allowOther = settings.allowsOthers
        options.checksPermissions = settings.alwaysChecksPermissions || !Superuser.isCaller
        options.usesRing = !settings.avoidsRing
        options.readOnly = settings.isReadOnly
        options.suid = settings.honoursSetUser
        options.dev = settings.honoursDevices
        options.exec = !settings.forbidsPrograms
        // What the kernel gathered would be refused at the close, and as another error.
        options.writebackCache = start.quota == nil
        options.patience = start.configuration.readDeadline
        options.log = { level, message in
            switch level {
            case .debug: break
            case .warning: log.write(.warning, message)
            case .error: log.write(.error, message)
            }
        }
        if let subdirectory = settings.subdirectory {
            options.rootInode = try root(subdirectory, engine, start)
        }
        do {
            let session = try FuseSession(engine: engine, options: options)
            try session.mount()
            return session
        } catch {
            throw CommandFailure(error)
        }
    }

    private static func root(
        _ subdirectory: String, _ engine: Engine, _ start: VolumeStart
    ) throws(CommandFailure) -> UInt64 {
        let context = RequestContext.patient(for: start.configuration.readDeadline)
        do throws(FileError) {
            let ino = try engine.resolve(Array(("/" + subdirectory).utf8), context)
            guard try engine.status(of: ino, context).kind == .directory else {
                throw FileError.notDirectory
            }
            return ino
        } catch {
            throw CommandFailure(
                .unusablePath, "the volume has no folder “\(subdirectory)”: \(error.words)",
                advice: "give another one with -o subdir=")
        }
    }

    /// Serves until something ends it, then brings to the store what it can.
    ///
    /// - Parameter ready: called once when the mount answers; false ends the daemon, because who
    ///   wanted the mount is gone.
    package func run(ready: () -> Bool) throws(CommandFailure) {
        try begin()
        let server: ControlServer
        do {
            server = try ControlServer(in: start.folder) { [self] in answer($0, $1) }
        } catch {
            leave(isForced: true)
            finish(within: nil)
            throw error
        }
        log.write(.note, "mounted, revision \(engine.engineStatus().revision)")
        if ready() {
            serve()
        } else {
            log.write(.warning, "who asked for the mount is gone: it ends")
            leave(isForced: true)
            finish(within: nil)
        }
        server.stop()
        server.drain(within: Self.replyPatience)
    }

    /// Starts the two threads that bring events.
    private func begin() throws(CommandFailure) {
        do throws(SystemError) {
            try Signals.watch { [self] in take(signal: $0) }
            let isStarted = SystemThread.start("cairn-session") { [self] in
                do throws(FuseHostError) {
                    try session.run()
                    events.send(.sessionEnded(nil))
                } catch {
                    events.send(.sessionEnded(error))
                }
            }
            guard isStarted else { throw SystemError.noThread }
        } catch {
            leave(isForced: true)
            finish(within: nil)
            throw CommandFailure(.failure, "the daemon cannot be set up", error)
        }
    }

    /// A second signal ends a daemon that is finishing: everything is committed here as it comes.
    private func take(signal number: Int32) {
        if condition.withLock({ $0.phase }) == .finishing {
            log.write(.warning, "signal \(number) again: it ends at once")
            _exit(128 + number)
        }
        events.send(.signal(number))
    }

    private func serve() {
        while true {
            switch events.receive(within: nil) {
            case nil:
                continue
            case .signal(let number):
                log.write(.note, "signal \(number): it ends")
                leave(isForced: true)
                return finish(within: finishTime)
            case .sessionEnded(let error):
                if let error { log.write(.error, error.sentence) }
                log.write(.note, "unmounted from outside")
                return finish(within: finishTime)
            case .unmount(let isForced, let answer):
                guard leave(isForced: isForced, isFlushed: true) else {
                    answer.send(.failed(busy))
                    continue
                }
                finish(within: isForced ? nil : finishTime)
                answer.send(end())
                return
            }
        }
    }

    private var finishTime: Duration {
        start.settings.finishTime ?? start.configuration.finishTime
    }

    private var busy: CommandFailure {
        CommandFailure(.busy, "programs still use “\(mountPoint)”")
    }

    /// Unmounts, and waits for the session's end.
    ///
    /// - Parameters:
    ///   - isForced: also when programs use it; they then see errors.
    ///   - isFlushed: the kernel has just handed over what it had.
    /// - Returns: false when programs use it, and it goes on.
    @discardableResult
    private func leave(isForced: Bool, isFlushed: Bool = false) -> Bool {
        do throws(CommandFailure) {
            if isForced {
                if !isFlushed { flushKernel() }
                if isInPlace { try MountPoint.detach(mountPoint) }
                session.requestStop()
            } else {
                guard try unmount() else { return false }
            }
        } catch {
            log.write(.error, error.sentence)
            guard isForced else { return false }
            session.requestStop()
        }
        condition.withLock { $0.phase = .finishing }
        awaitSession()
        return true
    }

    /// What somebody else mounted there is not ours to take away.
    private var isInPlace: Bool {
        MountPoint.standing(of: device, at: mountPoint) == .inPlace
    }

    private func unmount() throws(CommandFailure) -> Bool {
        switch MountPoint.standing(of: device, at: mountPoint) {
        case .inPlace: break
        case .covered: return false
        case .gone: return true  // Somebody else was faster.
        }
        do {
            return try MountPoint.unmount(mountPoint)
        } catch {
            throw CommandFailure(.failure, "“\(mountPoint)” cannot be unmounted", error)
        }
    }

    /// Has the kernel hand over what programs wrote to files they still have open.
    ///
    /// On a thread of its own: the one that asks waits for those that serve, and if they hang the
    /// daemon must end all the same.
    func flushKernel() {
        do {
            let done = try Mailbox<Bool>()
            let (mountPoint, device) = (mountPoint, device)
            let isStarted = SystemThread.start("cairn-kernel") {
                do {
                    let root = try Descriptor.open(mountPoint, O_RDONLY | O_DIRECTORY)
                    let isOurs = try device == 0 || FileFacts.of(root).filesystem == device
                    done.send(try isOurs && KernelCache.flush(root) == nil)
                } catch {
                    done.send(false)
                }
            }
            if isStarted, done.receive(within: Self.sessionPatience) == true { return }
        } catch {
            // Said below, as every other way in which it was not done.
        }
        log.write(.warning, "the kernel may have kept what programs wrote last")
    }

    private func awaitSession() {
        let deadline = WaitClock.now + Self.sessionPatience
        while let event = events.receive(within: deadline - WaitClock.now) {
            if case .sessionEnded(let error) = event {
                if let error { log.write(.error, error.sentence) }
                return
            }
        }
        // A program keeps a detached mount alive, or a thread hangs: neither may keep us.
        session.requestStop()
        log.write(.warning, "the kernel still holds the mount")
    }

    /// Stops the engine, and says what is left.
    private func finish(within time: Duration?) {
        condition.withLock { $0.phase = .finishing }
        let last = engine.stop(finishing: time)
        condition.withLock { $0.last = last }
        if let changes = last.uncommitted {
            log.write(.error, Self.lost(changes).sentence)
        } else {
            start.folder.noteLeft(StatusText.left(by: last))
        }
        log.write(.note, "ended at revision \(last.revision); \(StatusText.remainder(of: last))")
    }
}
