// SPDX-License-Identifier: Apache-2.0
//
// What a server answered, whole.

/// An answer that came to its end. Any status is one: only a transfer that failed throws.
package struct HTTPResponse: Sendable {
    /// From 200 to 599.
    package let status: Int
    /// Its header.
    package let headers: HTTPHeaders
    /// Its body, as far as the request's sink collects it.
    package let body: [UInt8]

    /// Names the three.
    package init(status: Int, headers: HTTPHeaders, body: [UInt8]) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Whether the status says that what was asked is done.
    package var isSuccess: Bool { (200..<300).contains(status) }
}
