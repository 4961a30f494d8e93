// SPDX-License-Identifier: Apache-2.0
//
// Texts for which memory has no room, on the local disk, for the life of one mount: who opens them
// again asks no node. What is there is public; letters never are.
//
// Two files without names, so that nothing is left of them however the process ends. One is
// appended to; when it is full the other one is emptied, with the texts that came longest ago, and
// takes its place.
//
// Invariants:
// - `places` leads only to records that are whole in their half: `end` is behind all of the current
//   one's.
// - A text is given out only if it has the digest it was written with.

import Aleph
import AlephProtocol
import Cryptography
import Glibc
import Primitives

/// The texts.
final class AlephSpill: Sendable {
    /// The part of the volume's cache budget that the texts may take on top of it.
    static let budgetDivisor: UInt64 = 20
    /// The least room, both halves together. What one message has, 16 MiB, fits into a half unless
    /// indenting it makes it twice as long; an aggregate of many may not, and then only its size
    /// and time are known (`AlephKnown.bare`).
    static let minimumBudget: UInt64 = 64 << 20
    /// The most room.
    static let maximumBudget: UInt64 = 512 << 20
    /// The most texts, half of them in each half; their places are in memory, some 120 bytes each.
    static let countLimit = 200_000

    private struct Place {
        /// Made of the path in another way than its key.
        let check: Int
        /// Made of the account's address that is in the path; 0 for none.
        let group: Int
        let digest: Digest
        /// Of the entry.
        let time: Double
        let offset: UInt64
        let count: Int
        let isSecond: Bool
        let isAggregate: Bool
    }

    private struct State {
        /// By numbers made of paths.
        var places: [Int: Place] = [:]
        var isSecond = false
        var end: UInt64 = 0
        /// How many were written to the current half, those that went among them.
        var written = 0
    }

    private let first: Descriptor
    private let second: Descriptor
    private let halfSize: UInt64
    private let state = Lock(State())

    /// How many texts are here.
    var count: Int { state.withLock { $0.places.count } }

    /// - Parameters:
    ///   - folder: is there; nothing with a name is left in it.
    ///   - cacheBudget: of the volume.
    init(folder: String, cacheBudget: UInt64) throws(SystemError) {
        let budget = max(cacheBudget / AlephSpill.budgetDivisor, AlephSpill.minimumBudget)
        halfSize = min(budget, AlephSpill.maximumBudget) / 2
        first = try AlephSpill.nameless(folder + "/texts-1")
        second = try AlephSpill.nameless(folder + "/texts-2")
    }

    private static func nameless(_ path: String) throws(SystemError) -> Descriptor {
        let file = try Descriptor.open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        try Files.remove(path)
        return file
    }

    /// Keeps a text.
    ///
    /// - Returns: whether it is here: not for what is no text, or is longer than a half, and not
    ///   where the disk has no room.
    func keep(_ entry: AlephEntry, as path: AlephPath) -> Bool {
        // Of stored files the directory knows all that is kept.
        guard let text = entry.text, entry.file == nil else { return false }
        return state.withLock { state in
            let check = AlephSpill.check(path)
            // Of two with one key by chance that which came last is here.
            if state.places[path.hashValue]?.check == check { return true }
            let record = AlephSpill.record(entry, text)
            guard UInt64(record.count) <= halfSize else { return false }
            if state.end + UInt64(record.count) > halfSize
                || state.written >= AlephSpill.countLimit / 2
            {
                guard turn(&state) else { return false }
            }
            do throws(SystemError) {
                try write(record.span, at: state.end, state.isSecond)
            } catch {
                // A full disk: it is asked for when somebody opens it.
                return false
            }
            state.places[path.hashValue] = Place(
                check: check, group: AlephSpill.group(path),
                digest: Blake3.hash(record), time: entry.time, offset: state.end,
                count: record.count,
                isSecond: state.isSecond, isAggregate: path.isAggregate)
            state.end += UInt64(record.count)
            state.written += 1
            return true
        }
    }

    /// A text that is here.
    func entry(_ path: AlephPath) -> AlephEntry? {
        state.withLock { state in
            guard let place = state.places[path.hashValue], place.check == AlephSpill.check(path)
            else { return nil }
            var bytes = [UInt8](repeating: 0, count: place.count)
            var span = bytes.mutableSpan
            // What the disk does not give back is asked for again, as what never was here.
            let count = try? read(at: place.offset, into: &span, place.isSecond)
            guard count == place.count, Blake3.hash(bytes) == place.digest,
                // It has the digest of what was written, and so it is as it was written.
                let entry = try? AlephSpill.entry(bytes, at: path)
            else {
                state.places[path.hashValue] = nil
                return nil
            }
            return entry
        }
    }

