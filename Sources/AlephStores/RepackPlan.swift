// SPDX-License-Identifier: Apache-2.0
//
// Which packs are taken back, and which are written anew as one. Pure.
//
// A stored file costs as at least 25 MiB, so that few and full packs are cheapest; but each byte
// that is moved is sent again. So small packs are merged as in a log-structured tree: where four of
// about one size have gathered, they become one, and a byte is moved once for each size up to that
// of a full pack, which is five times at most.

internal import AlephProtocol

/// What is to be done about packs. At most one merge at a time.
struct RepackPlan: Equatable, Sendable {
    /// A pack of whose bytes less than one part in so many counts is written anew.
    static let garbageDivisor = 2
    /// A pack smaller than one part in so many of a full one is light.
    static let lightDivisor = 2
    /// Light packs of one size class that become one.
    static let mergeCount = 4
    /// Bytes of the smallest class; each further one is four times as large.
    static let smallestClass = 256 << 10

    /// Packs of which nothing counts any more.
    private(set) var dead: [ItemHash] = []
    /// Packs that are to become one.
    private(set) var merge: [ItemHash] = []

    init() {}

    /// - Parameters:
    ///   - packs: all there are.
    ///   - packSize: bytes of a full one.
    init(_ packs: some Sequence<PackIndex.Standing>, packSize: Int) {
        var sparse: [PackIndex.Standing] = []
        var classes: [Int: [PackIndex.Standing]] = [:]
        for standing in packs {
            if standing.liveCount == 0 {
                dead.append(standing.pack.message)
            } else if standing.liveSize < standing.pack.directory.fileSize / Self.garbageDivisor {
                sparse.append(standing)
            } else if standing.liveSize < packSize / Self.lightDivisor {
                classes[Self.sizeClass(standing.liveSize), default: []].append(standing)
            }
        }
        dead.sort { $0.text < $1.text }
        if let full = classes.filter({ $0.value.count >= Self.mergeCount }).min(by: {
            $0.key < $1.key
        }) {
            merge = Self.fitting(full.value, packSize)
        }
        guard merge.count < 2 else { return }
        merge = Self.fitting(sparse, packSize)
    }

    /// 0 for the smallest, and one more for each factor of four.
    static func sizeClass(_ size: Int) -> Int {
        var rest = size / smallestClass
        var number = 0
        while rest > 0 {
            rest /= 4
            number += 1
        }
        return number
    }

    /// The oldest, as many as fit into one pack.
    private static func fitting(
        _ packs: [PackIndex.Standing], _ packSize: Int
    ) -> [ItemHash] {
        var size = 0
        var count = 0
        var chosen: [ItemHash] = []
        for standing in packs.sorted(by: { $1.pack.outranks($0.pack) }) {
            guard size + standing.liveSize <= packSize,
                count + standing.liveCount <= PackDirectory.entryLimit
            else { continue }
            size += standing.liveSize
            count += standing.liveCount
            chosen.append(standing.pack.message)
        }
        return chosen
    }
}
