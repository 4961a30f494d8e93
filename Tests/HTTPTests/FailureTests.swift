// SPDX-License-Identifier: Apache-2.0
//
// Servers that misbehave, requests that are none, and threads that have waited enough.

import HTTP
import LocalServer
import TestSupport
import Testing

@Suite("Failures, told apart", .timeLimit(.minutes(5)))
struct FailureTests {
    private func request(
        _ url: String, limit: Int = 1000, _ timeouts: HTTPTimeouts = HTTPTimeouts()
    ) -> HTTPRequest {
        HTTPRequest(.get, url, sink: .collect(limit: limit), timeouts: timeouts)
    }

    @Test("nobody listens: refused, and surely not done")
    func refused() throws {
        let server = try LocalServer { _ in [] }
        server.stop()
        let client = testClient()
        #expect(throws: HTTPError(.refused, mayBeDone: false)) {
            try client.perform(request(server.url))
        }
    }

    @Test("a name without an address is unresolved")
    func unresolved() {
        let client = testClient()
        let failure = cause { () throws(HTTPError) in
            try client.perform(request("http://nobody.invalid/"))
        }
        #expect(failure == .unresolved)
    }

    @Test("a client goes on after a name without an address, for that name and for others")
    func afterUnresolved() throws {
        let server = try LocalServer { _ in [.answer(200, [], [1])] }
        defer { server.stop() }
        let client = testClient()
        for _ in 0..<3 {
            let failure = cause { () throws(HTTPError) in
                try client.perform(request("http://nobody.invalid/"))
            }
            #expect(failure == .unresolved)
            #expect(try client.perform(request(server.url)).body == [1])
        }
    }

    @Test(
        "requests that cannot be sent are refused before anything is sent",
        arguments: [
            "", "ftp://127.0.0.1/", "127.0.0.1", "file:///etc/passwd", "http:/x",
            "http://127.0.0.1/a b", "http://127.0.0.1/\r\nX: y", "http://127.0.0.1:99999/",
            "http://127.0.0.1/" + String(repeating: "a", count: HTTPLimits.urlSize),
        ])
    func invalid(url: String) {
        let failure = cause { () throws(HTTPError) in try testClient().perform(request(url)) }
        guard case .invalidRequest = failure else {
            Issue.record("\(String(describing: failure))")
            return
        }
    }

    @Test(
        "a header cannot smuggle in another",
        arguments: [("X", "a\r\nY: b"), ("X\n", "a"), ("", "a"), ("X Y", "a"), ("X", "\u{0}")])
    func headerInjection(name: String, value: String) {
        let injected = HTTPRequest(
            .get, "http://127.0.0.1:1/", headers: [HTTPHeader(name, value)],
            sink: .collect(limit: 0))
        let failure = cause { () throws(HTTPError) in try testClient().perform(injected) }
        #expect(failure == .invalidRequest("a header is malformed"))
    }

    @Test("a body over the limit is refused, announced or not", arguments: [true, false])
    func tooLarge(isAnnounced: Bool) throws {
        let pair = try Pair { _ in
            isAnnounced
                ? [.send(LocalServer.Step.head(200, [("Content-Length", "1001")])), .silence]
                : [.send(LocalServer.Step.head(200, [("Connection", "close")]))]
                    + [LocalServer.Step](repeating: .send(pattern(500)), count: 3) + [.silence]
        }
        defer { pair.stop() }
        let failure = cause { () throws(HTTPError) in try pair.get(limit: 1000) }
        #expect(failure == .tooLarge(limit: 1000))
    }

    @Test("a body of exactly the limit is taken")
    func exactlyTheLimit() throws {
        let pair = try Pair { _ in [.answer(200, [], pattern(1000))] }
        defer { pair.stop() }
        #expect(try pair.get(limit: 1000).body == pattern(1000))
    }

    @Test("a header without end is refused", arguments: [true, false])
    func endlessHeader(isOneLine: Bool) throws {
        let pair = try Pair { _ in
            let line = isOneLine ? String(repeating: "a", count: 400_000) : "X-More: 1\r\n"
            return [.send(Array("HTTP/1.1 200 OK\r\n".utf8))]
                + (isOneLine ? [.send(Array("X: \(line)\r\n\r\n".utf8))] : [])
                + (isOneLine
                    ? []
                    : [LocalServer.Step](repeating: .send(Array(line.utf8)), count: 300))
                + [.silence]
        }
        defer { pair.stop() }
        let failure = cause { () throws(HTTPError) in try pair.get() }
        #expect(
            failure == .tooLarge(limit: HTTPLimits.headerSize)
                || (isOneLine && failure == .garbled))
    }

    @Test(
        "what is not HTTP is garbled",
        arguments: [
            "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 abc\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n", "220 ftp\r\n",
        ])
    func garbage(text: String) throws {
        let pair = try Pair { _ in [.send(Array(text.utf8)), .close] }
        defer { pair.stop() }
        let failure = cause { () throws(HTTPError) in try pair.get() }
        #expect(failure == .garbled, "\(text.debugDescription)")
    }

    @Test(
        "an answer that is cut is broken off, wherever",
        arguments: [
            [], Array("HTTP/1.1 200".utf8),
            LocalServer.Step.head(200, [("Content-Length", "9")])
                + [1, 2, 3],
            LocalServer.Step.head(200, [("Transfer-Encoding", "chunked")]) + [0x35, 13, 10, 1],
        ])
    func cut(bytes: [UInt8]) throws {
        let pair = try Pair { _ in [.send(bytes), .close] }
        defer { pair.stop() }
        #expect(throws: HTTPError(.brokenOff, mayBeDone: true)) { try pair.get() }
    }

    @Test("a server that says nothing is given up, and so is one that stops")
    func stalled() throws {
        let pair = try Pair { request in
            request.target == "/half"
                ? [.send(LocalServer.Step.head(200, [("Content-Length", "9")]) + [1]), .silence]
                : [.silence]
        }
        defer { pair.stop() }
        let timeouts = HTTPTimeouts(stall: .milliseconds(150))
        for path in ["/", "/half"] {
            let time = elapsed {
                #expect(throws: HTTPError(.timedOut(.stalled), mayBeDone: true)) {
                    try pair.client.perform(request(pair.server.url + path, timeouts))
                }
            }
            #expect(time >= .milliseconds(150) && time < .seconds(20))
        }
    }

    @Test("a server that takes no body is given up")
    func stalledUpload() throws {
        let pair = try Pair(readsBodies: false) { _ in [.pause(.seconds(2)), .close] }
        defer { pair.stop() }
        let upload = HTTPRequest(
            .put, pair.server.url, body: .bytes([UInt8](repeating: 0, count: 64 << 20)),
            sink: .collect(limit: 0), timeouts: HTTPTimeouts(stall: .milliseconds(200)))
        let failure = cause { () throws(HTTPError) in try pair.client.perform(upload) }
        #expect(failure == .timedOut(.stalled))
    }

    @Test("a slow answer may go on past the stall limit, but not past the deadline")
    func slow() throws {
        let pair = try Pair { _ in
            [.send(LocalServer.Step.head(200, [("Content-Length", "20")]))]
                + (0..<20).flatMap { _ in [.send([7]), .pause(.milliseconds(25))] }
        }
        defer { pair.stop() }
        let patient = HTTPTimeouts(stall: .milliseconds(400))
        let url = pair.server.url
        #expect(try pair.client.perform(request(url, patient)).body.count == 20)
        let hurried = HTTPTimeouts(stall: .milliseconds(400), total: .milliseconds(200))
        let failure = cause { () throws(HTTPError) in
            try pair.client.perform(request(url, hurried))
        }
        #expect(failure == .timedOut(.total))
    }

    @Test("a connection that does not come about is given up")
    func connecting() throws {
        // Its queue of one is full, and it takes nobody: connections hang.
        let full = try FullListener()
        defer { full.close() }
        let timeouts = HTTPTimeouts(connect: .milliseconds(200))
        let time = elapsed {
            #expect(throws: HTTPError(.timedOut(.connecting), mayBeDone: false)) {
                try testClient().perform(request(full.url, timeouts))
            }
        }
        #expect(time < .seconds(20))
    }

    @Test("waiting for a connection counts towards the deadline")
    func waiting() throws {
        let pair = try Pair(connectionLimit: 1) { _ in [.silence] }
        defer { pair.stop() }
        let client = pair.client
        let url = pair.server.url
        let cancellation = HTTPCancellation()
        after(.zero) {
            _ = cause { () throws(HTTPError) in
                try client.perform(
                    HTTPRequest(.get, url, sink: .collect(limit: 0)), cancelledBy: cancellation)
            }
        }
        while pair.server.requests.isEmpty {}
        let failure = cause { () throws(HTTPError) in
            try client.perform(request(url, HTTPTimeouts(total: .milliseconds(100))))
        }
        #expect(failure == .timedOut(.waiting))
        cancellation.cancel()
    }

    @Test("another thread ends a request at once, wherever it is")
    func cancelled() throws {
        let pair = try Pair(connectionLimit: 1) { _ in [.silence] }
        defer { pair.stop() }
        let cancellation = HTTPCancellation()
        let causes = Collected<HTTPError.Cause?>()
        after(.milliseconds(150)) { cancellation.cancel() }
        let client = pair.client
        let url = pair.server.url
        // One waits for the server, the others for the one connection.
        let time = elapsed {
            onThreads(3) { _ in
                causes.append(
                    cause { () throws(HTTPError) in
                        try client.perform(
                            HTTPRequest(.get, url, sink: .collect(limit: 0)),
                            cancelledBy: cancellation)
                    })
            }
        }
        #expect(causes.all == [.cancelled, .cancelled, .cancelled])
        #expect(time < .seconds(15))
        let later = cause { () throws(HTTPError) in
            try client.perform(request(url), cancelledBy: cancellation)
        }
        #expect(later == .cancelled)
        #expect(pair.server.requests.count == 1)
    }

    @Test("a client that is stopped ends what is under way and begins nothing")
    func stopped() throws {
        let pair = try Pair { _ in [.silence] }
        defer { pair.stop() }
        let client = pair.client
        after(.milliseconds(100)) { client.stop() }
        for _ in 0..<2 {
            let failure = cause { () throws(HTTPError) in try pair.get() }
            #expect(failure == .cancelled)
        }
        #expect(client.idleCount == 0)
    }

    @Test("after a failure the client still serves")
    func goesOn() throws {
        let pair = try Pair { request in
            request.target == "/bad" ? [.send(Array("junk\r\n".utf8)), .close] : [.answer(200)]
        }
        defer { pair.stop() }
        for _ in 0..<5 {
            #expect(cause { () throws(HTTPError) in try pair.get("/bad") } == .garbled)
            #expect(try pair.get().status == 200)
        }
    }

    @Test("random bytes never do more than throw", arguments: 1...60 as ClosedRange<UInt64>)
    func fuzz(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        let prefix = dice.next() % 2 == 0 ? LocalServer.Step.head(200, []).dropLast(2) : []
        let junk = (0..<Int(dice.next() % 3000)).map { _ in UInt8(truncatingIfNeeded: dice.next()) }
        let bytes = Array(prefix) + junk
        let pair = try Pair { _ in [.send(bytes), .close] }
        defer { pair.stop() }
        let outcome = cause { () throws(HTTPError) in try pair.get(limit: 2000) }
        let allowed: [HTTPError.Cause?] = [
            nil, .garbled, .brokenOff, .tooLarge(limit: 2000),
            .tooLarge(limit: HTTPLimits.headerSize),
        ]
        #expect(allowed.contains(outcome), "seed \(seed): \(String(describing: outcome))")
    }
}
