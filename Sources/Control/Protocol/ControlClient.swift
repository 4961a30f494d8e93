// SPDX-License-Identifier: Apache-2.0
//
// A command's end of the control socket.

import Threading

/// Asks a volume's daemon.
package enum ControlClient {
    /// Sends one request and waits for its last reply.
    ///
    /// - Parameters:
    ///   - wait: how long the daemon may be silent; nil for ever, for requests that take their
    ///     time.
    ///   - progress: called for each progress report.
    /// - Returns: nil when no daemon runs.
    /// - Throws: what the daemon answered; `failure` when it did not.
    package static func ask(
        _ request: ControlRequest, of folder: VolumeFolder,
        within wait: Duration? = ControlLimits.patience,
        progress: (DaemonStatus) -> Void = { _ in }
    ) throws(CommandFailure) -> ControlReply? {
        let reply: ControlReply?
        do throws(ControlError) {
            reply = try exchange(request, folder, wait, progress)
        } catch {
            throw failure(error, folder)
        }
        return try unlessFailed(reply)
    }

    /// The daemon's status; nil when none runs, or the one that was asked has ended meanwhile.
    package static func status(of folder: VolumeFolder) throws(CommandFailure) -> DaemonStatus? {
        let reply: ControlReply?
        do throws(ControlError) {
            reply = try exchange(.status, folder, ControlLimits.patience) { _ in }
        } catch {
            // One that was killed has its socket and its lock until the system has taken it apart.
            let hasEnded =
                error == .closed
                && polled(within: ControlLimits.patience, every: 5000) { !folder.isLocked }
            if hasEnded { return nil }
            throw failure(error, folder)
        }
        guard case .done(let status) = try unlessFailed(reply) else { return nil }
        return status
    }

    private static func unlessFailed(
        _ reply: ControlReply?
    ) throws(CommandFailure) -> ControlReply? {
        if case .failed(let failure) = reply { throw failure }
        return reply
    }

    private static func exchange(
        _ request: ControlRequest, _ folder: VolumeFolder, _ wait: Duration?,
        _ progress: (DaemonStatus) -> Void
    ) throws(ControlError) -> ControlReply? {
        guard let channel = try ControlChannel.connect(to: folder) else { return nil }
        var message = request.encoded()
        // It may bring a key.
        defer { Wiping.wipe(&message) }
        try channel.send(message)
        while true {
            let bytes = try channel.receive(limit: ControlLimits.replySize, within: wait)
            let reply = try reply(bytes)
            guard case .progress(let status) = reply else { return reply }
            progress(status)
        }
    }

    private static func reply(_ bytes: [UInt8]) throws(ControlError) -> ControlReply {
        do {
            return try ControlReply(decoding: bytes)
        } catch {
            throw .malformed(error)
        }
    }

    private static func failure(
        _ error: ControlError, _ folder: VolumeFolder
    ) -> CommandFailure {
        let who = "the daemon of “\(folder.name)”"
        return switch error {
        case .timedOut:
            CommandFailure(
                .failure, "\(who) does not answer",
                advice: "“\(folder.log)” may say why; “kill” its process if it hangs")
        case .malformed(let problem):
            CommandFailure(
                .failure, "\(who) answers what this program does not understand: \(problem)",
                advice: "it may be another version; unmount with the program that mounted it")
        case .system(let error):
            CommandFailure(.failure, "\(who) cannot be reached", error)
        case .closed:
            CommandFailure(.failure, "\(who) ended before it answered")
        }
    }
}
