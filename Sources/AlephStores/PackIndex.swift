// SPDX-License-Identifier: Apache-2.0
//
// Which chunk is in which pack. Pure; made from the STORE messages of packs, and kept in memory:
// about 150 bytes a chunk.
//
// Invariants:
// - Of a chunk in several packs the newest pack's copy counts (`Pack.outranks`); the others are
//   garbage.
// - `liveSize` and `liveCount` of a pack are those of its copies that count.

internal import AlephProtocol
internal import Primitives

/// The index of all packs of an account.
struct PackIndex: Sendable {
    /// The most packs: 5 TB in packs of 25 MiB.
    static let packLimit = 200_000

    /// Where a chunk is.
    struct Place: Equatable, Sendable {
        let slot: Int32
        let offset: UInt32
        let size: UInt32
    }

    /// A pack, and how much of it counts.
    struct Standing: Sendable {
        let pack: Pack
        var liveSize = 0
        var liveCount = 0
    }

    private(set) var packs: [Int32: Standing] = [:]
    private var slots: [ItemHash: Int32] = [:]
    private var places: [Digest: Place] = [:]
    private var nextSlot: Int32 = 0

    /// All chunks there are.
    var digests: Dictionary<Digest, Place>.Keys { places.keys }

    /// Whether no more packs are taken.
    var isFull: Bool { packs.count >= Self.packLimit }

    /// The messages of all packs.
    var messages: Set<ItemHash> { Set(slots.keys) }

    func contains(_ digest: Digest) -> Bool { places[digest] != nil }

    func contains(_ message: ItemHash) -> Bool { slots[message] != nil }

    /// Where a chunk is, and in which file.
    func find(_ digest: Digest) -> (pack: Pack, place: Place)? {
        guard let place = places[digest], let standing = packs[place.slot] else { return nil }
        return (standing.pack, place)
    }

    /// The pack that a message keeps.
    func standing(_ message: ItemHash) -> Standing? { slots[message].flatMap { packs[$0] } }

    /// The chunks of a pack whose copies there count.
    func live(_ message: ItemHash) -> [(digest: Digest, place: Place)] {
        guard let slot = slots[message], let pack = packs[slot]?.pack else { return [] }
        return pack.directory.entries.compactMap { entry in
            guard let digest = entry.digest, let place = places[digest], place.slot == slot,
                place.offset == entry.offset
            else { return nil }
            return (digest, place)
        }
    }

    /// The messages of the other packs that have a pack's chunks now.
    func heirs(of message: ItemHash) -> Set<ItemHash> {
        guard let slot = slots[message], let pack = packs[slot]?.pack else { return [] }
        let others = pack.directory.entries.compactMap { entry in
            entry.digest.flatMap { places[$0]?.slot }
        }
        return Set(Set(others).subtracting([slot]).compactMap { packs[$0]?.pack.message })
    }

    /// Takes a pack in; one that is known, or one too many, changes nothing.
    mutating func add(_ pack: Pack) {
        guard slots[pack.message] == nil, !isFull else { return }
        let slot = nextSlot
        nextSlot += 1
        slots[pack.message] = slot
        packs[slot] = Standing(pack: pack)
        for entry in pack.directory.entries { count(entry, of: pack, slot) }
    }

    private mutating func count(_ entry: PackEntry, of pack: Pack, _ slot: Int32) {
        guard let digest = entry.digest else { return }
        if let place = places[digest] {
            guard place.slot != slot, let other = packs[place.slot]?.pack, pack.outranks(other)
            else { return }
            packs[place.slot]?.liveSize -= Int(place.size)
            packs[place.slot]?.liveCount -= 1
        }
        places[digest] = Place(slot: slot, offset: entry.offset, size: entry.size)
        packs[slot]?.liveSize += Int(entry.size)
        packs[slot]?.liveCount += 1
    }

    /// Forgets packs. What lies in others too is found there from now on.
    mutating func remove(_ messages: Set<ItemHash>) {
        var lost = false
        for message in messages {
            guard let slot = slots.removeValue(forKey: message),
                let standing = packs.removeValue(forKey: slot)
            else { continue }
            lost = lost || standing.liveCount > 0
            for entry in standing.pack.directory.entries {
                guard let digest = entry.digest, places[digest]?.slot == slot else { continue }
                places[digest] = nil
            }
        }
        guard lost else { return }
        for (slot, standing) in packs
        where standing.liveCount < standing.pack.directory.entries.count {
            for entry in standing.pack.directory.entries { count(entry, of: standing.pack, slot) }
        }
    }
}
