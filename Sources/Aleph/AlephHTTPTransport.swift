// SPDX-License-Identifier: Apache-2.0
//
// Requests to nodes, over HTTP.

package import HTTP

/// The transport that reaches real nodes.
package struct AlephHTTPTransport: AlephTransport {
    /// Without a byte for so long, a request has failed.
    package static let stall = Duration.seconds(60)

    private let client: HTTPClient
    private let cancellation: HTTPCancellation?

    /// A transport over a client, which it shares.
    ///
    /// - Parameter cancellation: ends every request of this transport.
    package init(_ client: HTTPClient, cancelledBy cancellation: HTTPCancellation? = nil) {
        self.client = client
        self.cancellation = cancellation
    }

    /// See `AlephTransport`.
    package func send(
        _ request: AlephRequest, to node: AlephNodeAddress,
        sink: ((Span<UInt8>) -> Bool)?
    ) throws(AlephTransportError) -> AlephAnswer {
        var headers = [HTTPHeader("Accept", "application/json, */*")]
        let body: HTTPBody
        switch request.body {
        case .none: body = .none
        case .json(let bytes):
            headers.append(HTTPHeader("Content-Type", "application/json"))
            body = .bytes(bytes)
        case .form(let form):
            headers.append(HTTPHeader("Content-Type", form.contentType))
            body = .stream(AlephHTTPTransport.source(form))
        }
        let wanted = HTTPRequest(
            request.method == .get ? .get : .post, node.url + request.target, headers: headers,
            body: body,
            sink: sink.map { .stream($0) } ?? .collect(limit: request.answerLimit),
            timeouts: HTTPTimeouts(stall: AlephHTTPTransport.stall, total: request.deadline))
        do {
            let response = try client.perform(wanted, cancelledBy: cancellation)
            return AlephAnswer(
                status: response.status, body: response.body,
                retryAfter: response.headers.retryAfter)
        } catch {
            throw AlephHTTPTransport.error(error)
        }
    }

    private static func source(_ form: MultipartForm) -> HTTPBodySource {
        var offset = 0
        return HTTPBodySource(
            count: UInt64(form.size),
            next: { limit in
                guard let bytes = form.read(at: offset, limit: limit) else { return nil }
                offset += bytes.count
                return bytes
            },
            rewind: {
                offset = 0
                return true
            })
    }

    private static func error(_ error: HTTPError) -> AlephTransportError {
        switch error.cause {
        case .tooLarge: AlephTransportError(.tooLarge, error.description)
        case .cancelled, .stopped: AlephTransportError(.stopped, error.description)
        default: AlephTransportError(.unreachable, error.description)
        }
    }
}
