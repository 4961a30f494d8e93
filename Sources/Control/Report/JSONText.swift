// SPDX-License-Identifier: Apache-2.0
//
// JSON, written. Pure. Nothing here reads it.

/// A value that can be written as JSON.
package enum JSONText: Equatable, Sendable {
    case string(String)
    case integer(Int64)
    case count(UInt64)
    case flag(Bool)
    case nothing
    case list([JSONText])
    /// Members in the order they are written.
    case object([(String, JSONText)])

    package static func == (left: JSONText, right: JSONText) -> Bool {
        left.text == right.text
    }

    /// The value as JSON, indented by two spaces a level.
    package var text: String {
        var out = ""
        write(to: &out, indent: "")
        return out
    }

    private func write(to out: inout String, indent: String) {
        switch self {
        case .string(let text): Self.quote(text, &out)
        case .integer(let number): out += String(number)
        case .count(let number): out += String(number)
        case .flag(let flag): out += flag ? "true" : "false"
        case .nothing: out += "null"
        case .list(let values):
            Self.group("[", "]", values, indent, &out) { value, out, inner in
                value.write(to: &out, indent: inner)
            }
        case .object(let members):
            Self.group("{", "}", members, indent, &out) { member, out, inner in
                Self.quote(member.0, &out)
                out += ": "
                member.1.write(to: &out, indent: inner)
            }
        }
    }

    private static func group<Element>(
        _ open: String, _ close: String, _ elements: [Element], _ indent: String,
        _ out: inout String, _ write: (Element, inout String, String) -> Void
    ) {
        guard !elements.isEmpty else { return out += open + close }
        let inner = indent + "  "
        out += open
        for (index, element) in elements.enumerated() {
            out += (index == 0 ? "\n" : ",\n") + inner
            write(element, &out, inner)
        }
        out += "\n" + indent + close
    }

    /// - Source: RFC 8259 §7.
    private static func quote(_ text: String, _ out: inout String) {
        out += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\t": out += "\\t"
            case "\r": out += "\\r"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        out += "\""
    }
}
