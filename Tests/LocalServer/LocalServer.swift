// SPDX-License-Identifier: Apache-2.0
//
// An HTTP server on 127.0.0.1 that does what a test tells it to, misbehaviour included: slow, cut,
// chunked, oversize, garbage, silence. A thread for each connection; nothing outlives `stop`.

import Foundation
import Glibc
import Synchronization

/// A server for one test.
package final class LocalServer: Sendable {
    /// What a client asked.
    package struct Request: Sendable {
        package let method: String
        /// Path and query, as they came.
        package let target: String
        /// Names in lower case.
        package let headers: [(name: String, value: String)]
        package let body: [UInt8]
        /// Counts connections from 1: tells whether one was used again.
        package let connection: Int

        /// The value of the first header of this name, given in lower case.
        package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
    }

    /// What the server does, one after the other.
    package enum Step: Sendable {
        case send([UInt8])
        case pause(Duration)
        case close
        /// Says nothing until the client leaves or the server is stopped.
        case silence
    }

    private struct State {
        var listener: Int32
        var connections: Set<Int32> = []
        var count = 0
        var requests: [Request] = []
        var isStopped = false
    }

    /// The most bytes of one request.
    private static let requestLimit = 128 << 20

    package let port: UInt16
    private let state: Mutex<State>
    private let handler: @Sendable (Request) -> [Step]
    private let readsBodies: Bool
    private let threads = DispatchGroup()

    /// Starts to listen.
    ///
    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - readsBodies: whether it takes what clients send behind their headers.
    ///   - handler: called by the connection's thread for each whole request.
    package init(
        port: UInt16 = 0, readsBodies: Bool = true,
        _ handler: @escaping @Sendable (Request) -> [Step]
    ) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard listener >= 0 else { throw POSIXError(.EIO) }
        self.port = try LocalServer.listen(listener, port)
        state = Mutex(State(listener: listener))
        self.handler = handler
        self.readsBodies = readsBodies
        threads.enter()
        Thread.detachNewThread { [self] in
            defer { threads.leave() }
            acceptAll(listener)
        }
    }

    /// `http://127.0.0.1:port`.
    package var url: String { "http://127.0.0.1:\(port)" }

    /// All requests so far, in the order they were whole.
    package var requests: [Request] { state.withLock { $0.requests } }

    /// How many connections there were.
    package var connectionCount: Int { state.withLock { $0.count } }

    /// Ends every connection and waits for the threads.
    package func stop() {
        let descriptors = state.withLock { state in
            state.isStopped = true
            return [state.listener] + state.connections
        }
        for descriptor in descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
        threads.wait()
    }

    private static func listen(_ listener: Int32, _ port: UInt16) throws -> UInt16 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        var one: Int32 = 1
        // SAFETY, for the block: addresses and sizes of locals, for the length of each call.
        let length = socklen_t(MemoryLayout<Int32>.size)
        unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, length)
        let isListening = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                unsafe bind(listener, generic, size) == 0
                    && Glibc.listen(listener, 128) == 0
                    && getsockname(listener, generic, &size) == 0
            }
        }
        guard isListening else {
            close(listener)
            throw POSIXError(.EADDRINUSE)
        }
        return UInt16(bigEndian: address.sin_port)
    }

    private func acceptAll(_ listener: Int32) {
        while true {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { break }
            let number = state.withLock { state -> Int? in
                guard !state.isStopped else { return nil }
                state.connections.insert(connection)
                state.count += 1
                return state.count
            }
            guard let number else {
                close(connection)
                break
            }
            threads.enter()
            Thread.detachNewThread { [self] in
                defer { threads.leave() }
                serve(connection, number)
                state.withLock { _ = $0.connections.remove(connection) }
                close(connection)
            }
        }
        close(listener)
    }

    private func serve(_ connection: Int32, _ number: Int) {
        var input = Input(connection)
        while let request = input.request(number, limit: LocalServer.requestLimit, readsBodies) {
            state.withLock { $0.requests.append(request) }
            for step in handler(request) {
                switch step {
                case .send(let bytes):
                    guard LocalServer.send(connection, bytes) else { return }
                case .pause(let time):
                    Thread.sleep(forTimeInterval: time / .seconds(1))
                case .close:
                    return
                case .silence:
                    input.waitForEnd()
                    return
                }
            }
        }
    }

    private static func send(_ connection: Int32, _ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            // SAFETY: the slice's bytes are lent for the call.
            let count = unsafe rest.withUnsafeBytes { buffer in
                unsafe Glibc.send(
                    connection, buffer.baseAddress, buffer.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

extension LocalServer.Step {
    /// A whole answer with its size.
    package static func answer(
        _ status: Int, _ headers: [(String, String)] = [], _ body: [UInt8] = []
    ) -> LocalServer.Step {
        .send(head(status, headers + [("Content-Length", "\(body.count)")]) + body)
    }

    /// The first lines of an answer, up to where its body begins.
    package static func head(_ status: Int, _ headers: [(String, String)]) -> [UInt8] {
        let lines = headers.map { "\($0): \($1)\r\n" }.joined()
        return Array("HTTP/1.1 \(status) Told\r\n\(lines)\r\n".utf8)
    }

    /// A piece of a body in chunked encoding; the empty one ends it.
    package static func chunk(_ bytes: [UInt8]) -> LocalServer.Step {
        .send(Array("\(String(bytes.count, radix: 16))\r\n".utf8) + bytes + Array("\r\n".utf8))
    }
}
