// SPDX-License-Identifier: Apache-2.0
//
// Moments as signatures write them. Pure.

/// A moment, to the second, in universal time.
struct SigningTime: Hashable, Sendable {
    /// `20150830`.
    let day: String
    /// `20150830T123600Z`.
    let text: String

    /// - Parameter seconds: since 1970; from there on.
    init(secondsSince1970 seconds: Int64) {
        let days = seconds / 86_400
        let rest = seconds % 86_400
        // Days to a date of the Gregorian calendar, in eras of 400 years that begin in March.
        let shifted = days + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let sinceMarch = (5 * dayOfYear + 2) / 153
        let month = sinceMarch < 10 ? sinceMarch + 3 : sinceMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        let dayOfMonth = dayOfYear - (153 * sinceMarch + 2) / 5 + 1
        day = Self.digits(year, 4) + Self.digits(month, 2) + Self.digits(dayOfMonth, 2)
        text =
            day + "T" + Self.digits(rest / 3600, 2) + Self.digits(rest / 60 % 60, 2)
            + Self.digits(rest % 60, 2) + "Z"
    }

    private static func digits(_ number: Int64, _ count: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
}
