// SPDX-License-Identifier: Apache-2.0
//
// Paths and queries of the nodes' interface.

/// A path with its query, percent-encoded as it grows.
struct AlephTarget {
    private(set) var text: String
    private var hasQuery = false

    /// A path of literal words.
    init(_ path: StaticString) {
        text = path.description
    }

    /// Adds a step to the path; whatever it holds, it stays one step.
    func step(_ name: String, suffix: StaticString = "") -> AlephTarget {
        var target = self
        target.text += "/" + AlephTarget.encoded(name) + suffix.description
        return target
    }

    /// Adds a field to the query.
    func with(_ name: StaticString, _ value: String?) -> AlephTarget {
        guard let value else { return self }
        var target = self
        target.text += (hasQuery ? "&" : "?") + name.description + "=" + AlephTarget.encoded(value)
        target.hasQuery = true
        return target
    }

    /// Adds a list to the query, which nodes read with commas between; nothing if it is empty.
    func with(_ name: StaticString, list: [String]) -> AlephTarget {
        guard !list.isEmpty else { return self }
        var target = self
        target.text += (hasQuery ? "&" : "?") + name.description + "="
        target.text += list.map(AlephTarget.encoded).joined(separator: ",")
        target.hasQuery = true
        return target
    }

    /// - Source: RFC 3986 §2.3: what need not be encoded.
    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default:
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
