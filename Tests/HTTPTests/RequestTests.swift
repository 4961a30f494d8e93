// SPDX-License-Identifier: Apache-2.0
//
// What goes to a server, what comes back, and over which connections.

import HTTP
import LocalServer
import Testing

@Suite("Requests and answers", .timeLimit(.minutes(5)))
struct RequestTests {
    @Test("a request arrives as it was meant, with dots and escapes in its path")
    func arrives() throws {
        let pair = try Pair { _ in [.answer(200, [("X-Answer", "yes")], Array("body".utf8))] }
        defer { pair.stop() }
        let response = try pair.client.perform(
            HTTPRequest(
                .get, pair.server.url + "/a/../b%2Fc?d=e&f",
                headers: [HTTPHeader("X-One", "1"), HTTPHeader("X-Empty", "")],
                sink: .collect(limit: 4)))
        #expect(response.status == 200 && response.isSuccess)
        #expect(response.body == Array("body".utf8))
        #expect(response.headers["x-ANSWER"] == "yes")
        let request = try #require(pair.server.requests.first)
        #expect(request.method == "GET" && request.target == "/a/../b%2Fc?d=e&f")
        #expect(request.header("x-one") == "1" && request.header("x-empty") == "")
        #expect(request.header("user-agent") == "test/1")
        #expect(request.header("content-length") == nil)
    }

    @Test("bodies go out whole, of any size and method", arguments: HTTPMethod.allCases)
    func bodies(method: HTTPMethod) throws {
        let pair = try Pair { request in
            request.method == "HEAD" ? [.send(LocalServer.Step.head(204, []))] : [.answer(204)]
        }
        defer { pair.stop() }
        for count in [0, 1, 70_000, 3_000_000] where method != .get && method != .head {
            let request = HTTPRequest(
                method, pair.server.url + "/x", body: .bytes(pattern(count)),
                sink: .collect(limit: 0))
            #expect(try pair.client.perform(request).status == 204)
            let seen = try #require(pair.server.requests.last)
            #expect(seen.method == method.rawValue && seen.body == pattern(count))
            #expect(seen.header("content-length") == "\(count)")
            #expect(seen.header("expect") == nil)
        }
        let plain = HTTPRequest(method, pair.server.url, sink: .collect(limit: 0))
        #expect(try pair.client.perform(plain).status == 204)
        #expect(pair.server.requests.last?.method == method.rawValue)
    }

    @Test("a streamed body goes out whole, with its size or in chunks", arguments: [true, false])
    func streamedBody(isSized: Bool) throws {
        let pair = try Pair { _ in [.answer(200)] }
        defer { pair.stop() }
        let all = pattern(500_000)
        var sent = 0
        let source = HTTPBodySource(count: isSized ? UInt64(all.count) : nil) { limit in
            let piece = Array(all[sent..<min(all.count, sent + min(limit, 777))])
            sent += piece.count
            return piece
        }
        let request = HTTPRequest(
            .put, pair.server.url, body: .stream(source), sink: .collect(limit: 0))
        #expect(try pair.client.perform(request).status == 200)
        #expect(pair.server.requests.first?.body == all)
    }

    @Test("a source that gives up ends the request")
    func sourceGivesUp() throws {
        let pair = try Pair { _ in [.answer(200)] }
        defer { pair.stop() }
        let source = HTTPBodySource(count: 10) { _ in nil }
        let request = HTTPRequest(
            .put, pair.server.url, body: .stream(source), sink: .collect(limit: 0))
        #expect(cause { () throws(HTTPError) in try pair.client.perform(request) } == .stopped)
    }

    @Test("a streamed answer comes in order, and an error's body is kept beside it")
    func streamedAnswer() throws {
        let all = pattern(2_000_000)
        let pair = try Pair { request in
            request.target == "/bad"
                ? [.answer(503, [], Array("why".utf8))] : [.answer(200, [], all)]
        }
        defer { pair.stop() }
        var got: [UInt8] = []
        let sink = HTTPSink.stream { bytes in
            for index in bytes.indices { got.append(bytes[index]) }
            return true
        }
        let good = try pair.client.perform(HTTPRequest(.get, pair.server.url, sink: sink))
        #expect(good.body.isEmpty && got == all)
        let bad = try pair.client.perform(HTTPRequest(.get, pair.server.url + "/bad", sink: sink))
        #expect(bad.body == Array("why".utf8) && got == all)
    }

    @Test("a sink that has enough ends the request")
    func sinkGivesUp() throws {
        let pair = try Pair { _ in [.answer(200, [], pattern(1_000_000))] }
        defer { pair.stop() }
        let request = HTTPRequest(.get, pair.server.url, sink: .stream { _ in false })
        #expect(cause { () throws(HTTPError) in try pair.client.perform(request) } == .stopped)
    }

    @Test("chunked answers come together, and what follows them is no header")
    func chunked() throws {
        let pair = try Pair { _ in
            [
                .send(LocalServer.Step.head(200, [("Transfer-Encoding", "chunked")])),
                .chunk(Array("one ".utf8)), .pause(.milliseconds(20)), .chunk(Array("two".utf8)),
                .send(Array("0\r\nX-Late: 1\r\n\r\n".utf8)),
            ]
        }
        defer { pair.stop() }
        let response = try pair.get()
        #expect(response.body == Array("one two".utf8))
        #expect(response.headers["X-Late"] == nil)
    }

