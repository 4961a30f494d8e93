// SPDX-License-Identifier: Apache-2.0
//
// What is in a pack: the list that the pack's own STORE message carries. Pure.
//
//   version u8 (1) | count varint | count × (algorithm u8, digest (32), size u32le)
//
// The chunks lie in the file in this order, without gaps. A chunk that was taken out has the
// algorithm 0, and its digest and the size of the gap that it leaves.

internal import AlephProtocol
internal import JSON
internal import Primitives
internal import Stores

/// One chunk of a pack.
struct PackEntry: Equatable, Sendable {
    /// Its name; nil for one that was taken out.
    let digest: Digest?
    /// Where its bytes begin in the file.
    let offset: UInt32
    /// Bytes.
    let size: UInt32
}

/// The list of a pack's chunks.
struct PackDirectory: Equatable, Sendable {
    static let version: UInt8 = 1
    /// The most chunks of one pack: with these the message stays below the 200,000 characters that
    /// nodes take.
    static let entryLimit = 3900
    /// The most bytes of a pack's file.
    static let fileLimit = 1 << 30
    /// The field of the message's metadata, and the tag that packs are found by.
    static let name = "cairn-pack"
    private static let gap: UInt8 = 0

    private(set) var entries: [PackEntry] = []
    /// Bytes of the file.
    private(set) var fileSize = 0

    init() {}

    /// Adds a chunk behind the others.
    mutating func append(_ digest: Digest?, size: Int) {
        precondition(
            entries.count < Self.entryLimit && fileSize + size <= Self.fileLimit,
            "a pack over its limits")
        entries.append(
            PackEntry(digest: digest, offset: UInt32(fileSize), size: UInt32(size)))
        fileSize += size
    }

    /// The same file without some of its chunks.
    func without(_ gone: (Digest) -> Bool) -> PackDirectory {
        var rest = PackDirectory()
        for entry in entries {
            let isGone = entry.digest.map(gone) ?? true
            rest.append(isGone ? nil : entry.digest, size: Int(entry.size))
        }
        return rest
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.u8(Self.version)
        writer.varint(UInt64(entries.count))
        for entry in entries {
            writer.u8(entry.digest?.algorithm.rawValue ?? Self.gap)
            if let digest = entry.digest {
                writer.digest(digest)
            } else {
                writer.raw([UInt8](repeating: 0, count: Digest.byteCount))
            }
            writer.u32le(entry.size)
        }
        return writer.bytes
    }

    /// - Throws: `malformed` for anything else.
    init(decoding bytes: [UInt8]) throws(CodingError) {
        var reader = ByteReader(bytes)
        guard try reader.u8() == Self.version else { throw .malformed("a pack's version") }
        let count = try reader.count(limit: Self.entryLimit)
        entries.reserveCapacity(count)
        for _ in 0..<count {
            let algorithm = try reader.u8()
            let name = try reader.raw(Digest.byteCount)
            let size = Int(try reader.u32le())
            guard size <= StoreLimits.maximumChunkSize, fileSize + size <= Self.fileLimit else {
                throw .malformed("a pack's chunk is too large")
            }
            guard algorithm != Self.gap else {
                guard name.allSatisfy({ $0 == 0 }) else { throw .malformed("a pack's gap") }
                append(nil, size: size)
                continue
            }
            guard let algorithm = DigestAlgorithm(rawValue: algorithm),
                let digest = Digest(name, algorithm: algorithm)
            else { throw .malformed("a pack's digest") }
            append(digest, size: size)
        }
        try reader.expectEnd()
    }

    /// What the STORE message of a pack says.
    func draft(_ file: ItemHash) -> StoreDraft {
        StoreDraft(
            file: file, tags: [Self.name],
            metadata: JSONObject([(Self.name, .string(Base64.encode(encoded())))]))
    }
}

/// A pack that the network keeps.
struct Pack: Equatable, Sendable {
    /// The STORE message that keeps it.
    let message: ItemHash
    /// The file.
    let file: ItemHash
    /// The content's time of the message.
    let time: Double
    /// What is in it.
    let directory: PackDirectory

    /// Nil for a message that keeps no pack, or one that this version cannot read.
    init?(_ message: VerifiedMessage) {
        guard message.type == .store,
            let file = message.content["item_hash"]?.string.flatMap({ ItemHash($0) }),
            let text = message.content["metadata"]?[PackDirectory.name]?.string,
            let bytes = Base64.decode(text),
            // A list that is not well-formed was not written by us, whoever has our key.
            let directory = try? PackDirectory(decoding: bytes)
        else { return nil }
        self.init(
            message: message.itemHash, file: file, time: message.time, directory: directory)
    }

    init(message: ItemHash, file: ItemHash, time: Double, directory: PackDirectory) {
        self.message = message
        self.file = file
        self.time = time
        self.directory = directory
    }

    /// Whether a chunk of both is this one's: the newer pack's, by a total order that every machine
    /// has alike. So whoever drops the older copies never drops the last.
    func outranks(_ other: Pack) -> Bool {
        (time, message.text) > (other.time, other.message.text)
    }
}
