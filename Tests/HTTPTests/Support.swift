// SPDX-License-Identifier: Apache-2.0
//
// What the tests of HTTP share.

import Foundation
import HTTP
import LocalServer
import Synchronization
import Testing

/// A server, and a client that knows nothing of proxies.
struct Pair {
    let server: LocalServer
    let client: HTTPClient

    init(
        connectionLimit: Int = 8, readsBodies: Bool = true,
        _ handler: @escaping @Sendable (LocalServer.Request) -> [LocalServer.Step]
    ) throws {
        server = try LocalServer(readsBodies: readsBodies, handler)
        client = testClient(connectionLimit: connectionLimit)
    }

    func get(_ path: String = "/", limit: Int = 1 << 20) throws(HTTPError) -> HTTPResponse {
        try client.perform(HTTPRequest(.get, server.url + path, sink: .collect(limit: limit)))
    }

    func stop() {
        client.stop()
        server.stop()
    }
}

func testClient(certificateFile: String? = nil, connectionLimit: Int = 8) -> HTTPClient {
    HTTPClient(
        HTTPClient.Configuration(
            userAgent: "test/1", certificateFile: certificateFile, usesEnvironmentProxy: false,
            connectionLimit: connectionLimit))
}

/// The cause of what `body` throws; nil if it throws nothing.
func cause(_ body: () throws(HTTPError) -> HTTPResponse) -> HTTPError.Cause? {
    do throws(HTTPError) {
        _ = try body()
        return nil
    } catch {
        return error.cause
    }
}

/// How long `body` takes.
func elapsed(_ body: () -> Void) -> Duration {
    ContinuousClock().measure(body)
}

/// Runs `body` on `count` threads at once and waits for all.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let group = DispatchGroup()
    for index in 0..<count {
        group.enter()
        Thread.detachNewThread {
            defer { group.leave() }
            body(index)
        }
    }
    group.wait()
}

/// Runs `body` on another thread after a while.
func after(_ wait: Duration, _ body: @escaping @Sendable () -> Void) {
    Thread.detachNewThread {
        Thread.sleep(forTimeInterval: wait / .seconds(1))
        body()
    }
}

/// A list that closures fill.
final class Collected<Element: Sendable>: Sendable {
    private let list = Mutex<[Element]>([])

    var all: [Element] { list.withLock { $0 } }

    func append(_ element: Element) {
        list.withLock { $0.append(element) }
    }
}

func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}
