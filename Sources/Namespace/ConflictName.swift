// SPDX-License-Identifier: Apache-2.0
//
// The second name of a file that two machines changed at once.

/// The most bytes of a device's name that go into a file's name.
private let maximumDevicePartSize = 64
/// A longer "extension" is part of the name.
private let maximumExtensionSize = 32

/// `report (conflict from DEVICE 2026-11-21 14.05.09).txt`: a name next to `name` that is free.
///
/// The extension stays, so that the file still opens with the right program. No colons, so that
/// the name can be copied to any other filesystem. If the name is taken, a number follows the
/// time. What would be longer than `NamespaceLimits.maximumNameSize` is cut in the stem, between
/// characters if the name is UTF-8.
///
/// - Parameters:
///   - name: the name that two versions wanted.
///   - device: whose version gets the second name; slashes and control characters become `_`.
///   - moment: written as UTC.
///   - isTaken: whether a name can not be used; false for all but finitely many.
package func conflictName(
    for name: [UInt8], device: String, moment: Timestamp, isTaken: ([UInt8]) -> Bool
) -> [UInt8] {
    let (stem, suffix) = split(name)
    let device = printable(device)
    for number in 1... {
        let repetition = number == 1 ? "" : " \(number)"
        let mark = Array(" (conflict from \(device) \(text(of: moment))\(repetition))".utf8)
        let room = NamespaceLimits.maximumNameSize - mark.count - suffix.count
        let candidate = prefix(of: stem, size: room) + mark + suffix
        if !isTaken(candidate) { return candidate }
    }
    preconditionFailure("all numbers are taken")
}

/// The name before its extension, and the extension with its dot. A dot at the very start hides a
/// file, and begins no extension.
private func split(_ name: [UInt8]) -> (stem: [UInt8], suffix: [UInt8]) {
    let dot = UInt8(ascii: ".")
    guard let index = name.lastIndex(of: dot), index < name.count - 1,
        name[..<index].contains(where: { $0 != dot }),
        name.count - index <= maximumExtensionSize
    else { return (name, []) }
    return (Array(name[..<index]), Array(name[index...]))
}

/// The longest beginning of at most `size` bytes that cuts no UTF-8 character in two. Bytes that
/// are not UTF-8 are cut anywhere.
private func prefix(of bytes: [UInt8], size: Int) -> [UInt8] {
    guard bytes.count > size else { return bytes }
    var end = size
    while end > max(0, size - 3), bytes[end] & 0xC0 == 0x80 { end -= 1 }
    return Array(bytes[..<(bytes[end] & 0xC0 == 0x80 ? size : end)])
}

/// A device's name as a part of a file's name.
private func printable(_ device: String) -> String {
    var bytes = Array(device.utf8)
    for (index, byte) in bytes.enumerated()
    where byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "/") {
        bytes[index] = UInt8(ascii: "_")
    }
    let shown = prefix(of: bytes, size: maximumDevicePartSize)
    return shown.isEmpty ? "another device" : String(decoding: shown, as: UTF8.self)
}

/// `2026-11-21 14.05.09`, in UTC.
private func text(of moment: Timestamp) -> String {
    let secondsPerDay: Int64 = 86_400
    var days = moment.seconds / secondsPerDay
    var second = moment.seconds % secondsPerDay
    if second < 0 {
        second += secondsPerDay
        days -= 1
    }
    let (year, month, day) = date(ofDay: days)
    let time = [second / 3600, second / 60 % 60, second % 60].map(twoDigits)
    return "\(year)-\(twoDigits(month))-\(twoDigits(day)) \(time.joined(separator: "."))"
}

private func twoDigits(_ number: Int64) -> String {
    number < 10 ? "0\(number)" : "\(number)"
}

/// The Gregorian date of a day counted from 1970-01-01.
///
/// Years are taken to begin in March, so that the leap day is their last; 400 of them always have
/// 146 097 days.
private func date(ofDay day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let daysPerEra: Int64 = 146_097
    // 719 468 days lie between 0000-03-01 and 1970-01-01.
    let shifted = day + 719_468
    let era = (shifted >= 0 ? shifted : shifted - daysPerEra + 1) / daysPerEra
    let dayOfEra = shifted - era * daysPerEra
    let leaps = dayOfEra / 1460 - dayOfEra / 36_524 + dayOfEra / 146_096
    let yearOfEra = (dayOfEra - leaps) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    // Month lengths from March on repeat every five months, 153 days.
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let dayOfMonth = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfMonth)
}
