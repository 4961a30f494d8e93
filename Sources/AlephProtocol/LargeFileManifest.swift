// SPDX-License-Identifier: Apache-2.0
//
// A file in parts: what the post says that makes one file of them. Pure.

internal import Cryptography
package import JSON
internal import Primitives

/// What a file that was stored in parts consists of: the content of a post of type
/// `cairn-large-file`.
///
/// - Source: docs/format.md §28.
package struct LargeFileManifest: Sendable, Equatable {
    /// The type of these posts.
    package static let postType = "cairn-large-file"
    /// The tag of the posts, and of the STORE messages of the parts.
    package static let tag = "cairn-large-file"
    /// The tag of a part's STORE message.
    package static let partTag = "cairn-large-file-part"
    /// The version of the format.
    package static let version = 1
    /// The most parts of a file.
    package static let maximumPartCount = 10_000
    /// The sizes that all parts but the last may have: a reader holds one in memory.
    package static let partSizes = 1...(100 << 20)
    /// Bytes of a part where nothing else is asked for: as a file costs as at least so much,
    /// smaller parts cost more, and larger ones are fetched whole for a few bytes.
    package static let standardPartSize = 25 << 20
    /// The most bytes of a name.
    package static let maximumNameSize = 255

    /// How it may be called; nil if the owner does not say. Never a path.
    package let name: String?
    /// Bytes of the whole.
    package let size: Int
    /// The SHA-256 digest of the whole.
    package let sha256: [UInt8]
    /// Bytes of each part but the last, which has the rest.
    package let partSize: Int
    /// The parts' files, in order.
    package let parts: [ItemHash]

    /// A manifest of these parts.
    ///
    /// - Throws: `malformed`, with the name of the first field that breaks a limit.
    package init(
        name: String?, size: Int, sha256: [UInt8], partSize: Int, parts: [ItemHash]
    ) throws(AlephProtocolError) {
        guard Self.partSizes.contains(partSize) else { throw .malformed(field: "part_size") }
        guard (1...Self.maximumPartCount).contains(parts.count) else {
            throw .malformed(field: "parts")
        }
        // The counts are small enough that the products cannot overflow.
        guard size > (parts.count - 1) * partSize, size <= parts.count * partSize else {
            throw .malformed(field: "size")
        }
        guard sha256.count == SHA256Hasher.digestSize else { throw .malformed(field: "sha256") }
        guard name.map(Self.isName) ?? true else { throw .malformed(field: "name") }
        self.name = name
        self.size = size
        self.sha256 = sha256
        self.partSize = partSize
        self.parts = parts
    }

    /// Whether a text is a name and no path.
    package static func isName(_ text: String) -> Bool {
        (1...maximumNameSize).contains(text.utf8.count) && text != "." && text != ".."
            && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") }
    }

    /// Reads a post's content.
    ///
    /// - Throws: `malformed`, with the name of the first field that is not right; a version that
    ///   is not known is the field `version`.
    package init(_ content: JSONValue) throws(AlephProtocolError) {
        guard content["version"]?.int == Self.version else { throw .malformed(field: "version") }
        guard let size = content["size"]?.int else { throw .malformed(field: "size") }
        guard let partSize = content["part_size"]?.int else {
            throw .malformed(field: "part_size")
        }
        guard let digest = content["sha256"]?.string.flatMap({ Hex.decode($0) }) else {
            throw .malformed(field: "sha256")
        }
        guard let list = content["parts"]?.array, list.count <= Self.maximumPartCount else {
            throw .malformed(field: "parts")
        }
        var parts: [ItemHash] = []
        for item in list {
            guard let part = item.string.flatMap({ ItemHash($0) }) else {
                throw .malformed(field: "parts")
            }
            parts.append(part)
        }
        var name: String?
        if let given = content["name"], !given.isNull {
            guard let text = given.string else { throw .malformed(field: "name") }
            name = text
        }
        try self.init(name: name, size: size, sha256: digest, partSize: partSize, parts: parts)
    }

    /// The post's content, with nothing besides what makes the file.
    package var content: JSONValue { content(tags: [], metadata: nil) }

    /// The post's content.
    ///
    /// - Parameters:
    ///   - tags: what it is found by, besides the tag of all manifests.
    ///   - metadata: anything else about the file.
    package func content(tags: [String], metadata: JSONObject?) -> JSONValue {
        var fields = JSONObject([("version", .number(JSONNumber(Self.version)))])
        if let name { fields["name"] = .string(name) }
        fields["size"] = .number(JSONNumber(size))
        fields["sha256"] = .string(Hex.encode(sha256))
        fields["part_size"] = .number(JSONNumber(partSize))
        fields["parts"] = .array(parts.map { .string($0.text) })
        fields["tags"] = .array(([Self.tag] + tags).map { .string($0) })
        if let metadata { fields["metadata"] = .object(metadata) }
        return .object(fields)
    }

    /// Bytes of one part.
    package func size(ofPart index: Int) -> Int {
        precondition(parts.indices.contains(index), "no such part")
        return min(partSize, size - index * partSize)
    }

    /// Which bytes of which parts are those of `range`, which is cut at the end of the file.
    package func pieces(of range: Range<Int>) -> [(part: Int, range: Range<Int>)] {
        let range = range.clamped(to: 0..<size)
        guard !range.isEmpty else { return [] }
        return (range.lowerBound / partSize...(range.upperBound - 1) / partSize).map { part in
            let start = part * partSize
            let wanted = range.clamped(to: start..<start + size(ofPart: part))
            return (part, wanted.lowerBound - start..<wanted.upperBound - start)
        }
    }
}
