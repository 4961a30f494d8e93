// SPDX-License-Identifier: Apache-2.0
//
// What is in directories below `aleph/`, as messages make it.

package import AlephProtocol
package import JSON

/// Something in a directory below `aleph/`, or a file there.
package struct AlephEntry: Sendable, Equatable {
    /// Its name.
    package let name: String
    /// Where it leads.
    package let path: AlephPath
    /// When it was published, in seconds since 1970; 0 where that has no meaning.
    package var time: Double
    /// The message it comes from, of an aggregate the newest; nil where there is none.
    package var message: ItemHash?
    /// Who signed that.
    package var sender: String?
    /// What it holds, where that was made here and is known.
    package var text: [UInt8]?
    /// The stored file that it is; `AlephClient.download` brings its bytes.
    package var file: ItemHash?
    /// Tags and metadata of a stored file.
    package var tags: [String] = []
    /// As `tags`.
    package var metadata: JSONObject?
    /// Whether tags and metadata are left out but for what a directory shows, because there are too
    /// many of them: the message has them.
    package private(set) var isBrief = false
    /// Bytes of a file that is stored in parts, of which `message` is the manifest; nil for others.
    package var largeSize: Int?
    /// The messages that must be taken back for the name to be gone.
    package var sources: [ItemHash] = []
    /// Those of them that are manifests, whose parts go with them.
    package var manifests: [ItemHash] = []

    init(
        _ name: String, _ path: AlephPath, from message: VerifiedMessage? = nil,
        text: [UInt8]? = nil
    ) {
        self.name = name
        self.path = path
        self.text = text
        time = message?.time ?? 0
        self.message = message?.itemHash
        sender = message?.envelope.sender
        sources = message.map { [$0.itemHash] } ?? []
    }

    /// A text that was read before, and kept elsewhere; the caller adds what else is known of it.
    package init(_ name: String, at path: AlephPath, text: [UInt8]) {
        self.init(name, path, text: text)
    }

    /// A stored file that no message is known of.
    package init(stored hash: ItemHash) {
        self.init(hash.text, .file(hash))
        file = hash
    }

    /// A letter, as a file of its reader's.
    package init(letter message: VerifiedMessage, name: String) {
        self.init(name, .message(message.itemHash), from: message)
    }

    /// What a message makes that is known by its name and time alone: a message, or a post.
    package init(message hash: ItemHash, at path: AlephPath, time: Double, sender: String?) {
        self.init("\(hash).json", path)
        self.time = time
        self.sender = sender
        message = hash
        sources = [hash]
    }

    /// The entry with tags and metadata only as far as a directory shows them.
    package var brief: AlephEntry {
        var entry = self
        entry.isBrief = true
        entry.tags = []
        entry.metadata = metadata.map { whole in
            var kept = JSONObject()
            for field in [Field.size, Field.mode, Field.modified] {
                if let number = whole[field]?.number, number.text.utf8.count <= Field.numberSize {
                    kept[field] = .number(number)
                }
            }
            return kept
        }
        return entry
    }

    /// A brief entry with the tags and metadata that its message has.
    ///
    /// - Parameter message: the one that `message` names; what is in another is passed over.
    package func completed(from message: VerifiedMessage) -> AlephEntry {
        guard message.itemHash == self.message,
            let whole = AlephEntry.entries(from: message).first
        else { return self }
        var entry = self
        (entry.tags, entry.metadata, entry.isBrief) = (whole.tags, whole.metadata, false)
        return entry
    }

    /// Bytes of tags and metadata, as JSON has them.
    package var detailSize: Int {
        tags.reduce(0) { $0 + $1.utf8.count }
            + (metadata.map { JSONValue.object($0).bytes().count } ?? 0)
    }

    /// The same under another name.
    func named(_ name: String, _ path: AlephPath) -> AlephEntry {
        var entry = AlephEntry(name, path)
        (entry.time, entry.message, entry.sender) = (time, message, sender)
        (entry.file, entry.tags, entry.metadata) = (file, tags, metadata)
        (entry.largeSize, entry.sources, entry.manifests) = (largeSize, sources, manifests)
        entry.isBrief = isBrief
        return entry
    }

    /// The entry with a text of another message, for a post that was replaced.
    func replaced(by message: VerifiedMessage) -> AlephEntry {
        var entry = self
        entry.text = AlephTree.postText(message)
        entry.time = message.time
        entry.sources = sources + [message.itemHash]
        return entry
    }
}

extension AlephEntry {
    /// The names under which a file's metadata says what it is. Other clients' `filename` and
    /// `mime_type` are read too.
    package enum Field {
        /// The file's name.
        package static let name = "name"
        /// Bytes of it.
        package static let size = "size"
        /// Its type, such as `text/plain`.
        package static let mimeType = "mime_type"
        /// Permission bits, as a number.
        package static let mode = "mode"
        /// When it was changed last, in seconds since 1970.
        package static let modified = "mtime"
        /// The most characters of a number that is kept with a name: JSON sets none.
        static let numberSize = 32
    }

