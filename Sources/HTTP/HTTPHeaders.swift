// SPDX-License-Identifier: Apache-2.0
//
// Header fields, of requests and of answers.

/// One field.
package struct HTTPHeader: Hashable, Sendable {
    /// Its name, in any case.
    package let name: String
    /// Its value, without blanks around it.
    package let value: String

    /// Names the two.
    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }

    /// Whether it can be sent without becoming another header: a name of RFC 9110 §5.1, a value
    /// without control characters.
    var isWellFormed: Bool {
        let marks = "!#$%&'*+-.^_`|~".utf8
        let isName =
            !name.isEmpty
            && name.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
                    || marks.contains(byte)
            }
        return isName && value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
    }
}

/// The header of an answer.
package struct HTTPHeaders: Hashable, Sendable {
    /// All fields, in the order they came.
    package private(set) var all: [HTTPHeader] = []
    /// Bytes of them, as they came.
    private var size = 0

    /// No fields.
    package init() {}

    /// These fields.
    package init(_ all: [HTTPHeader]) {
        self.all = all
    }

    /// The value of the first field of this name, in whatever case it is written.
    package subscript(name: String) -> String? {
        all.first { HTTPHeaders.isSame($0.name, name) }?.value
    }

    /// The value of a field that holds one number; nil if there is none, or something else.
    package func number(_ name: String) -> UInt64? {
        self[name].flatMap { text in
            text.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt64(text) : nil
        }
    }

    /// How long the server asks to be left alone, from `Retry-After`: seconds, or a time, from
    /// which the server's own `Date` is taken so that clocks need not agree. At most a day.
    ///
    /// - Source: RFC 9110 §10.2.3.
    package var retryAfter: Duration? {
        let most: Int64 = 24 * 60 * 60
        if let seconds = number("Retry-After") {
            return .seconds(min(Int64(clamping: seconds), most))
        }
        guard let until = self["Retry-After"].flatMap(HTTPDate.seconds),
            let now = self["Date"].flatMap(HTTPDate.seconds)
        else { return nil }
        return .seconds(min(max(until - now, 0), most))
    }

    /// Takes a line of an answer's header.
    ///
    /// - Returns: false when there are more than `HTTPLimits` allows.
    mutating func append(line: some Collection<UInt8>) -> Bool {
        size += line.count
        guard size <= HTTPLimits.headerSize else { return false }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return true }
        guard all.count < HTTPLimits.headerCount else { return false }
        all.append(
            HTTPHeader(
                HTTPHeaders.trimmed(line[..<colon]),
                HTTPHeaders.trimmed(line[line.index(after: colon)...])))
        return true
    }

    private static func trimmed(_ bytes: some Collection<UInt8>) -> String {
        let blanks: Set<UInt8> = [0x20, 0x09, 0x0D, 0x0A]
        let kept = Array(bytes.drop { blanks.contains($0) })
        let end = kept.lastIndex { !blanks.contains($0) }.map { $0 + 1 } ?? 0
        return String(decoding: kept[..<end], as: UTF8.self)
    }

    private static func isSame(_ left: String, _ right: String) -> Bool {
        left.utf8.count == right.utf8.count
            && zip(left.utf8, right.utf8).allSatisfy { lower($0) == lower($1) }
    }

    private static func lower(_ byte: UInt8) -> UInt8 {
        (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
}

/// Times as HTTP writes them.
package enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Seconds since 1970 of a time like `Sun, 06 Nov 1994 08:49:37 GMT`; nil for anything else,
    /// the two older forms included.
    ///
    /// - Source: RFC 9110 §5.6.7.
    package static func seconds(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[0].hasSuffix(","), words[5] == "GMT",
            let day = number(words[1], 2), let month = months.firstIndex(of: String(words[2])),
            let year = number(words[3], 4)
        else { return nil }
        let time = words[4].split(separator: ":", omittingEmptySubsequences: false)
        guard time.count == 3, let hour = number(time[0], 2), let minute = number(time[1], 2),
            let second = number(time[2], 2), (1...31).contains(day), hour < 24, minute < 60,
            second <= 60
        else { return nil }
        return days(year: year, month: month + 1, day: day) * 86_400 + hour * 3600 + minute * 60
            + second
    }

    private static func number(_ text: Substring, _ digits: Int) -> Int64? {
        guard text.utf8.count == digits, text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int64(text)
    }

    /// Days from 1970-01-01 to a day of the Gregorian calendar, counted in years that begin in
    /// March, so that the day that leap years add is their last.
    private static func days(year: Int64, month: Int, day: Int64) -> Int64 {
        let shifted = month > 2 ? year : year - 1
        let sinceMarch = Int64((month + 9) % 12)
        let dayOfYear = (153 * sinceMarch + 2) / 5 + day - 1
        return 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
    }
}