    @Test("of an interim answer and the real one, the real one counts")
    func interim() throws {
        let pair = try Pair { _ in
            [.send(LocalServer.Step.head(103, [("X-Early", "1")])), .answer(201)]
        }
        defer { pair.stop() }
        let response = try pair.get()
        #expect(response.status == 201 && response.headers["X-Early"] == nil)
    }

    @Test("the head of something large is no large answer")
    func head() throws {
        let pair = try Pair { _ in
            [.send(LocalServer.Step.head(200, [("Content-Length", "99999999999")]))]
        }
        defer { pair.stop() }
        let request = HTTPRequest(.head, pair.server.url, sink: .collect(limit: 0))
        let response = try pair.client.perform(request)
        #expect(response.headers.number("content-length") == 99_999_999_999)
    }

    @Test("a redirect is an answer, and is not followed")
    func redirect() throws {
        let pair = try Pair { _ in [.answer(307, [("Location", "/other")])] }
        defer { pair.stop() }
        #expect(try pair.get().status == 307)
        #expect(pair.server.requests.count == 1)
    }

    @Test("one thread needs one connection, eight need at most eight, and they are kept")
    func connectionsAreKept() throws {
        let pair = try Pair { _ in [.answer(200, [], [1])] }
        defer { pair.stop() }
        for _ in 0..<20 { _ = try pair.get() }
        #expect(pair.server.connectionCount == 1)
        let failures = Collected<HTTPError>()
        let client = pair.client
        let url = pair.server.url
        onThreads(8) { _ in
            for _ in 0..<20 {
                do throws(HTTPError) {
                    _ = try client.perform(HTTPRequest(.get, url, sink: .collect(limit: 1)))
                } catch {
                    failures.append(error)
                }
            }
        }
        #expect(failures.all.isEmpty)
        #expect(pair.server.connectionCount <= 8)
        #expect(client.idleCount <= 8)
    }

    @Test("more threads than connections take turns")
    func turns() throws {
        let pair = try Pair(connectionLimit: 2) { _ in [.pause(.milliseconds(5)), .answer(200)] }
        defer { pair.stop() }
        let failures = Collected<HTTPError>()
        let client = pair.client
        let url = pair.server.url
        onThreads(12) { _ in
            do throws(HTTPError) {
                _ = try client.perform(HTTPRequest(.get, url, sink: .collect(limit: 1)))
            } catch {
                failures.append(error)
            }
        }
        #expect(failures.all.isEmpty)
        #expect(pair.server.requests.count == 12 && pair.server.connectionCount <= 2)
    }

    @Test("a kept connection that died is replaced, and the body goes out again")
    func deadConnection() throws {
        let pair = try Pair { _ in [.answer(200), .close] }
        defer { pair.stop() }
        for round in 1...3 {
            let request = HTTPRequest(
                .put, pair.server.url, body: .bytes(pattern(100_000)), sink: .collect(limit: 0))
            #expect(try pair.client.perform(request).status == 200)
            #expect(pair.server.requests.count == round)
            #expect(pair.server.requests.last?.body == pattern(100_000))
        }
    }

    @Test(
        "a connection on which an upload was refused is not used again; a condition is no refusal")
    func refusedUpload() throws {
        let pair = try Pair { request in
            request.method == "GET"
                ? [.answer(200)] : [.answer(request.target == "/condition" ? 412 : 404)]
        }
        defer { pair.stop() }
        func put(_ path: String) throws -> Int {
            let request = HTTPRequest(
                .put, pair.server.url + path, body: .bytes([1]), sink: .collect(limit: 0))
            return try pair.client.perform(request).status
        }
        #expect(try put("/condition") == 412)
        #expect(try pair.get().status == 200)
        #expect(pair.server.connectionCount == 1)
        #expect(try put("/other") == 404)
        #expect(try pair.get().status == 200)
        #expect(pair.server.connectionCount == 2)
    }

    @Test("a body whose speed is limited goes evenly, either way")
    func speeds() throws {
        let pair = try Pair { _ in [.answer(200, [], pattern(400_000))] }
        defer { pair.stop() }
        for direction in [HTTPDirection.sent, .received] {
            let start = ContinuousClock.now
            var halfway: Duration?
            var moved = 0
            var request = HTTPRequest(
                .post, pair.server.url, body: .bytes(pattern(400_000)),
                sink: .collect(limit: 400_000),
                meter: { way, count in
                    guard way == direction else { return }
                    moved += count
                    if moved >= 200_000, halfway == nil { halfway = .now - start }
                })
            request.speeds =
                direction == .sent
                ? HTTPSpeeds(sent: 400_000) : HTTPSpeeds(received: 400_000)
            _ = try pair.client.perform(request)
            let time = ContinuousClock.now - start
            #expect(moved == 400_000)
            #expect(time >= .milliseconds(600), "\(direction) took \(time)")
            #expect(try #require(halfway) >= time / 5, "\(direction): the first half was a burst")
        }
    }

    @Test("the meter is told of every byte of both bodies")
    func meter() throws {
        let pair = try Pair { _ in [.answer(200, [], pattern(300_000))] }
        defer { pair.stop() }
        var sent = 0
        var received = 0
        let request = HTTPRequest(
            .post, pair.server.url, body: .bytes(pattern(200_000)),
            sink: .collect(limit: 300_000),
            meter: { direction, count in
                if direction == .sent { sent += count } else { received += count }
            })
        _ = try pair.client.perform(request)
        #expect(sent == 200_000 && received == 300_000)
    }
}
