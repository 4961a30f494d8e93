// SPDX-License-Identifier: Apache-2.0
//
// The control socket: whoever connects, and whatever they send, the server goes on serving.

import Control
import Engine
import Glibc
import Primitives
import Synchronization
import TestSupport
import Testing

struct ControlSocketTests {
    private static func status() -> DaemonStatus {
        var dice = SeededGenerator(seed: 7)
        return Samples.daemon(&dice)
    }

    /// A server that answers `status`, and `sync` after three reports.
    private static func server(in folder: VolumeFolder) throws -> ControlServer {
        try ControlServer(in: folder) { request, progress in
            if case .sync = request {
                for _ in 0..<3 { progress(status()) }
            }
            if case .describe(let path) = request {
                return .failed(CommandFailure(.unusablePath, "no \(path.count) bytes"))
            }
            return .done(status())
        }
    }

    @Test("a request is answered, with progress before the last reply")
    func exchange() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        let server = try Self.server(in: volume)
        defer { server.stop() }
        #expect(try ControlClient.status(of: volume) == Self.status())
        let count = Mutex(0)
        let reply = try ControlClient.ask(.sync(timeout: nil), of: volume) { _ in
            count.withLock { $0 += 1 }
        }
        #expect(reply == .done(Self.status()))
        #expect(count.withLock { $0 } == 3)
    }

    @Test("a daemon's failure is thrown as it was")
    func failure() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        let server = try Self.server(in: volume)
        defer { server.stop() }
        let failure = #expect(throws: CommandFailure.self) {
            try ControlClient.ask(.describe(path: [1, 2]), of: volume)
        }
        #expect(failure == CommandFailure(.unusablePath, "no 2 bytes"))
    }

    @Test("without a daemon there is no answer, also when a dead one's socket is left")
    func nobody() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        #expect(try ControlClient.status(of: volume) == nil)
        do {
            let server = try Self.server(in: volume)
            // Its file is put back as a killed daemon leaves it.
            try Files.rename(volume.socket, to: volume.socket + ".kept")
            server.stop()
            try Files.rename(volume.socket + ".kept", to: volume.socket)
            server.drain(within: .seconds(1))
        }
        // The thread that accepts may hold the socket for a moment yet.
        for _ in 0..<200 where try Self.isAnswered(volume) { usleep(5000) }
        #expect(try ControlClient.status(of: volume) == nil)
        let second = try Self.server(in: volume)
        defer { second.stop() }
        #expect(try ControlClient.status(of: volume) == Self.status())
    }

    private static func isAnswered(_ volume: VolumeFolder) throws -> Bool {
        do {
            return try ControlClient.status(of: volume) != nil
        } catch {
            return true
        }
    }

    @Test("the socket is for its owner alone, in a folder whose path no address would hold")
    func longPath() throws {
        let folder = try TemporaryFolder()
        let deep =
            folder.path + "/"
            + Array(repeating: String(repeating: "d", count: 60), count: 4)
            .joined(separator: "/")
        let volume = try StateFolder(deep).volume(.standard)
        try volume.make()
        let server = try Self.server(in: volume)
        defer { server.stop() }
        #expect(volume.socket.utf8.count > 108)
        #expect(try FileFacts.of(volume.socket).mode == 0o600)
        #expect(try ControlClient.status(of: volume) == Self.status())
    }

    @Test("hostile peers do not keep the server from serving", arguments: 0..<20)
    func hostile(seed: UInt64) throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        let server = try Self.server(in: volume)
        defer { server.stop() }
        var dice = SeededGenerator(seed: seed)
        for _ in 0..<8 {
            guard let channel = try RawChannel(volume) else {
                Issue.record("no connection, seed \(seed)")
                return
            }
            var writer = ByteWriter()
            switch Int.random(in: 0..<5, using: &dice) {
            case 0: break  // Says nothing, and goes.
            case 1: writer.u32le(UInt32.max)  // A message of 4 GiB.
            case 2:  // Less than it promised.
                writer.u32le(100)
                writer.raw([1, 2, 3])
            case 3:  // Rubbish of the right length.
                let count = Int.random(in: 0..<300, using: &dice)
                writer.u32le(UInt32(count))
                writer.raw((0..<count).map { _ in UInt8.random(in: 0...255, using: &dice) })
            default:  // A good request, and it goes without waiting for the answer.
                let request = ControlRequest.sync(timeout: nil).encoded()
                writer.u32le(UInt32(request.count))
                writer.raw(request)
            }
            channel.write(writer.bytes)
        }
        #expect(try ControlClient.status(of: volume) == Self.status(), "seed \(seed)")
    }

    @Test("more connections than are served at once are closed, and later ones are served again")
    func crowd() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        let server = try Self.server(in: volume)
        defer { server.stop() }
        do {
            // They are held open, and say nothing.
            var crowd: [RawChannel] = []
            for _ in 0..<(2 * ControlLimits.connectionCount) {
                if let channel = try RawChannel(volume) { crowd.append(channel) }
            }
            #expect(crowd.count > ControlLimits.connectionCount)
            withExtendedLifetime(crowd) {}
        }
        var answer: DaemonStatus?
        for _ in 0..<400 where answer == nil {
            do {
                answer = try ControlClient.status(of: volume)
            } catch {
                usleep(5000)
            }
        }
        #expect(answer == Self.status())
    }
}

/// A connection that sends what it likes.
private final class RawChannel {
    private let channel: Int32

    /// Nil when nobody listens.
    init?(_ volume: VolumeFolder) throws {
        channel = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array(volume.socket.utf8)
        // SAFETY: the tuple is the address's own; a test's folder has a short path.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path) }
        // SAFETY: a sockaddr_un is what a sockaddr of its family points to; it outlives the call.
        let result = unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe connect(channel, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { return nil }
    }

    deinit { close(channel) }

    func write(_ bytes: [UInt8]) {
        // SAFETY: the array lives through the call.
        _ = unsafe bytes.withUnsafeBytes { buffer in
            unsafe send(channel, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
        }
    }
}
