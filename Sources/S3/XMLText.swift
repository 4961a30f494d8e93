// SPDX-License-Identifier: Apache-2.0
//
// The little of XML that S3 answers in: elements without attributes that hold text. Pure; any bytes
// are input.

/// A document, looked through for elements by their names.
struct XMLText {
    private let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The text of the first element of this name; nil if there is none, or it is malformed.
    func first(_ name: String) -> String? {
        var result: String?
        forEach(name) { text in
            result = text
            return false
        }
        return result
    }

    /// Gives the text of each element of this name, in order, until `body` answers false. One whose
    /// text makes no sense is passed over.
    func forEach(_ name: String, _ body: (String) -> Bool) {
        let opening = Array("<\(name)>".utf8)
        let closing = Array("</\(name)>".utf8)
        var index = 0
        while let start = find(opening, from: index),
            let end = find(closing, from: start + opening.count)
        {
            index = end + closing.count
            guard let text = XMLText.unescaped(bytes[start + opening.count..<end]) else { continue }
            guard body(text) else { return }
        }
    }

    private func find(_ mark: [UInt8], from start: Int) -> Int? {
        guard bytes.count >= mark.count else { return nil }
        var index = start
        while index <= bytes.count - mark.count {
            guard let next = bytes[index...(bytes.count - mark.count)].firstIndex(of: mark[0])
            else { return nil }
            if bytes[next..<next + mark.count].elementsEqual(mark) { return next }
            index = next + 1
        }
        return nil
    }

    /// - Source: XML 1.0 §4.1 and §4.6.
    private static func unescaped(_ bytes: ArraySlice<UInt8>) -> String? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
        let named: [Substring: Character] = [
            "amp": "&", "lt": "<", "gt": ">", "quot": "\"", "apos": "'",
        ]
        var output = ""
        var rest = text[...]
        while let mark = rest.firstIndex(of: "&") {
            output += rest[..<mark]
            guard let end = rest[mark...].firstIndex(of: ";") else { return nil }
            let name = rest[rest.index(after: mark)..<end]
            if let character = named[name] {
                output.append(character)
            } else if name.hasPrefix("#") {
                let isHex = name.dropFirst().hasPrefix("x")
                let digits = name.dropFirst(isHex ? 2 : 1)
                guard let code = UInt32(digits, radix: isHex ? 16 : 10),
                    let scalar = Unicode.Scalar(code)
                else { return nil }
                output.unicodeScalars.append(scalar)
            } else {
                return nil
            }
            rest = rest[rest.index(after: end)...]
        }
        return output + rest
    }
}
