// SPDX-License-Identifier: Apache-2.0
//
// A moment as text. Pure.

/// Moments in UTC.
package enum UTCText {
    /// The moment as RFC 3339 writes it, such as `2026-01-31T09:05:00Z`.
    ///
    /// - Parameter seconds: since 1970, from the year 0 to 9999.
    /// - Source: the days-to-date algorithm of the proleptic Gregorian calendar, counted in eras of
    ///   400 years (146 097 days) that begin on 1 March.
    package static func of(_ seconds: Int64) -> String {
        let days = floorDivide(seconds, 86_400)
        let second = seconds - days * 86_400
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let (minutes, hours) = (second / 60 % 60, second / 3600)
        return date + "T\(padded(hours, 2)):\(padded(minutes, 2)):\(padded(second % 60, 2))Z"
    }

    /// Seconds since 1970 of a day, `2026-01-31`, or of a moment, `2026-01-31T09:05:00Z`, from 1970
    /// on; nil for anything else, days that no month has included.
    package static func seconds(_ text: String) -> Int64? {
        let moment = text.utf8.count == 10 ? text + "T00:00:00Z" : text
        let digits = moment.split { "-T:Z".contains($0) }.compactMap { part in
            part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int64(part) : nil
        }
        guard moment.utf8.count == 20, digits.count == 6, digits[1] >= 1, digits[1] <= 12 else {
            return nil
        }
        let year = digits[1] > 2 ? digits[0] : digits[0] - 1
        let dayOfYear = (153 * ((digits[1] + 9) % 12) + 2) / 5 + digits[2] - 1
        let days = 365 * year + year / 4 - year / 100 + year / 400 + dayOfYear - 719_468
        let seconds = days * 86_400 + digits[3] * 3600 + digits[4] * 60 + digits[5]
        // Written back it must be the same: so nothing is out of its range.
        return seconds >= 0 && of(seconds) == moment ? seconds : nil
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : -((-value + divisor - 1) / divisor)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
