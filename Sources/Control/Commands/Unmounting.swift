// SPDX-License-Identifier: Apache-2.0
//
// `cairn unmount` and `cairn sync`.

package import Engine
import Glibc
import Threading

/// Brings volumes to their store, and away from their mount points.
package struct Unmounting: Sendable {
    /// How long a daemon may take to end after its last reply.
    private static let endPatience = Duration.seconds(30)

    /// The volume.
    package var target: VolumeTarget
    /// How long to wait for the store; nil for as long as it takes.
    package var timeout: Duration?
    /// Tells a person how it goes; called some times a second.
    package var progress: @Sendable (EngineStatus) -> Void = { _ in }

    /// - Parameter target: the volume.
    package init(_ target: VolumeTarget) {
        self.target = target
    }

    /// Brings everything to the store.
    ///
    /// - Returns: how things are then.
    /// - Throws: `unpublished` when the store does not take it, or not in time; `failure` when all
    ///   is there but what the kernel has dropped since somebody asked last.
    package func synchronize() throws(CommandFailure) -> EngineStatus {
        let status = try target.running()
        let dropped = try flushKernel(status)
        let last = try ask(.sync(timeout: timeout)).engine
        if let dropped {
            throw CommandFailure(
                .failure,
                "all that was taken is on the store; but before, while there was no room or no "
                    + "answer, the kernel dropped bytes that programs had written", dropped,
                advice: "these programs were told at fsync or close: write their files anew")
        }
        return last
    }

    /// Unmounts, when everything is on the store and nobody uses it; returns when the daemon is
    /// gone.
    ///
    /// - Parameter isForced: at once, whatever is not on the store and whoever uses it.
    /// - Returns: how things were at the end.
    /// - Throws: `busy` with the programs that use it; `unpublished`; then it stays mounted.
    package func unmount(isForced: Bool) throws(CommandFailure) -> EngineStatus {
        let status = try target.running()
        if status.phase == .serving, let failure = status.displacement(of: target.folder.name) {
            // A mount that is gone has only its daemon left to end.
            let isGone = MountPoint.standing(of: status.device, at: status.mountPoint) == .gone
            let isEnding = try status.isEnding(target.folder)
            guard isEnding || isForced && isGone else { throw failure }
        }
        if !isForced {
            // Looked for first: nobody should wait for a flush only to hear this.
            try refuseIfBusy(status)
            if let dropped = try flushKernel(status) {
                throw CommandFailure(
                    .failure,
                    "while there was no room or no answer, the kernel dropped bytes that programs "
                        + "had written; it is still mounted", dropped,
                    advice: "these programs were told at fsync or close: write their files anew, "
                        + "or unmount again")
            }
        }
        let last: DaemonStatus
        do {
            last = try ask(isForced ? .unmountNow : .unmount(timeout: timeout))
        } catch  where error.code == .busy {
            try refuseIfBusy(status)
            throw error
        }
        try awaitEnd()
        return last.engine
    }

    private func ask(_ request: ControlRequest) throws(CommandFailure) -> DaemonStatus {
        let reply = try ControlClient.ask(request, of: target.folder, within: nil) {
            progress($0.engine)
        }
        guard case .done(let status) = reply else {
            // It ended between our looking and our asking.
            return try target.running()
        }
        return status
    }

    /// - Returns: what the kernel could not hand over before, and has dropped.
    private func flushKernel(_ status: DaemonStatus) throws(CommandFailure) -> SystemError? {
        guard status.phase == .serving, try !status.isEnding(target.folder) else { return nil }
        let root: Descriptor
        do {
            root = try Descriptor.open(status.mountPoint, O_RDONLY | O_DIRECTORY)
        } catch  where error.code == EACCES || error.code == ENOENT {
            // Mounted for another user, or unmounted meanwhile: the daemon itself will see.
            return nil
        } catch {
            throw unflushed(status, error)
        }
        try status.requireRoot(root, of: target.folder.name)
        do {
            return try KernelCache.flush(root)
        } catch {
            throw unflushed(status, error)
        }
    }

    private func unflushed(_ status: DaemonStatus, _ error: SystemError) -> CommandFailure {
        CommandFailure(
            .failure, "what programs wrote to “\(status.mountPoint)” cannot be flushed", error,
            advice: "“\(target.folder.log)” may say why")
    }

    private func refuseIfBusy(_ status: DaemonStatus) throws(CommandFailure) {
        guard status.phase == .serving else { return }
        let users = MountUsers.find(of: status.mountPoint)
        guard !users.isEmpty else { return }
        let shown = users.prefix(MountUsers.shownCount).map { "\($0.name) (process \($0.process))" }
        let rest = users.count - shown.count
        let list = shown.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
        throw CommandFailure(
            .busy, "“\(status.mountPoint)” is in use by \(list)",
            advice: "end them and try again, or unmount at once with --now")
    }

    private func awaitEnd() throws(CommandFailure) {
        guard polled(within: Self.endPatience, every: 5000, { !target.folder.isLocked }) else {
            throw CommandFailure(
                .failure, "the daemon of “\(target.folder.name)” does not end",
                advice: "it is unmounted; “\(target.folder.log)” may say why")
        }
    }
}
