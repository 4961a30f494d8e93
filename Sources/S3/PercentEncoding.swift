// SPDX-License-Identifier: Apache-2.0
//
// Percent-encoding, as signatures want it: the unreserved characters stay, all others are escaped
// with capitals. Pure.

internal import Primitives

/// Escapes of addresses.
enum PercentEncoding {
    /// Escapes everything but letters, digits, `-._~` and, where asked, slashes.
    ///
    /// - Source: RFC 3986 §2.3; "UriEncode" of AWS Signature Version 4.
    static func encode(_ text: String, keepsSlashes: Bool = false) -> String {
        var output: [UInt8] = []
        for byte in text.utf8 {
            if isUnreserved(byte) || (keepsSlashes && byte == UInt8(ascii: "/")) {
                output.append(byte)
            } else {
                output.append(UInt8(ascii: "%"))
                output += Hex.encode([byte]).uppercased().utf8
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// The text behind the escapes; nil for a percent sign without two digits, a NUL, or bytes that
    /// are not UTF-8.
    static func decode(_ text: some StringProtocol) -> String? {
        var bytes: [UInt8] = []
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            guard byte != 0 else { return nil }
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2,
                let value = Hex.decode(String(decoding: digits, as: UTF8.self)), value != [0]
            else { return nil }
            bytes += value
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func isUnreserved(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
            || "-._~".utf8.contains(byte)
    }
}
