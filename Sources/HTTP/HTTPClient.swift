// SPDX-License-Identifier: Apache-2.0
//
// Requests over HTTP, over connections that are kept.
//
// Invariants:
// - At most `connectionLimit` requests are under way; the next one waits for its turn.
// - A connection is in `idle`, or with one thread. The one used last is lent first, because it is
//   the one most likely to be still open, and so the others grow old and are closed by the server.
// - After `stop` no request begins.

internal import Threading

/// An HTTP client for one server or a few. Any number of threads may call it at once.
///
/// Redirects are not followed, cookies and passwords in files not looked for, certificates always
/// verified. A name is resolved, and a TLS session made, once for all connections.
/// docs/decisions/0014-libcurl.md.
package final class HTTPClient: Sendable {
    /// What all requests of a client have in common.
    package struct Configuration: Hashable, Sendable {
        /// What it calls itself.
        package var userAgent: String
        /// A file of certificates in PEM that are trusted beside the system's; nil for none.
        package var certificateFile: String?
        /// Whether `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` count, as everywhere.
        package var usesEnvironmentProxy: Bool
        /// The most requests under way at once. Default 64.
        package var connectionLimit: Int

        /// Names the parts.
        package init(
            userAgent: String, certificateFile: String? = nil, usesEnvironmentProxy: Bool = true,
            connectionLimit: Int = 64
        ) {
            precondition(connectionLimit > 0, "a client without connections")
            self.userAgent = userAgent
            self.certificateFile = certificateFile
            self.usesEnvironmentProxy = usesEnvironmentProxy
            self.connectionLimit = connectionLimit
        }
    }

    private struct Pool {
        var idle: [CurlConnection] = []
        var lentCount = 0
    }

    private let settings: CurlSettings
    private let pool = Monitor(Pool())
    private let stopping = HTTPCancellation()

    /// A client without connections.
    package init(_ configuration: Configuration) {
        settings = CurlSettings(configuration: configuration, share: CurlShare())
    }

    /// Sends a request and waits for the whole answer, whatever its status.
    ///
    /// - Parameters:
    ///   - request: its closures are called by this thread.
    ///   - cancellation: ends it from another thread.
    /// - Throws: when there is no whole answer.
    package func perform(
        _ request: HTTPRequest, cancelledBy cancellation: HTTPCancellation? = nil
    ) throws(HTTPError) -> HTTPResponse {
        try request.check()
        let deadline = request.timeouts.total.map { WaitClock.now + $0 }
        let isCancelled = { [stopping] in
            stopping.isCancelled || cancellation?.isCancelled == true
        }
        let connection = try lend(until: deadline, cancellation, isCancelled)
        var isKept = true
        defer { takeBack(connection, isKept: isKept) }
        let response = try listening(cancellation, wakeUp: { connection.wakeUp() }) {
            () throws(HTTPError) in
            try connection.perform(request, until: deadline, isCancelled: isCancelled)
        }
        // Servers that refuse an upload early may never read the rest of it, and then take the next
        // request for a part of it. A condition that does not hold is no such refusal.
        if request.hasBody, response.status >= 400, response.status != 412 { isKept = false }
        return response
    }

    /// Ends every request under way, and every later one, with `cancelled`. Connections that are
    /// kept are closed.
    package func stop() {
        stopping.cancel()
        let closed = pool.update { pool in
            defer { pool.idle = [] }
            return pool.idle
        }
        // Here, outside the lock, the last references go.
        _ = closed
    }

    /// How many connections are kept for the next request.
    package var idleCount: Int { pool.withLock { $0.idle.count } }

    private func lend(
        until deadline: WaitClock.Instant?, _ cancellation: HTTPCancellation?,
        _ isCancelled: () -> Bool
    ) throws(HTTPError) -> CurlConnection {
        let limit = settings.configuration.connectionLimit
        let wait = deadline.map { max($0 - .now, .zero) }
        enum Turn {
            case cancelled, new
            case kept(CurlConnection)
        }
        let turn = listening(cancellation, wakeUp: { [pool] in pool.update { _ in } }) {
            pool.wait(atMost: wait) { pool -> Turn? in
                if isCancelled() { return .cancelled }
                guard pool.lentCount < limit else { return nil }
                pool.lentCount += 1
                return pool.idle.popLast().map { .kept($0) } ?? .new
            }
        }
        switch turn {
        case nil: throw HTTPError(.timedOut(.waiting))
        case .cancelled: throw HTTPError(.cancelled)
        case .new: return CurlConnection(settings)
        case .kept(let connection): return connection
        }
    }

    private func takeBack(_ connection: CurlConnection, isKept: Bool) {
        let isStopped = stopping.isCancelled
        pool.update { pool in
            pool.lentCount -= 1
            if isKept, !isStopped { pool.idle.append(connection) }
        }
    }

    /// Runs `body` while cancelling calls `wakeUp`.
    private func listening<Result, Failure: Error>(
        _ cancellation: HTTPCancellation?, wakeUp: @escaping @Sendable () -> Void,
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let own = stopping.add(wakeUp)
        defer { stopping.remove(own) }
        guard let cancellation else { return try body() }
        let key = cancellation.add(wakeUp)
        defer { cancellation.remove(key) }
        return try body()
    }
}
