// SPDX-License-Identifier: Apache-2.0
//
// What the daemon answers to commands. Runs on the connections' threads.

import Engine
import FuseHost
import Glibc
import Synchronization

extension Daemon {
    /// How often a command that waits for a finishing daemon is told how it goes.
    private static let progressInterval = Duration.milliseconds(200)

    /// Answers one request.
    func answer(
        _ request: ControlRequest, _ progress: (DaemonStatus) -> Void
    ) -> ControlReply {
        let isServing = condition.withLock { $0.phase } == .serving
        switch request {
        case .status:
            return .done(status())
        case .sync(let timeout):
            return isServing ? synchronize(timeout, progress) : awaitEnd(progress)
        case .describe(let path):
            return isServing ? describe(path) : .failed(ending)
        case .unmount(let timeout):
            guard isServing else { return awaitEnd(progress) }
            // Nothing goes out of a read-only mount, so there is nothing to wait for.
            if start.settings.isReadOnly { return requestUnmount(isForced: false) }
            let outcome = synchronize(timeout, progress)
            switch outcome {
            case .done: return requestUnmount(isForced: false)
            case .failed(let failure): return .failed(Self.stillMounted(failure))
            default: return outcome
            }
        case .publicData(let request):
            return isServing ? perform(request) : .failed(ending)
        case .padTransfer(let request):
            return isServing ? perform(request) : .failed(ending)
        case .unmountNow:
            return isServing ? requestUnmount(isForced: true) : .done(status())
        }
    }

    /// The daemon as it is now.
    func status() -> DaemonStatus {
        let now = condition.withLock { $0 }
        return DaemonStatus(
            process: getpid(), phase: now.phase, mountPoint: mountPoint,
            subdirectory: start.settings.subdirectory ?? "", device: device,
            isReadOnly: start.settings.isReadOnly, startedAt: startedAt,
            peakMemory: ProcessMemory.peak, usesRing: session.usesRing,
            engine: now.last ?? engine.engineStatus())
    }

    private var ending: CommandFailure {
        CommandFailure(.notMounted, "the volume “\(start.folder.name)” is being unmounted")
    }

    private func synchronize(
        _ timeout: Duration?, _ progress: (DaemonStatus) -> Void
    ) -> ControlReply {
        let now = engine.engineStatus()
        if start.settings.isReadOnly, now.hasUnpublishedChanges {
            return .failed(Self.unpublished("the volume is mounted read-only", now))
        }
        let outcome = withoutActuallyEscaping(progress) { report in
            engine.synchronizeRemotely(timeout: timeout) { [self] state in
                var now = status()
                now.engine = state
                report(now)
            }
        }
        switch outcome {
        case .published:
            return .done(status())
        case .failed(let sentence):
            let isLocal = engine.failedHere(sentence)
            return .failed(
                Self.unpublished(sentence, engine.statusAfterCommit(), isLocal: isLocal))
        case .timedOut:
            return .failed(Self.unpublished("the time is up", engine.statusAfterCommit()))
        }
    }

    /// Why a volume stays mounted that has changes in memory only.
    static func inMemoryOnly(_ changes: UncommittedChanges) -> CommandFailure {
        let end = "“kill \(getpid())” unmounts all the same, and loses them"
        return CommandFailure(
            .failure,
            "\(StatusText.count(changes.count, "change")) would be lost with this mount, for they "
                + "are in memory only: \(changes.cause)",
            advice: (changes.isLasting
                ? "copy what you need of them elsewhere; " : "mend that and try again; ") + end)
    }

    /// What is said of changes that were in memory only when the engine stopped.
    static func lost(_ changes: UncommittedChanges) -> CommandFailure {
        CommandFailure(
            .failure,
            "\(StatusText.count(changes.count, "change")) could not be kept on this machine and "
                + "are lost: \(changes.cause)",
            advice: "mend that, and make them again")
    }

