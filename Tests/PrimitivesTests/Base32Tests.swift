// SPDX-License-Identifier: Apache-2.0
//
// Base-32 text, against RFC 4648 and itself.

import Primitives
import Testing

struct Base32Tests {
    @Test(
        "RFC 4648's examples, in lower case and without padding",
        arguments: [
            ("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"), ("foobar", "mzxw6ytboi"),
        ])
    func examples(text: String, encoded: String) {
        #expect(Base32.encode(Array(text.utf8)) == encoded)
        #expect(Base32.decode(encoded) == Array(text.utf8))
    }

    @Test(
        "what no encoder writes is refused",
        arguments: ["m", "mz=", "MY", "my1", "mz", "mzxw6ytboj", "mzx", "m y"])
    func refused(text: String) {
        #expect(Base32.decode(text) == nil)
    }
}
