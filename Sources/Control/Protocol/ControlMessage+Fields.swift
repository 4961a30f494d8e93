// SPDX-License-Identifier: Apache-2.0
//
// The field types that control messages are made of.

import Primitives

extension ByteWriter {
    /// A text; what is above the limit is cut off, at a character's end.
    mutating func text(_ text: String) {
        var bytes = Array(text.utf8)
        if bytes.count > ControlLimits.textSize {
            bytes.removeSubrange(ControlLimits.textSize...)
            while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
            if let last = bytes.last, last >= 0xC0 { bytes.removeLast() }
        }
        lengthPrefixed(bytes)
    }

    /// Milliseconds; nil is 0, and no time at all is 1.
    mutating func duration(_ time: Duration?) {
        varint(time.map { UInt64(max(1, DurationText.milliseconds(of: $0))) } ?? 0)
    }
}

extension ByteReader {
    mutating func expectVersion() throws(CodingError) {
        guard try u8() == ControlLimits.version else {
            throw .malformed("a message of another version of this program")
        }
    }

    mutating func text() throws(CodingError) -> String {
        let bytes = try lengthPrefixed(limit: ControlLimits.textSize)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .malformed("a text that is not UTF-8")
        }
        return text
    }

    mutating func flag() throws(CodingError) -> Bool {
        switch try u8() {
        case 0: false
        case 1: true
        default: throw .malformed("a flag that is neither 0 nor 1")
        }
    }

    mutating func number() throws(CodingError) -> Int {
        try count(limit: Int.max)
    }

    mutating func duration() throws(CodingError) -> Duration? {
        let limit = DurationText.milliseconds(of: DurationText.longest)
        let milliseconds = try count(limit: Int(limit))
        return milliseconds == 0 ? nil : .milliseconds(milliseconds)
    }
}