    /// How the engine's end is answered.
    func end() -> ControlReply {
        if let changes = condition.withLock({ $0.last?.uncommitted }) {
            return .failed(Self.lost(changes))
        }
        return .done(status())
    }

    /// Why not everything is on the store, and how much is not.
    ///
    /// - Parameter isLocal: whether it is this machine that failed, not the store.
    static func unpublished(
        _ cause: String, _ state: EngineStatus, isLocal: Bool = false
    ) -> CommandFailure {
        if let changes = state.uncommitted { return inMemoryOnly(changes) }
        let trimmed = cause.hasSuffix(".") ? String(cause.dropLast()) : cause
        let rest = StatusText.outstanding(of: state).map { "; \($0)" } ?? ""
        // What was refused is not asked for again by itself.
        let isTreeAlone = state.pendingForeign > 0 && !state.hasUnpublishedChanges
        let advice =
            if !state.halted.isEmpty {
                StatusText.wayOn
            } else if isLocal {
                "mend that first: until then it is on this machine only"
            } else if isTreeAlone {
                StatusText.safe + "; “cairn sync” tries it again"
            } else {
                StatusText.safe + " and goes out when the store takes it"
            }
        return CommandFailure(
            .unpublished, "not everything is on the store: \(trimmed)\(rest)", advice: advice)
    }

    /// The same for who wanted to unmount.
    static func stillMounted(_ failure: CommandFailure) -> CommandFailure {
        guard failure.code == .unpublished else { return failure }
        // What this machine fails with, or never goes out, has an advice of its own.
        let advice =
            failure.advice.hasPrefix(StatusText.safe)
            ? "all of it is safe on this machine: unmount with --now to have it go out at the "
                + "next mount, or mend the cause and unmount again"
            : failure.advice + "; “cairn unmount --now” ends this mount as it is"
        return CommandFailure(
            failure.code, failure.sentence + "; it is still mounted", advice: advice)
    }

    private func describe(_ path: [UInt8]) -> ControlReply {
        let context = RequestContext.patient(for: start.configuration.readDeadline)
        do {
            let ino = try engine.resolve(path, context)
            return .description(FileReport(try engine.describe(ino, context)))
        } catch {
            return .failed(FileInquiry.failure(String(decoding: path, as: UTF8.self), error))
        }
    }

    private func perform(_ request: PublicDataRequest) -> ControlReply {
        do throws(CommandFailure) {
            return .publicData(try PublicDataTask(engine: engine).perform(request))
        } catch {
            return .failed(error)
        }
    }

    private func perform(_ request: PadTransferRequest) -> ControlReply {
        do throws(CommandFailure) {
            return .padTransfer(try PadTransferTask(engine: engine).perform(request))
        } catch {
            return .failed(error)
        }
    }

    private func requestUnmount(isForced: Bool) -> ControlReply {
        // What the kernel has yet is to be safe here, too, before anything is detached.
        if isForced { flushKernel() }
        if let changes = engine.statusAfterCommit().uncommitted {
            return .failed(Self.inMemoryOnly(changes))
        }
        do {
            let answer: Mailbox<ControlReply> = try Self.mailbox()
            guard events.send(.unmount(isForced: isForced, answer: answer)) else {
                return .failed(CommandFailure(.failure, "the daemon has too much to do"))
            }
            while true {
                if let reply = answer.receive(within: Self.progressInterval) { return reply }
                // Something else ended the daemon first: what was asked for has happened.
                if condition.withLock({ $0.last != nil }) { return end() }
            }
        } catch {
            return .failed(error)
        }
    }

    private func awaitEnd(_ progress: (DaemonStatus) -> Void) -> ControlReply {
        while condition.withLock({ $0.last == nil }) {
            progress(status())
            usleep(UInt32(DurationText.milliseconds(of: Self.progressInterval)) * 1000)
        }
        return end()
    }
}

extension Engine {
    /// Whether a sentence that it just failed with tells of this machine's own disk.
    func failedHere(_ sentence: String) -> Bool {
        newestError == sentence && isNewestErrorLocal
    }
}
