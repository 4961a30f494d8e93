// SPDX-License-Identifier: Apache-2.0
//
// Sizes and times as people write and read them: 10G, 512M, 30s. Pure.

/// Sizes in bytes, written with a binary unit.
package enum SizeText {
    private static let units: [(suffix: Character, shift: UInt64)] = [
        ("K", 10), ("M", 20), ("G", 30), ("T", 40),
    ]

    /// Bytes of a text such as `1048576`, `512M`, `10GiB` or `2T`: units are powers of 1024.
    ///
    /// - Returns: nil when it is no size, or more than 64 bits hold.
    package static func parse(_ text: String) -> UInt64? {
        var digits = text.uppercased()[...]
        if digits.hasSuffix("IB") { digits = digits.dropLast(2) }
        if digits.hasSuffix("B") { digits = digits.dropLast() }
        var shift: UInt64 = 0
        if let unit = units.first(where: { digits.hasSuffix(String($0.suffix)) }) {
            shift = unit.shift
            digits = digits.dropLast()
        }
        guard !digits.isEmpty, digits.allSatisfy({ $0.isASCII && $0.isNumber }),
            let count = UInt64(digits)
        else { return nil }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? nil : bytes
    }

    /// The shortest exact form: `10G`, `1536M`, `1000`. `parse` gives the same number back.
    package static func exact(_ bytes: UInt64) -> String {
        for unit in units.reversed() where bytes > 0 && bytes % (1 << unit.shift) == 0 {
            return "\(bytes >> unit.shift)\(unit.suffix)"
        }
        return String(bytes)
    }

    /// For people: `512 B`, `1.5 MiB`, cut to one digit after the point.
    package static func rounded(_ bytes: UInt64) -> String {
        for unit in units.reversed() where bytes >= 1 << unit.shift {
            let tenths = (bytes >> (unit.shift - 10)) * 10 / 1024
            return "\(tenths / 10).\(tenths % 10) \(unit.suffix)iB"
        }
        return "\(bytes) B"
    }
}

/// Spans of time, written with a unit.
package enum DurationText {
    private static let units: [(suffix: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000),
    ]

    /// The longest time that can be written: a day.
    package static let longest = Duration.seconds(86_400)

    /// The time of a text such as `500ms`, `30s`, `5m` or `1h`; a bare number is seconds.
    ///
    /// - Returns: nil when it is no time, or longer than `longest`.
    package static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let suffix = text[digits.endIndex...]
        guard let count = Int64(digits),
            let unit = units.first(where: { $0.suffix == (suffix.isEmpty ? "s" : suffix) })
        else { return nil }
        let (milliseconds, overflow) = count.multipliedReportingOverflow(by: unit.milliseconds)
        guard !overflow, milliseconds <= 86_400_000 else { return nil }
        return .milliseconds(milliseconds)
    }

    /// The shortest exact form, down to milliseconds. `parse` gives the same time back.
    package static func exact(_ time: Duration) -> String {
        let milliseconds = milliseconds(of: time)
        for unit in units.reversed() where milliseconds > 0 && milliseconds % unit.milliseconds == 0
        {
            return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
        }
        return "0s"
    }

    /// Whole milliseconds of a time.
    package static func milliseconds(of time: Duration) -> Int64 {
        let (seconds, attoseconds) = time.components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
