// SPDX-License-Identifier: Apache-2.0
//
// Whether a service compares before it replaces, and in which words it wants to be asked. Services
// differ, and some take a condition and do not look at it: so it is tried, on an object that is
// there for that alone.

internal import Cryptography
internal import HTTP
internal import Primitives
internal import Stores
internal import Synchronization

/// What a service can compare when it puts.
enum PadCondition: Equatable {
    /// Whether there is an object, and which: `If-None-Match: *` and `If-Match` with the tag.
    case exact(isQuoted: Bool)
    /// Only whether there is one.
    case absence
    /// Nothing.
    case none

    /// The header for a pad that was read with this tag; nil tag: that was not there. Empty where
    /// the service cannot compare.
    func headers(tag: String?) -> [(String, String)] {
        switch (self, tag) {
        case (.exact, nil), (.absence, nil): [("If-None-Match", "*")]
        case (.exact(let isQuoted), let tag?):
            [("If-Match", isQuoted ? "\"\(tag)\"" : tag)]
        case (.absence, _), (.none, _): []
        }
    }

    /// Whether what was read with this tag is surely not replaced by somebody else meanwhile.
    func isSafe(tag: String?) -> Bool { !headers(tag: tag).isEmpty }
}

extension S3Store {
    /// The tag of an object without its quotes; nil if it is none that can be compared.
    static func tag(_ response: HTTPResponse) -> String? {
        guard var tag = response.headers["ETag"]?[...], !tag.hasPrefix("W/") else { return nil }
        if tag.hasPrefix("\"") { tag = tag.dropFirst() }
        if tag.hasSuffix("\"") { tag = tag.dropLast() }
        return tag.isEmpty || tag.contains("\"") ? nil : String(tag)
    }

    /// What the service can compare; tried once.
    func padCondition() throws(StoreError) -> PadCondition {
        if let known = condition.withLock({ $0 }) { return known }
        // Two threads may try at once: each with its own object, and with the same outcome.
        let found = try probe()
        condition.withLock { $0 = found }
        return found
    }

    private func probe() throws(StoreError) -> PadCondition {
        let key = keys.probes + Hex.encode(SystemRandom.bytes(16))
        func put(_ text: String, _ headers: [(String, String)]) throws(StoreError) -> HTTPResponse {
            let request = S3Request(
                method: .put, key: key, headers: headers, body: Array(text.utf8))
            return try client.send(request, accepting: [400, 404, 409, 412, 501])
        }
        guard let tag = S3Store.tag(try put("first", [])) else { return .none }
        defer {
            // It stays if the keys may not delete: a few bytes, whose name says what they are.
            try? remove(key)
        }
        guard try put("second", [("If-None-Match", "*")]).status == 412 else { return .none }
        for isQuoted in [true, false] {
            let form = PadCondition.exact(isQuoted: isQuoted)
            // A tag that no object has: who takes it does not compare.
            let other = String(repeating: "0", count: 32)
            guard try put("third", form.headers(tag: other)).status == 412 else { continue }
            if try put("fourth", form.headers(tag: tag)).isSuccess { return form }
        }
        return .absence
    }
}
