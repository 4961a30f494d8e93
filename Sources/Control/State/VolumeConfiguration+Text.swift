// SPDX-License-Identifier: Apache-2.0
//
// Reading and writing the text of a configuration. Pure.

import Compression
import Primitives
import RemoteStores

/// What is wrong with a configuration's text.
package struct ConfigurationError: Error, Equatable, Sendable {
    /// The line, counted from 1; 0 when something is missing from the whole.
    package let line: Int
    /// What is wrong there, without a full stop.
    package let problem: String
}

extension VolumeConfiguration {
    private enum Key: String, CaseIterable {
        case version
        case id
        case store
        case pads
        case spendingLimit = "spending-limit"
        case publishInterval = "publish-interval"
        case compression
        case inlineLimit = "inline-limit"
        case cache
        case quota
        case device
        case publishDelay = "publish-delay"
        case readDeadline = "read-deadline"
        case finishTime = "finish-time"

        static let required: [Key] = [.version, .id, .store]
    }

    /// Reads the text of a configuration file.
    package init(text bytes: [UInt8]) throws(ConfigurationError) {
        guard let text = String(validating: bytes, as: UTF8.self),
            !text.unicodeScalars.contains("\0")
        else { throw ConfigurationError(line: 0, problem: "it is not a text file") }
        self.init(volumeID: [], store: "", device: "cairn")
        var seen: Set<Key> = []
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let line = line.trimmed
            if line.isEmpty || line.hasPrefix("#") { continue }
            do throws(Problem) {
                let (key, value) = try Self.setting(in: line)
                guard seen.insert(key).inserted else {
                    throw Problem("“\(key.rawValue)” stands there twice")
                }
                guard key == .version || seen.contains(.version) else {
                    throw Problem("“version” must come first")
                }
                try set(key, to: value)
            } catch {
                throw ConfigurationError(line: index + 1, problem: error.text)
            }
        }
        for key in Key.required where !seen.contains(key) {
            throw ConfigurationError(line: 0, problem: "“\(key.rawValue)” is missing")
        }
    }

    /// The text `init(text:)` reads back to an equal value.
    package var text: String {
        """
        # Settings of a Cairn volume on this machine. They may be changed while it is not mounted.
        version = \(Self.version)
        id = \(Hex.encode(volumeID))
        store = \(store)
        compression = \(compression.name)
        inline-limit = \(SizeText.exact(inlineLimit))
        cache = \(SizeText.exact(cache))
        device = \(device)
        publish-delay = \(DurationText.exact(publishDelay))
        read-deadline = \(DurationText.exact(readDeadline))
        finish-time = \(DurationText.exact(finishTime))

        """ + optionalText
    }

    /// Lines of what most volumes do not have.
    private var optionalText: String {
        var text = ""
        if let quota { text += "quota = \(SizeText.exact(quota))\n" }
        if let pads { text += "pads = \(pads)\n" }
        if let spendingLimit { text += "spending-limit = \(spendingLimit.text)\n" }
        if let publishInterval {
            text += "publish-interval = \(DurationText.exact(publishInterval))\n"
        }
        return text
    }

    private struct Problem: Error {
        let text: String
        init(_ text: String) { self.text = text }
    }

    private static func setting(in line: Substring) throws(Problem) -> (Key, String) {
        guard let equals = line.firstIndex(of: "=") else {
            throw Problem("“key = value” is expected")
        }
        let name = line[..<equals].trimmed
        guard let key = Key(rawValue: String(name)) else {
            // Cut: garbage may be long, and this goes to a terminal.
            throw Problem("there is no setting “\(name.prefix(32))”")
        }
        let value = line[line.index(after: equals)...].trimmed
        guard !value.isEmpty else { throw Problem("“\(key.rawValue)” has no value") }
        return (key, String(value))
    }

    private mutating func set(_ key: Key, to value: String) throws(Problem) {
        switch key {
        case .version:
            guard value == String(Self.version) else {
                throw Problem("version “\(value.prefix(16))” is not one this program knows")
            }
        case .id:
            guard let id = Hex.decode(value), id.count == Self.volumeIDSize else {
                throw Problem("“id” needs \(2 * Self.volumeIDSize) hexadecimal digits")
            }
            volumeID = id
        case .store:
            store = value
        case .pads:
            pads = value
        case .spendingLimit:
            guard let limit = TokenAmount(value) else {
                throw Problem("“spending-limit” is a whole number of the token's smallest unit")
            }
            spendingLimit = limit
        case .publishInterval:
            publishInterval = try Self.time(key, value, Self.publishIntervals)
        case .compression:
            guard let quality = BrotliQuality(name: value) else {
                throw Problem("“compression” is “fast” or “autonomi”")
            }
            compression = quality
        case .inlineLimit:
            inlineLimit = try Self.size(key, value, Self.inlineLimits)
        case .cache:
            cache = try Self.size(key, value, Self.cacheLimits)
        case .quota:
            quota = try Self.size(key, value, Self.quotas)
        case .device:
            guard value.utf8.count <= Self.deviceNameLimit else {
                throw Problem("“device” is longer than \(Self.deviceNameLimit) bytes")
            }
            device = value
        case .publishDelay:
            publishDelay = try Self.time(key, value, Self.publishDelays)
        case .readDeadline:
            readDeadline = try Self.time(key, value, Self.readDeadlines)
        case .finishTime:
            finishTime = try Self.time(key, value, Self.finishTimes)
        }
    }

    private static func size(
        _ key: Key, _ value: String, _ limits: ClosedRange<UInt64>
    ) throws(Problem) -> UInt64 {
        guard let size = SizeText.parse(value), limits.contains(size) else {
            let ends =
                "\(SizeText.exact(limits.lowerBound)) to \(SizeText.exact(limits.upperBound))"
            throw Problem("“\(key.rawValue)” is a size from \(ends), such as 512M")
        }
        return size
    }

    private static func time(
        _ key: Key, _ value: String, _ limits: ClosedRange<Duration>
    ) throws(Problem) -> Duration {
        guard let time = DurationText.parse(value), limits.contains(time) else {
            let (least, most) = (limits.lowerBound, limits.upperBound)
            let ends = "\(DurationText.exact(least)) to \(DurationText.exact(most))"
            throw Problem("“\(key.rawValue)” is a time from \(ends), such as 30s")
        }
        return time
    }
}

extension StringProtocol {
    /// Without the white space at both ends.
    var trimmed: SubSequence {
        let start = firstIndex { !$0.isWhitespace } ?? endIndex
        let end = lastIndex { !$0.isWhitespace }.map { index(after: $0) } ?? start
        return self[start..<end]
    }
}
