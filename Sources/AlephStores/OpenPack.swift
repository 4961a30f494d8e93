// SPDX-License-Identifier: Apache-2.0
//
// A pack that is being filled, in memory.

internal import Primitives
internal import Stores

/// Chunks that will be one file.
struct OpenPack: Sendable {
    private(set) var directory = PackDirectory()
    private(set) var bytes: [UInt8] = []
    private var places: [Digest: Range<Int>] = [:]

    var isEmpty: Bool { places.isEmpty }

    var digests: Dictionary<Digest, Range<Int>>.Keys { places.keys }

    /// Whether a chunk goes into it. Into an empty one any does.
    func fits(_ count: Int, size: Int) -> Bool {
        isEmpty
            || (bytes.count + count <= size
                && directory.entries.count < PackDirectory.entryLimit)
    }

    /// The bytes of a chunk; nil if it is not here.
    func find(_ digest: Digest) -> [UInt8]? { places[digest].map { Array(bytes[$0]) } }

    func contains(_ digest: Digest) -> Bool { places[digest] != nil }

    /// Adds a chunk behind the others.
    mutating func append(_ digest: Digest, _ chunk: [UInt8]) {
        places[digest] = bytes.count..<bytes.count + chunk.count
        bytes += chunk
        directory.append(digest, size: chunk.count)
    }
}

extension AlephChunks.State {
    enum Found {
        case here([UInt8])
        case packed(Pack, PackIndex.Place)
        case deleted
        case absent
    }

    /// Where a chunk is.
    func find(_ digest: Digest) -> Found {
        if deleted.contains(digest) { return .deleted }
        if let (pack, place) = index.find(digest) { return .packed(pack, place) }
        if let bytes = open.find(digest) { return .here(bytes) }
        for pack in sealed {
            if let bytes = pack.content.find(digest) { return .here(bytes) }
        }
        return .absent
    }

    /// Whether a chunk is anywhere, deleted or not.
    func isPacked(_ digest: Digest) -> Bool {
        index.contains(digest) || open.contains(digest)
            || sealed.contains { $0.content.contains(digest) }
    }

    func has(_ digest: Digest) -> Bool { !deleted.contains(digest) && isPacked(digest) }

    /// Has the open pack wait to be stored.
    mutating func seal() {
        sealed.append(AlephChunks.Sealed(id: nextID, content: open))
        nextID += 1
        open = OpenPack()
    }
}
