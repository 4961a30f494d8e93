// SPDX-License-Identifier: Apache-2.0
//
// Identities whose name has no file at the moment: an editor has moved the pad away, or removed it,
// and is about to create it anew (docs/ARCHITECTURE.md §2). Pure: the caller brings the clock.

import Metadata
import Primitives
import Scratchpads

/// The identities left behind at their names.
struct ParkedPads: Sendable {
    /// How long a name keeps its identity: editors take milliseconds, people seconds.
    static let lifetime = Duration.seconds(30)
    /// Of the encoding.
    static let version: UInt8 = 3
    /// The one before it, which is read as well: each record is in the list.
    static let olderVersion: UInt8 = 2
    /// Most names at once; the oldest goes first.
    static let limit = 1024

    struct Parked: Sendable, Equatable {
        let parent: UInt64
        let name: [UInt8]
        var pad: PadRow
        /// The file that went away under another name, and gets the identity if nobody else comes;
        /// 0 for none.
        let mover: UInt64
        /// By a clock that nobody sets: a jump of the system's must not end a save in its middle.
        var expires: ContinuousClock.Instant
        /// The record that waits for the store is kept apart from the list, and is not in `pad`.
        var isRecordApart = false
    }

    private(set) var entries: [Parked] = []
    /// Whose records are apart, though the list has them no more.
    private var left: Set<PadAddress> = []

    /// Leaves an identity at a name.
    mutating func park(
        _ pad: PadRow, parent: UInt64, name: [UInt8], mover: UInt64, now: ContinuousClock.Instant
    ) {
        park(Parked(parent: parent, name: name, pad: pad, mover: mover, expires: now), now: now)
    }

    /// Leaves what was left at a name there once more.
    mutating func park(_ entry: Parked, now: ContinuousClock.Instant) {
        _ = take(parent: entry.parent, name: entry.name)
        if entry.isRecordApart { left.remove(entry.pad.address) }
        var entry = entry
        entry.expires = now + ParkedPads.lifetime
        entries.append(entry)
        if entries.count > ParkedPads.limit { noteLeft(entries.removeFirst()) }
    }

    private mutating func noteLeft(_ entry: Parked) {
        if entry.isRecordApart { left.insert(entry.pad.address) }
    }

    /// What was left at this name, and stays there.
    func entry(parent: UInt64, name: [UInt8]) -> Parked? {
        entries.first { $0.parent == parent && $0.name == name }
    }

    /// The identity left at this name, which it leaves now; without a record that is apart.
    mutating func take(parent: UInt64, name: [UInt8]) -> PadRow? {
        guard let index = entries.firstIndex(where: { $0.parent == parent && $0.name == name })
        else { return nil }
        let entry = entries.remove(at: index)
        noteLeft(entry)
        return entry.pad
    }

    /// Takes the records out of the list: one is up to 4 MiB, and the list is written whole each
    /// time that it changes.
    ///
    /// - Returns: the records to be kept apart from now on, and whose are to be forgotten first.
    mutating func separateRecords() -> (added: [(PadAddress, [UInt8])], left: Set<PadAddress>) {
        var added: [(PadAddress, [UInt8])] = []
        for index in entries.indices {
            guard let record = entries[index].pad.pendingRecord else { continue }
            added.append((entries[index].pad.address, record))
            entries[index].pad.pendingRecord = nil
            entries[index].isRecordApart = true
        }
        defer { left = [] }
        return (added, left)
    }

    /// Whether the time of any is over.
    func isOver(at now: ContinuousClock.Instant) -> Bool { entries.contains { $0.expires <= now } }

    /// Those whose time is over.
    mutating func expire(now: ContinuousClock.Instant) -> [Parked] {
        let over = entries.filter { $0.expires <= now }
        if !over.isEmpty { entries.removeAll { $0.expires <= now } }
        for entry in over { noteLeft(entry) }
        return over
    }

    /// For the settings table: an identity must survive a crash between an editor's two steps.
    ///
    /// - Parameters:
    ///   - now: the clock that the entries end by.
    ///   - seconds: the same moment since 1970.
    func encoded(now: ContinuousClock.Instant, seconds: Int64) -> [UInt8] {
        var writer = ByteWriter()
        writer.u8(ParkedPads.version)
        writer.varint(UInt64(entries.count))
        for entry in entries {
            writer.u64le(entry.parent)
            writer.lengthPrefixed(entry.name)
            writer.u64le(entry.mover)
            writer.i64le(seconds + (entry.expires - now).components.seconds)
            writer.lengthPrefixed(entry.pad.identity)
            writer.u8(entry.pad.address.scheme.rawValue)
            writer.lengthPrefixed(entry.pad.address.bytes)
            writer.u64le(entry.pad.encoding)
            writer.u64le(entry.pad.counter)
            writer.lengthPrefixed(entry.pad.publishedDigest ?? [])
            writer.u8(entry.isRecordApart ? 1 : 0)
            writer.lengthPrefixed(entry.pad.pendingRecord ?? [])
        }
        return writer.bytes
    }

    init() {}

    /// Reads what `encoded` wrote. Each identity has its whole time again: what the clock has done
    /// meanwhile is not known.
    init(decoding bytes: [UInt8], now: ContinuousClock.Instant) throws(CodingError) {
        var reader = ByteReader(bytes)
        let version = try reader.u8()
        guard [ParkedPads.olderVersion, ParkedPads.version].contains(version) else {
            throw .malformed("parked pads")
        }
        let count = try reader.varint()
        guard count <= UInt64(ParkedPads.limit) else { throw .tooLarge(limit: ParkedPads.limit) }
        for _ in 0..<count {
            let parent = try reader.u64le()
            let name = try reader.lengthPrefixed(limit: 255)
            let mover = try reader.u64le()
            _ = try reader.i64le()
            let identity = try reader.lengthPrefixed(limit: 64)
            guard let scheme = SignatureSchemeID(rawValue: try reader.u8()),
                let address = PadAddress(
                    scheme: scheme, bytes: try reader.lengthPrefixed(limit: 256))
            else { throw .malformed("parked pads") }
            let encoding = try reader.u64le()
            let counter = try reader.u64le()
            let digest = try reader.lengthPrefixed(limit: 32)
            let apart = version == ParkedPads.olderVersion ? 0 : try reader.u8()
            let pending = try reader.lengthPrefixed(limit: PadRecord.maximumSize)
            guard apart == 0 || (apart == 1 && pending.isEmpty) else {
                throw .malformed("parked pads")
            }
            let pad = PadRow(
                ino: mover, identity: identity, address: address, encoding: encoding,
                counter: counter, publishedDigest: digest.isEmpty ? nil : digest,
                pendingRecord: pending.isEmpty ? nil : pending, isLocalOnly: false)
            entries.append(
                Parked(
                    parent: parent, name: name, pad: pad, mover: mover,
                    expires: now + ParkedPads.lifetime, isRecordApart: apart == 1))
        }
        try reader.expectEnd()
    }
}
