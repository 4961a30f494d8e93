// SPDX-License-Identifier: Apache-2.0
//
// Fields that mean something to every client.

import HTTP
import Testing

@Suite("Header fields")
struct HeaderTests {
    @Test(
        "times are read as the standard writes them",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777 as Int64?),
            ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Thu, 29 Feb 2024 23:59:60 GMT", 1_709_251_200),
            ("Tue, 01 Mar 2100 00:00:00 GMT", 4_107_542_400),
            ("Sunday, 06-Nov-94 08:49:37 GMT", nil), ("Sun Nov  6 08:49:37 1994", nil),
            ("Sun, 06 Nov 1994 08:49:37 CET", nil), ("Sun, 6 Nov 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 24:49:37 GMT", nil), ("", nil),
            ("Sun, 06 Nov 99999999999999999999 08:49:37 GMT", nil),
        ])
    func dates(text: String, seconds: Int64?) {
        #expect(HTTPDate.seconds(text) == seconds)
    }

    @Test("a server's wish to be left alone is read, and is at most a day")
    func retryAfter() {
        func wish(_ fields: [(String, String)]) -> Duration? {
            HTTPHeaders(fields.map { HTTPHeader($0.0, $0.1) }).retryAfter
        }
        #expect(wish([]) == nil)
        #expect(wish([("retry-after", "7")]) == .seconds(7))
        #expect(wish([("Retry-After", "99999999999999999")]) == .seconds(86_400))
        #expect(wish([("Retry-After", "-1")]) == nil)
        #expect(wish([("Retry-After", "soon")]) == nil)
        let later = ("Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT")
        #expect(wish([later]) == nil)
        #expect(wish([later, ("Date", "Sun, 06 Nov 1994 08:49:37 GMT")]) == .seconds(60))
        #expect(wish([later, ("Date", "Sun, 06 Nov 1994 09:49:37 GMT")]) == .zero)
    }
}
