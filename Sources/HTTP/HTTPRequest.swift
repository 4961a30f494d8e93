// SPDX-License-Identifier: Apache-2.0
//
// What is asked of a server, and how long and how much the asker will take.

/// What a request wants done.
package enum HTTPMethod: String, Sendable, CaseIterable {
    /// Give the resource.
    case get = "GET"
    /// Give what would come before the resource's bytes.
    case head = "HEAD"
    /// Let the body be the resource.
    case put = "PUT"
    /// Do with the body what the resource does with bodies.
    case post = "POST"
    /// Change the resource as the body says.
    case patch = "PATCH"
    /// Let the resource be gone.
    case delete = "DELETE"
}

/// What a request carries.
package enum HTTPBody {
    /// Nothing, and no header about it.
    case none
    /// These bytes, with their count in `Content-Length`.
    case bytes([UInt8])
    /// Bytes from a source that is asked for more as they go out.
    case stream(HTTPBodySource)
}

/// Bytes of a body, a piece at a time.
package struct HTTPBodySource {
    /// How many there are; nil sends them in chunked encoding, which not every server takes.
    package let count: UInt64?
    /// Gives the next bytes, at most as many as asked for; none at the end. Nil gives the request
    /// up, and it throws `stopped`.
    package let next: (_ limit: Int) -> [UInt8]?
    /// Begins from the start again, which a kept connection that proves dead asks for; false if
    /// that is not possible, and the request throws.
    package let rewind: () -> Bool

    /// Names the three.
    package init(
        count: UInt64?, next: @escaping (_ limit: Int) -> [UInt8]?,
        rewind: @escaping () -> Bool = { false }
    ) {
        self.count = count
        self.next = next
        self.rewind = rewind
    }
}

/// Where the bytes of an answer go.
package enum HTTPSink {
    /// Into `HTTPResponse.body`. An answer of more than `limit` bytes throws `tooLarge`, as soon as
    /// its header says so or the first byte too many comes.
    case collect(limit: Int)
    /// To a function, in order, which answers false to give the request up (`stopped`). Only the
    /// body of a status from 200 to 299 goes there; another, up to
    /// `HTTPLimits.streamedErrorBodySize`, into `HTTPResponse.body`.
    case stream((Span<UInt8>) -> Bool)
}

/// How long a request may take. Each ends it with `timedOut`, which names the phase.
package struct HTTPTimeouts: Hashable, Sendable {
    /// Until there is a connection, TLS included. Default 10 s.
    package var connect: Duration
    /// Without a byte in either direction once there is a connection: also the longest that a
    /// server may think. Default 60 s.
    package var stall: Duration
    /// From the call of `perform` to its end, waiting for a free connection included; nil for no
    /// limit but the other two.
    package var total: Duration?

    /// Names the three.
    package init(
        connect: Duration = .seconds(10), stall: Duration = .seconds(60), total: Duration? = nil
    ) {
        self.connect = connect
        self.stall = stall
        self.total = total
    }
}

/// How fast the body of one request may go and come, in bytes a second; nil for no limit.
package struct HTTPSpeeds: Hashable, Sendable {
    /// To the server.
    package var sent: UInt64?
    /// From the server.
    package var received: UInt64?

    /// Names the two.
    package init(sent: UInt64? = nil, received: UInt64? = nil) {
        self.sent = sent
        self.received = received
    }
}

/// Sizes that every request keeps to.
package enum HTTPLimits {
    /// The most bytes of the header of an answer.
    package static let headerSize = 64 * 1024
    /// The most header lines of an answer.
    package static let headerCount = 256
    /// The most bytes kept of the body of an error whose success would have been streamed.
    package static let streamedErrorBodySize = 64 * 1024
    /// The most bytes of an address.
    package static let urlSize = 16 * 1024
}

/// One request.
///
/// A value that one thread makes and performs; its closures are called on that thread, within
/// `perform`.
package struct HTTPRequest {
    /// What is wanted.
    package var method: HTTPMethod
    /// The whole address, `http:` or `https:`, percent-encoded; sent as it is, with its dots.
    package var url: String
    /// Headers beside those that the client writes itself (Host, Content-Length, User-Agent,
    /// Accept); one of those names replaces what it would write.
    package var headers: [HTTPHeader]
    /// What it carries.
    package var body: HTTPBody
    /// Where the answer goes.
    package var sink: HTTPSink
    /// How long it may take.
    package var timeouts: HTTPTimeouts
    /// How fast it may go: evenly, and not in bursts.
    package var speeds = HTTPSpeeds()
    /// Told of bytes of bodies as they go and come, for limits of bandwidth. It may sleep, for
    /// moments: meanwhile this request stands still, and neither cancelling nor a timeout ends it.
    package var meter: ((HTTPDirection, Int) -> Void)?

    /// Names the parts.
    package init(
        _ method: HTTPMethod, _ url: String, headers: [HTTPHeader] = [], body: HTTPBody = .none,
        sink: HTTPSink, timeouts: HTTPTimeouts = HTTPTimeouts(),
        meter: ((HTTPDirection, Int) -> Void)? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.sink = sink
        self.timeouts = timeouts
        self.meter = meter
    }

    /// Whether bytes follow the header.
    var hasBody: Bool {
        switch body {
        case .none: false
        case .bytes(let bytes): !bytes.isEmpty
        case .stream: true
        }
    }

    /// - Throws: `invalidRequest`: an address that is neither `http:` nor `https:` or has a control
    ///   character or blank, a header that would end early.
    func check() throws(HTTPError) {
        let scheme = url.prefix { $0 != ":" }.lowercased()
        guard ["http", "https"].contains(scheme), url.dropFirst(scheme.count).hasPrefix("://"),
            url.utf8.count <= HTTPLimits.urlSize,
            url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw HTTPError(.invalidRequest("the address is malformed")) }
        guard headers.allSatisfy(\.isWellFormed) else {
            throw HTTPError(.invalidRequest("a header is malformed"))
        }
    }
}

/// Which way bytes go.
package enum HTTPDirection: Sendable {
    /// To the server.
    case sent
    /// From the server.
    case received
}