    /// The most bytes that a file is believed to have before it is there.
    private static let maximumSize = 1 << 50

    /// Bytes of a stored file, as its owner says; nil if the owner does not, or nonsense.
    package var statedSize: Int? {
        guard let size = metadata?[Field.size]?.int, (0...Self.maximumSize).contains(size) else {
            return nil
        }
        return size
    }

    /// Permissions of a stored file, without those that give somebody else's rights.
    package var mode: UInt32? {
        metadata?[Field.mode]?.int.flatMap { UInt32(exactly: $0) }.map { $0 & 0o777 }
    }

    /// When a stored file was changed last, in seconds since 1970.
    package var modified: Double {
        guard let time = metadata?[Field.modified]?.double,
            (0...MessageDraft.maximumTime).contains(time)
        else { return time }
        return time
    }

    /// What a message puts into its owner's directories; nothing for those that only change or
    /// remove something.
    package static func entries(from message: VerifiedMessage) -> [AlephEntry] {
        guard message.isOwnersOwn, !isHidden(message),
            let owner = AlephAddress(message.owner)?.text
        else { return [] }
        switch message.type {
        case .post:
            guard message.content["type"] != "amend" else { return [] }
            if let large = largeFile(message, of: owner) { return [large] }
            return [
                AlephEntry(
                    "\(message.itemHash).json", .post(owner, message.itemHash), from: message,
                    text: AlephTree.postText(message))
            ]
        case .store:
            guard let file = message.content["item_hash"]?.string.flatMap({ ItemHash($0) }) else {
                return []
            }
            let metadata = message.content["metadata"]?.object
            let given =
                metadata?[Field.name]?.string ?? metadata?["filename"]?.string
                ?? message.content["ref"]?.string
            let name = AlephName.name(for: given ?? file.text)
            var entry = AlephEntry(name, .storedFile(owner, name: name), from: message)
            entry.file = file
            entry.metadata = metadata
            entry.tags = AlephTree.tags(of: message)
            return [entry]
        case .aggregate:
            guard let key = AggregateValue.key(of: message) else { return [] }
            return [
                AlephEntry(
                    AlephName.name(for: key, suffix: ".json"), .aggregate(owner, key: key),
                    from: message),
                AlephEntry(
                    AlephName.name(for: key, suffix: ".history"), .history(owner, key: key),
                    from: message),
            ]
        default: return []
        }
    }

    /// A file that was stored in parts, by the post that says which; nil for other posts, and for
    /// manifests that break a limit.
    private static func largeFile(_ message: VerifiedMessage, of owner: String) -> AlephEntry? {
        guard message.content["type"]?.string == LargeFileManifest.postType,
            let content = message.content["content"],
            // One that cannot be read is a post like others.
            let manifest = try? LargeFileManifest(content)
        else { return nil }
        var metadata = content["metadata"]?.object ?? JSONObject()
        // A name that a manifest cannot have is in its metadata alone.
        let given = manifest.name ?? metadata[Field.name]?.string ?? message.itemHash.text
        let name = AlephName.name(for: given)
        var entry = AlephEntry(name, .storedFile(owner, name: name), from: message)
        entry.largeSize = manifest.size
        entry.manifests = [message.itemHash]
        metadata[Field.size] = .number(JSONNumber(manifest.size))
        entry.metadata = metadata
        entry.tags = AlephTree.tags(of: message).filter { $0 != LargeFileManifest.tag }
        return entry
    }

    /// What two entries of one name are together: the newer, which goes only with the older.
    package func joined(with other: AlephEntry) -> AlephEntry {
        var newer = time >= other.time ? self : other
        newer.sources = other.sources + sources.filter { !other.sources.contains($0) }
        newer.manifests = other.manifests + manifests.filter { !other.manifests.contains($0) }
        return newer
    }
}

extension AlephEntry {
    /// Tags of STORE messages that no directory lists: those of a large file's parts, and of the
    /// packs of a volume that rests on the network. Files are not given them here.
    ///
    /// - Source: docs/format.md §27 and §28.
    package static let hiddenTags: Set<String> = ["cairn-pack", LargeFileManifest.partTag]
    /// How the keys of aggregates begin that are a volume's pads, and are not listed either.
    ///
    /// - Source: docs/format.md §27.
    package static let hiddenKeyStart = "cairn-pad-"

    /// Whether a message is a piece of something that is shown as a whole, or elsewhere.
    package static func isHidden(_ message: VerifiedMessage) -> Bool {
        switch message.type {
        case .store: !hiddenTags.isDisjoint(with: AlephTree.tags(of: message))
        case .aggregate: AggregateValue.key(of: message)?.hasPrefix(hiddenKeyStart) ?? false
        default: false
        }
    }
}
