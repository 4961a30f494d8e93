// SPDX-License-Identifier: Apache-2.0
//
// What a store holds of a volume, found the way a stranger with the seed would: from the root pad
// down. It shares nothing with the engine but the formats.

import Cryptography
import Namespace
import Primitives
import Scratchpads
import SelfEncryption

/// Everything that one root leads to.
struct PublishedTree: Sendable {
    let root: Root
    /// Pages by the path of their directory; the hard-link table's are at "links".
    private(set) var pages: [String: [Digest]] = [:]
    /// Entries by path.
    private(set) var entries: [String: Entry] = [:]
    /// Every chunk that is named, pages included.
    private(set) var chunks: Set<Digest> = []

    /// Why something named could not be followed.
    struct Broken: Error {
        let digest: Digest
    }

    /// - Parameter get: gives a chunk's bytes; nil if it is not there.
    init(_ record: PadRecord, _ keys: VolumeKeys, get: (Digest) -> [UInt8]?) throws {
        root = try Root(decoding: try keys.rootPad.reading.open(record))
        var waiting: [(String, PageReference?, KeySpace)] = [("links", root.hardLinks, .inodes)]
        for (path, entry) in [("/files", root.files), ("/scratchpads", root.scratchpads)] {
            entries[path] = entry
            if case .directory(let reference, _, _) = entry.body {
                waiting.append((path, reference, .names))
            }
        }
        if let log = root.revisionLog { try note(log.address, "log", get) }
        while let (path, reference, keySpace) = waiting.popLast() {
            var walker = PageWalker(root: reference, keys: keySpace)
            while true {
                let visit = try walker.nextPage { (digest) throws(Broken) in
                    guard let bytes = get(digest) else { throw Broken(digest: digest) }
                    return bytes
                }
                guard let visit else { break }
                chunks.insert(visit.reference.address)
                pages[path, default: []].append(visit.reference.address)
                guard case .leaf(let leaf) = visit.page else { continue }
                for entry in leaf {
                    let below = path + "/" + String(decoding: entry.name, as: UTF8.self)
                    entries[below] = entry
                    if case .directory(let pages, _, _) = entry.body {
                        waiting.append((below, pages, .names))
                    }
                    try follow(entry, get)
                }
            }
        }
    }

    private mutating func note(
        _ digest: Digest, _ path: String, _ get: (Digest) -> [UInt8]?
    ) throws {
        guard get(digest) != nil else { throw Broken(digest: digest) }
        chunks.insert(digest)
        pages[path, default: []].append(digest)
    }

    private mutating func follow(_ entry: Entry, _ get: (Digest) -> [UInt8]?) throws {
        guard case .regular(_, let content) = entry.body else { return }
        var segments: [Segment] = []
        switch content {
        case .inline: return
        case .segments(let list): segments = list
        case .indirect(let reference, _):
            guard let bytes = get(reference.address),
                case .segments(let list) = try PageCodec.open(bytes, reference: reference)
            else { throw Broken(digest: reference.address) }
            chunks.insert(reference.address)
            segments = list
        }
        for segment in segments {
            var found: Set<Digest> = []
            let full = try unpack(segment.map) { (digest) throws(Broken) in
                guard let bytes = get(digest) else { throw Broken(digest: digest) }
                found.insert(digest)
                return bytes
            }
            found.formUnion(full.chunks.map { $0.address })
            for digest in found where get(digest) == nil { throw Broken(digest: digest) }
            chunks.formUnion(found)
        }
    }
}

extension TestVolume {
    var keys: VolumeKeys { VolumeKeys(seed: seed) }

    /// The newest root's tree, as the store has it now.
    func published() throws -> PublishedTree {
        // Under the store's lock: who reads a copy outside is parted from the next writer by the
        // count of references alone, which the thread sanitizer does not see.
        try memory.change { state in
            guard let record = state.pads[keys.rootPad.address] else {
                throw PublishedTree.Broken(digest: Digests.of([]))
            }
            return try PublishedTree(record, keys) { state.chunks[$0] }
        }
    }
}
