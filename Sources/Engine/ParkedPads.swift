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
    /// Of the encoding; others are not read.
    static let version: UInt8 = 2
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
        let expires: ContinuousClock.Instant
    }

    private(set) var entries: [Parked] = []

    /// Leaves an identity at a name.
    mutating func park(
        _ pad: PadRow, parent: UInt64, name: [UInt8], mover: UInt64, now: ContinuousClock.Instant
    ) {
        entries.removeAll { $0.parent == parent && $0.name == name }
        entries.append(
            Parked(
                parent: parent, name: name, pad: pad, mover: mover,
                expires: now + ParkedPads.lifetime))
        if entries.count > ParkedPads.limit { entries.removeFirst() }
    }

    /// The identity left at this name, which stays there.
    func pad(parent: UInt64, name: [UInt8]) -> PadRow? {
        entries.first { $0.parent == parent && $0.name == name }?.pad
    }

    /// The identity left at this name, which it leaves now.
    mutating func take(parent: UInt64, name: [UInt8]) -> PadRow? {
        guard let index = entries.firstIndex(where: { $0.parent == parent && $0.name == name })
        else { return nil }
        return entries.remove(at: index).pad
    }

    /// Whether the time of any is over.
    func isOver(at now: ContinuousClock.Instant) -> Bool { entries.contains { $0.expires <= now } }

    /// Those whose time is over.
    mutating func expire(now: ContinuousClock.Instant) -> [Parked] {
        let over = entries.filter { $0.expires <= now }
        if !over.isEmpty { entries.removeAll { $0.expires <= now } }
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
            writer.lengthPrefixed(entry.pad.pendingRecord ?? [])
        }
        return writer.bytes
    }

    init() {}

    /// Reads what `encoded` wrote. Each identity has its whole time again: what the clock has done
    /// meanwhile is not known.
    init(decoding bytes: [UInt8], now: ContinuousClock.Instant) throws(CodingError) {
        var reader = ByteReader(bytes)
        guard try reader.u8() == ParkedPads.version else { throw .malformed("parked pads") }
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
            let pending = try reader.lengthPrefixed(limit: PadRecord.maximumSize)
            let pad = PadRow(
                ino: mover, identity: identity, address: address, encoding: encoding,
                counter: counter, publishedDigest: digest.isEmpty ? nil : digest,
                pendingRecord: pending.isEmpty ? nil : pending, isLocalOnly: false)
            entries.append(
                Parked(
                    parent: parent, name: name, pad: pad, mover: mover,
                    expires: now + ParkedPads.lifetime))
        }
        try reader.expectEnd()
    }
}
