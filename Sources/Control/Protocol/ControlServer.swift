// SPDX-License-Identifier: Apache-2.0
//
// The daemon's end of the control socket.
//
// Invariants:
// - the socket is in the volume's folder (0700), mode 0600, and a peer of another user is not
//   answered;
// - at most `ControlLimits.connectionCount` connections are served at once;
// - it serves until `stop`, also while the daemon finishes: who waits for it can watch.

import Glibc
import Synchronization
import Threading

/// Serves requests of commands, each on a thread of its own.
package final class ControlServer: Sendable {
    /// Answers one request. Progress may be sent before the one last reply is returned; a
    /// connection that breaks meanwhile makes no difference to the work.
    package typealias Handler =
        @Sendable (ControlRequest, _ progress: (DaemonStatus) -> Void) -> ControlReply

    /// Connections the kernel keeps for us before they are accepted.
    private static let backlog: Int32 = 16

    private let folder: VolumeFolder
    private let listener: Descriptor
    private let stopping: Pipe
    private let handler: Handler
    private let connections = Mutex(0)

    /// Binds the socket and starts to serve. The folder's lock must be held: a socket that is there
    /// already is then a dead daemon's.
    package init(
        in folder: VolumeFolder, _ handler: @escaping Handler
    ) throws(CommandFailure) {
        self.folder = folder
        self.handler = handler
        do throws(SystemError) {
            stopping = try Pipe()
            try Files.remove(folder.socket)
            listener = try ControlChannel.socket()
            try UnixAddress(in: folder.path, name: ControlChannel.fileName).bind(listener)
            try Files.setMode(folder.socket, 0o600)
            guard listen(listener.number, Self.backlog) == 0 else {
                throw SystemError.last("listen")
            }
            guard SystemThread.start("cairn-control", { self.acceptConnections() }) else {
                throw SystemError.noThread
            }
        } catch {
            throw CommandFailure(
                .failure, "the control socket “\(folder.socket)” cannot be made", error)
        }
    }

    /// Takes no more connections, and removes the socket. Open ones are served to their end.
    package func stop() {
        do {
            try stopping.writing.writeAll([1].span)
            try Files.remove(folder.socket)
        } catch {
            // The next daemon removes it, and a command that meets it is told ECONNREFUSED.
        }
    }

    /// Waits until every connection has had its reply, at most as long as this.
    package func drain(within wait: Duration) {
        // Whoever was not answered by then finds its connection closed.
        _ = polled(within: wait, every: 5000) { connections.withLock { $0 } == 0 }
    }

    private func acceptConnections() {
        while true {
            var ends = [
                pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: stopping.reading.number, events: Int16(POLLIN), revents: 0),
            ]
            // SAFETY: the array is ours, and its count is given.
            let ready = unsafe poll(&ends, nfds_t(ends.count), -1)
            if ends[1].revents != 0 { return }
            let number = ready > 0 ? accept(listener.number, nil, nil) : -1
            guard number >= 0 else {
                // Out of descriptors, or a connection that went away. Not in a tight loop.
                if ready > 0 { usleep(10_000) }
                continue
            }
            _ = fcntl(number, F_SETFD, FD_CLOEXEC)
            serve(ControlChannel(Descriptor(owning: number)))
        }
    }

    private func serve(_ channel: consuming ControlChannel) {
        let isWelcome = connections.withLock { count in
            guard count < ControlLimits.connectionCount else { return false }
            count += 1
            return true
        }
        guard isWelcome else { return }
        let box = ConnectionBox(channel)
        let isServed = SystemThread.start("cairn-answer") {
            defer { self.connections.withLock { $0 -= 1 } }
            guard let channel = box.take() else { return }
            self.answer(channel)
        }
        // No thread to be had: the peer sees its connection closed, and says so.
        if !isServed { connections.withLock { $0 -= 1 } }
    }

    private func answer(_ channel: consuming ControlChannel) {
        guard channel.isFromOwner else { return }
        do {
            let bytes = try channel.receive(
                limit: ControlLimits.requestSize, within: ControlLimits.patience)
            let reply: ControlReply
            do {
                let request = try ControlRequest(decoding: bytes)
                reply = handler(request) { status in
                    do {
                        try channel.send(ControlReply.progress(status).encoded())
                    } catch {
                        // Nobody watches any more; the work goes on all the same.
                    }
                }
            } catch {
                reply = .failed(CommandFailure(.failure, "the daemon does not know this request"))
            }
            try channel.send(reply.encoded())
        } catch {
            // The peer went away or said nothing; there is nobody to tell.
        }
    }
}

/// Carries a connection to the thread that serves it.
private final class ConnectionBox: Sendable {
    private let channel: Mutex<ControlChannel?>

    init(_ channel: consuming ControlChannel) {
        self.channel = Mutex(channel)
    }

    func take() -> ControlChannel? {
        channel.withLock { $0.take() }
    }
}
