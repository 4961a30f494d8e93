// SPDX-License-Identifier: Apache-2.0
//
// One end of a control connection: messages in and out, each after its length.
//
// Invariants: no message above its limit is read into memory; no wait is without an end.

internal import CLinux
import Glibc
package import Primitives
import Threading

/// Why a control connection gave no message.
package enum ControlError: Error, Equatable, Sendable {
    /// The other end closed it.
    case closed
    /// The other end said nothing in time.
    case timedOut
    /// What came is no message.
    case malformed(CodingError)
    /// The operating system refused.
    case system(SystemError)
}

/// A connected control socket.
package struct ControlChannel: ~Copyable, Sendable {
    /// The file's name in a volume's folder.
    static let fileName = "control"

    private let socket: Descriptor

    init(_ socket: consuming Descriptor) {
        self.socket = socket
    }

    /// Connects to the daemon of `folder`.
    ///
    /// - Returns: nil when no daemon is there.
    package static func connect(to folder: VolumeFolder) throws(ControlError) -> ControlChannel? {
        do throws(SystemError) {
            let socket = try Self.socket()
            try UnixAddress(in: folder.path, name: fileName).connect(socket)
            return ControlChannel(socket)
        } catch {
            if error.code == ENOENT || error.code == ECONNREFUSED { return nil }
            throw .system(error)
        }
    }

    static func socket() throws(SystemError) -> Descriptor {
        // SOCK_CLOEXEC is an enumeration case in Glibc's module, and so is SOCK_STREAM.
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let number = Glibc.socket(AF_UNIX, kind, 0)
        guard number >= 0 else { throw SystemError.last("socket") }
        return Descriptor(owning: number)
    }

    /// Sends one message. A reader that takes nothing for `ControlLimits.patience` ends it.
    package func send(_ message: [UInt8]) throws(ControlError) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(message.count + 4)
        // It may bring a key: this is the only copy, and no writer has a share in it.
        defer { Wiping.wipe(&bytes) }
        for shift in [0, 8, 16, 24] {
            bytes.append(UInt8(truncatingIfNeeded: UInt32(message.count) >> shift))
        }
        bytes += message
        var done = 0
        let deadline = WaitClock.now + ControlLimits.patience
        while done < bytes.count {
            // SAFETY: the array lives through the call, which only reads it.
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.send(
                    socket.number, buffer.baseAddress?.advanced(by: done), buffer.count - done,
                    Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count >= 0 {
                done += count
            } else if errno == EAGAIN {
                guard socket.isReady(for: POLLOUT, within: deadline - WaitClock.now) else {
                    throw .timedOut
                }
            } else if errno == EPIPE || errno == ECONNRESET {
                throw .closed
            } else if errno != EINTR {
                throw .system(SystemError.last("send"))
            }
        }
    }

    /// Receives one message of at most `limit` bytes.
    ///
    /// - Parameter wait: until the whole message is there; nil waits for ever.
    package func receive(limit: Int, within wait: Duration?) throws(ControlError) -> [UInt8] {
        let deadline = wait.map { WaitClock.now + $0 }
        var head = ByteReader(try exactly(4, by: deadline))
        let count: UInt32
        do {
            count = try head.u32le()
        } catch {
            throw .malformed(error)
        }
        guard count <= limit else { throw .malformed(.tooLarge(limit: limit)) }
        return try exactly(Int(count), by: deadline)
    }

    private func exactly(
        _ count: Int, by deadline: WaitClock.Instant?
    ) throws(ControlError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let rest = deadline.map { $0 - WaitClock.now } ?? .seconds(3600)
            guard rest > .zero else { throw .timedOut }
            guard socket.isReady(for: POLLIN, within: rest) else { continue }
            var all = bytes.mutableSpan
            var part = all._mutatingExtracting(done...)
            let got: Int
            do {
                got = try socket.read(into: &part)
            } catch {
                throw error.code == ECONNRESET ? .closed : .system(error)
            }
            guard got > 0 else { throw .closed }
            done += got
        }
        return bytes
    }

    /// True when the other end runs as this user, or as root.
    var isFromOwner: Bool {
        var process: Int32 = 0
        var user: UInt32 = 0
        // SAFETY: both are ours.
        guard unsafe cairn_peer(socket.number, &process, &user) == 0 else { return false }
        return user == geteuid() || user == 0
    }
}