    /// Of when a text is that is here; nil for none.
    func time(_ path: AlephPath) -> Double? {
        state.withLock { state in
            guard let place = state.places[path.hashValue], place.check == AlephSpill.check(path)
            else { return nil }
            return place.time
        }
    }

    /// A text is another now.
    func drop(_ path: AlephPath) { state.withLock { $0.places[path.hashValue] = nil } }

    /// All texts of an account may be others.
    func drop(of address: String) {
        let group = address.hashValue
        state.withLock { state in state.places = state.places.filter { $0.value.group != group } }
    }

    /// Whether there is an aggregate of an account.
    func hasAggregate(of address: String) -> Bool {
        let group = address.hashValue
        return state.withLock { state in
            state.places.values.contains { $0.group == group && $0.isAggregate }
        }
    }

    /// Empties the older half, and goes on there.
    private func turn(_ state: inout State) -> Bool {
        let isSecond = !state.isSecond
        do throws(SystemError) {
            if isSecond { try second.truncate(to: 0) } else { try first.truncate(to: 0) }
        } catch {
            return false
        }
        state.places = state.places.filter { $0.value.isSecond != isSecond }
        state.isSecond = isSecond
        state.end = 0
        state.written = 0
        return true
    }

    private func write(
        _ bytes: Span<UInt8>, at offset: UInt64, _ isSecond: Bool
    ) throws(SystemError) {
        if isSecond {
            try second.writeAll(bytes, at: offset)
        } else {
            try first.writeAll(bytes, at: offset)
        }
    }

    private func read(
        at offset: UInt64, into out: inout MutableSpan<UInt8>, _ isSecond: Bool
    ) throws(SystemError) -> Int {
        if isSecond { return try second.readFully(at: offset, into: &out) }
        return try first.readFully(at: offset, into: &out)
    }

    // MARK: Records

    /// What is known of a text, and then the text. Only this process reads it.
    private static func record(_ entry: AlephEntry, _ text: [UInt8]) -> [UInt8] {
        var writer = ByteWriter(capacity: 256 + text.count)
        writer.lengthPrefixed(Array(entry.name.utf8))
        writer.u64le(entry.time.bitPattern)
        writer.lengthPrefixed(Array((entry.message?.text ?? "").utf8))
        writer.lengthPrefixed(Array((entry.sender ?? "").utf8))
        writer.varint(UInt64(entry.sources.count))
        for source in entry.sources { writer.lengthPrefixed(Array(source.text.utf8)) }
        writer.lengthPrefixed(text)
        return writer.bytes
    }

    private static func entry(
        _ record: [UInt8], at path: AlephPath
    ) throws(CodingError) -> AlephEntry {
        var reader = ByteReader(record)
        let limit = record.count
        let name = String(decoding: try reader.lengthPrefixed(limit: limit), as: UTF8.self)
        let time = Double(bitPattern: try reader.u64le())
        let message = String(decoding: try reader.lengthPrefixed(limit: limit), as: UTF8.self)
        let sender = String(decoding: try reader.lengthPrefixed(limit: limit), as: UTF8.self)
        var sources: [ItemHash] = []
        for _ in 0..<(try reader.count(limit: limit)) {
            let source = String(decoding: try reader.lengthPrefixed(limit: limit), as: UTF8.self)
            if let source = ItemHash(source) { sources.append(source) }
        }
        var entry = AlephEntry(name, at: path, text: try reader.lengthPrefixed(limit: limit))
        try reader.expectEnd()
        entry.time = time
        entry.message = ItemHash(message)
        entry.sender = sender.isEmpty ? nil : sender
        entry.sources = sources
        return entry
    }

    private static func check(_ path: AlephPath) -> Int {
        var hasher = Hasher()
        hasher.combine(1)
        hasher.combine(path)
        return hasher.finalize()
    }

    private static func group(_ path: AlephPath) -> Int {
        switch path {
        case .post(let address, _), .aggregate(let address, _), .element(let address, _, _):
            address.hashValue
        default: 0
        }
    }
}

extension AlephPath {
    /// Whether it is a value that several messages make.
    fileprivate var isAggregate: Bool {
        if case .aggregate = self { return true }
        return false
    }
}
