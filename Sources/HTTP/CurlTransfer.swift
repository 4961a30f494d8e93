// SPDX-License-Identifier: Apache-2.0
//
// One request on its way: what libcurl calls back into. Used by the one thread that performs it.
//
// Invariants:
// - `failure` is set by the callback that gives the transfer up, and never cleared: it says more
//   than the library's own code.
// - `body` never holds more than the sink's limit.

internal import Glibc
internal import Threading

/// The state of one request.
final class CurlTransfer {
    let request: HTTPRequest
    /// The last moment at which a byte moved; nil before there was a connection.
    ///
    /// Of a clock that goes on in a suspend: who forwards connections may have forgotten this one
    /// by then, and the time that is left is better spent on another.
    private(set) var lastProgress: ContinuousClock.Instant?
    private(set) var failure: HTTPError.Cause?
    private(set) var headers = HTTPHeaders()
    private(set) var body: [UInt8] = []
    private var status = 0
    private var sentCount = 0
    private var hasBody = false
    private var sending: BytePace?
    private var receiving: BytePace?

    init(_ request: HTTPRequest) {
        self.request = request
        sending = request.speeds.sent.map(BytePace.init)
        receiving = request.speeds.received.map(BytePace.init)
    }

    /// Rests for as long as the limit of speed asks. This thread serves this request alone.
    private func rest(_ pace: inout BytePace?, after count: Int) {
        guard let pause = pace?.moved(count, at: .now), pause > .zero else { return }
        let (seconds, attoseconds) = pause.components
        usleep(UInt32(seconds * 1_000_000 + attoseconds / 1_000_000_000_000))
        lastProgress = .now
    }

    /// There is a connection, and the request is about to go out on it.
    func connected() {
        lastProgress = .now
    }

    /// Takes a line of the answer's header, or of what comes behind a chunked body.
    func take(headerLine line: Span<UInt8>) -> Bool {
        lastProgress = .now
        // Fields behind the body belong to nobody's header.
        guard !hasBody else { return true }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(line.count)
        for index in line.indices { bytes.append(line[index]) }
        if bytes.starts(with: "HTTP/".utf8) {
            // Of several answers (100 Continue, then the real one), the last counts.
            headers = HTTPHeaders()
            status = CurlTransfer.status(ofLine: bytes)
            return true
        }
        guard headers.append(line: bytes) else {
            failure = .tooLarge(limit: HTTPLimits.headerSize)
            return false
        }
        return checkAnnouncedSize()
    }

    /// Takes bytes of the answer's body.
    func take(bodyBytes bytes: Span<UInt8>) -> Bool {
        lastProgress = .now
        request.meter?(.received, bytes.count)
        rest(&receiving, after: bytes.count)
        if case .stream(let sink) = request.sink, (200..<300).contains(status) {
            hasBody = true
            guard sink(bytes) else {
                failure = .stopped
                return false
            }
            lastProgress = .now
            return true
        }
        guard bytes.count <= collectedLimit - body.count else {
            failure = .tooLarge(limit: collectedLimit)
            return false
        }
        if !hasBody, let announced = headers.number("Content-Length") {
            body.reserveCapacity(min(Int(clamping: announced), collectedLimit))
        }
        hasBody = true
        // SAFETY: the span's memory outlives the closure, which copies its bytes.
        unsafe bytes.withUnsafeBufferPointer { unsafe body.append(contentsOf: $0) }
        return true
    }

    /// The next bytes of the request's body; nil to give up.
    func nextBytes(limit: Int) -> ArraySlice<UInt8>? {
        lastProgress = .now
        let limit = min(limit, sending?.piece ?? limit)
        let piece: ArraySlice<UInt8>
        switch request.body {
        case .none: return []
        case .bytes(let all):
            piece = all[sentCount..<min(all.count, sentCount + limit)]
        case .stream(let source):
            guard let bytes = source.next(limit), bytes.count <= limit else {
                failure = .stopped
                return nil
            }
            piece = bytes[...]
        }
        sentCount += piece.count
        request.meter?(.sent, piece.count)
        rest(&sending, after: piece.count)
        lastProgress = .now
        return piece
    }

    /// Begins the request's body from the start.
    func rewind() -> Bool {
        sentCount = 0
        sending = request.speeds.sent.map(BytePace.init)
        switch request.body {
        case .none, .bytes: return true
        case .stream(let source): return source.rewind()
        }
    }

    private var collectedLimit: Int {
        switch request.sink {
        case .collect(let limit): limit
        case .stream: HTTPLimits.streamedErrorBodySize
        }
    }

    /// Refuses a body that its own header says is too large. HEAD names sizes of what never comes,
    /// and so does 304.
    private func checkAnnouncedSize() -> Bool {
        if request.method == .head || status == 304 || status < 200 { return true }
        if case .stream = request.sink, (200..<300).contains(status) { return true }
        guard let size = headers.number("Content-Length"), size > UInt64(collectedLimit) else {
            return true
        }
        failure = .tooLarge(limit: collectedLimit)
        return false
    }

    /// The three digits of a line like `HTTP/1.1 200 OK`; 0 if there are none.
    private static func status(ofLine line: [UInt8]) -> Int {
        let word = line.split(separator: UInt8(ascii: " "), maxSplits: 2).dropFirst().first
        guard let digits = word?.prefix(3), digits.count == 3 else { return 0 }
        return Int(String(decoding: digits, as: UTF8.self)) ?? 0
    }
}
