// SPDX-License-Identifier: Apache-2.0
//
// The network as directories and files, to be read. Nothing is kept here: who mounts it remembers
// what it was told.
//
// Invariant: every byte that is given out was checked, as `AlephClient` does.

package import AlephProtocol
package import JSON

/// Reads the tree. Calls block.
package struct AlephTree: Sendable {
    /// The most names of one directory that has to know all of them to show each once, and the most
    /// elements of one aggregate.
    package static let maximumNameCount = 100_000
    /// How many of the own account's messages, the newest, are looked at for what directories that
    /// are everybody's show of it.
    package static let ownMessageLimit = 1000

    /// The most bytes of all elements of one aggregate: they are merged in memory.
    package static let elementByteLimit = 64 << 20
    /// The most bytes of replacements whose posts were not listed yet that are held: of others the
    /// list has no text, and who opens them asks.
    package static let replacementByteLimit = 4 << 20

    let client: AlephClient
    /// The account that `me` stands for.
    let own: String?
    let nameLimit: Int

    /// The tree as an account sees it.
    ///
    /// - Parameters:
    ///   - own: its address; nil for none, and no `me`.
    ///   - nameLimit: instead of `maximumNameCount`, for who has less room.
    package init(_ client: AlephClient, own: String?, nameLimit: Int = maximumNameCount) {
        self.client = client
        self.own = own
        self.nameLimit = nameLimit
    }

    /// The place that names lead to, without asking whether it is there.
    package func path(_ names: [String]) -> AlephPath? { AlephPath(names, own: own) }

    /// Hands each entry of a directory to `body`, in no order, until it answers false.
    ///
    /// Long lists are read by pages and given as they come.
    ///
    /// - Throws: `notFound` for what is no directory, or not there.
    package func list(
        _ path: AlephPath, _ body: (AlephEntry) -> Bool
    ) throws(AlephError) {
        try list(path, beyond: { _ in }, body)
    }

    /// The same.
    ///
    /// - Parameter beyond: is given what has no room among the `nameLimit` names of a directory of
    ///   files: an entry for each of its messages, of which several may have one name.
    package func list(
        _ path: AlephPath, beyond: (AlephEntry) -> Void, _ body: (AlephEntry) -> Bool
    ) throws(AlephError) {
        switch path {
        case .root:
            for name in AlephPath.rootNames {
                guard let child = self.path([name]) else { continue }
                guard body(AlephEntry(name, child)) else { return }
            }
        case .messages, .files, .ipfs, .tags: try listOwn(path, body)
        case .accounts:
            if let own { _ = body(AlephEntry(own, .account(own))) }
        case .account(let address):
            for part in AlephPath.Part.allCases {
                guard body(AlephEntry(part.rawValue, .part(address, part))) else { return }
            }
        case .part(let address, .posts): try listPosts(of: address, body)
        case .part(let address, .files):
            for entry in try storedFiles(of: address, beyond: beyond).values {
                guard body(entry) else { return }
            }
        case .part(let address, .aggregates): try listAggregates(of: address, body)
        case .history(let address, let key):
            for entry in try elements(of: address, key: key) {
                guard body(entry) else { return }
            }
        case .tagged(let tags): try listTagged(tags, body)
        case .message, .status, .file, .post, .storedFile, .aggregate, .element: throw .notFound
        }
    }

    /// A file, with its text or the stored file that it is.
    ///
    /// - Throws: `notFound` for directories and for what is not there.
    package func file(_ path: AlephPath) throws(AlephError) -> AlephEntry {
        switch path {
        case .message(let hash):
            let message = try client.processedMessage(hash)
            return AlephEntry("", path, from: message, text: AlephTree.messageText(message))
        case .status(let hash):
            return AlephEntry("", path, text: Array((try statusText(hash) + "\n").utf8))
        case .file(let hash):
            var entry = AlephEntry("", path)
            entry.file = hash
            return entry
        case .post(let address, let hash): return try post(hash, of: address)
        case .storedFile(let address, let name):
            return try storedFile(name, of: address)
        case .aggregate(let address, let key):
            let messages = try elementMessages(of: address, key: key)
            let value = AggregateValue(key: key, messages: messages)
            var entry = AlephEntry("", path, text: AlephTree.text(.object(value.value)))
            entry.time = value.time ?? 0
            entry.message = value.newest
            entry.sender = address
            entry.sources = messages.map { $0.itemHash }
            return entry
        case .element(let address, let key, let name):
            guard let found = try elements(of: address, key: key).first(where: { $0.name == name })
            else { throw .notFound }
            return found
        case .root, .messages, .files, .ipfs, .accounts, .account, .part, .history, .tags, .tagged:
            throw .notFound
        }
    }

    /// What became of a message, in one line.
    private func statusText(_ hash: ItemHash) throws(AlephError) -> String {
        switch try client.message(hash) {
        case .processed(_, let confirmations):
            return "processed, with \(confirmations) confirmations"
        case .other(.rejected(let rejection)): return "rejected: \(rejection)"
        case .other(let state): return state.name
        }
    }

    // MARK: Messages

    /// A message as a file shows it.
    static func messageText(_ message: VerifiedMessage) -> [UInt8] {
        var fields = message.envelope.json.object ?? JSONObject()
        // The text that was signed, taken apart for readers.
        fields["item_content"] = nil
        fields["content"] = .object(message.content)
        return text(.object(fields))
    }

    /// What a post, or what replaces one, says.
    static func postText(_ message: VerifiedMessage) -> [UInt8] {
        text(message.content["content"] ?? .null)
    }

    private func listTagged(
        _ tags: [String], _ body: (AlephEntry) -> Bool
    ) throws(AlephError) {
        var filter = MessageFilter()
        // Nodes give what has any of them: the rarest is not known, so the first is asked for.
        filter.tags = Array(tags.prefix(1))
        try forEach(filter) { message in
            AlephTree.entry(tagged: tags, message).map(body) ?? true
        }
    }

    /// The tags by which nodes find a message.
    package static func tags(of message: VerifiedMessage) -> [String] {
        let list =
            message.type == .store ? message.content["tags"] : message.content["content"]?["tags"]
        return (list?.array ?? []).compactMap { $0.string }
    }

    /// Whether a message is in the directory of these tags, and as what.
    package static func entry(tagged tags: [String], _ message: VerifiedMessage) -> AlephEntry? {
        guard Set(tags).isSubset(of: AlephTree.tags(of: message)) else { return nil }
        return AlephEntry(
            "\(message.itemHash).json", .message(message.itemHash), from: message,
            text: messageText(message))
    }

    // MARK: Posts

    /// Lists come with the newest first, so that what replaces a post comes before it; where it
    /// does not, the post is given again.
    private func listPosts(
        of address: String, _ body: (AlephEntry) -> Bool
    ) throws(AlephError) {
        var filter = MessageFilter()
        filter.types = [.post]
        filter.owners = [address]
        var replacements = PostReplacements()
        try forEach(filter) { message in
            guard AlephTree.isOwn(message, address) else { return true }
            if message.content["type"] == "amend" {
                guard let (post, time) = replacements.note(message) else { return true }
                return body(
                    AlephEntry(message: post, at: .post(address, post), time: time, sender: address)
                        .replaced(by: message))
            }
            for post in AlephEntry.entries(from: message) {
                // A large file is among the files.
                guard case .post = post.path else { continue }
                guard body(replacements.newest(of: post, message.itemHash)) else { return false }
            }
            return true
        }
    }

    /// A post as its replacements have left it: that with the greatest content's time.
    private func post(_ hash: ItemHash, of address: String) throws(AlephError) -> AlephEntry {
        let original = try client.processedMessage(hash)
        guard AlephTree.isOwn(original, address), original.type == .post,
            var entry = AlephEntry.entries(from: original).first, case .post = entry.path
        else { throw .notFound }
        var filter = MessageFilter()
        filter.types = [.post]
        filter.owners = [address]
        filter.refs = [hash.text]
        try forEach(filter) { message in
            if AlephTree.isOwn(message, address), message.content["type"] == "amend",
                message.content["ref"]?.string == hash.text
            {
                entry.sources.append(message.itemHash)
                if message.time > entry.time {
                    entry.time = message.time
                    entry.text = AlephTree.postText(message)
                }
            }
            return true
        }
        return entry
    }

    // MARK: Aggregates

    private func listAggregates(
        of address: String, _ body: (AlephEntry) -> Bool
    ) throws(AlephError) {
        var filter = MessageFilter()
        filter.types = [.aggregate]
        filter.owners = [address]
        var seen: Set<[UInt8]> = []
        try forEach(filter) { message in
            guard AlephTree.isOwn(message, address), let key = AggregateValue.key(of: message),
                seen.insert(Array(key.utf8)).inserted
            else { return true }
            for entry in AlephEntry.entries(from: message) {
                guard body(entry) else { return false }
            }
            return seen.count < nameLimit
        }
    }

    /// The elements of an aggregate, each as a file named by its time.
    ///
    /// - Throws: `notFound` if there are none.
    package func elements(
        of address: String, key: String
    ) throws(AlephError) -> [AlephEntry] {
        var names: Set<String> = []
        return try elementMessages(of: address, key: key).map { message in
            let time = JSONNumber(message.time).text
            // Of two with one time the second has its own name besides.
            let name =
                names.insert(time).inserted
                ? "\(time).json" : "\(time)-\(message.itemHash.text.prefix(8)).json"
            return AlephEntry(
                name, .element(address, key: key, name: name), from: message,
                text: AlephTree.text(message.content["content"] ?? .null))
        }
    }

    /// The messages that make an aggregate, the oldest first.
    ///
    /// - Throws: `notFound` if there are none.
    private func elementMessages(
        of address: String, key: String
    ) throws(AlephError) -> [VerifiedMessage] {
        var filter = MessageFilter()
        filter.types = [.aggregate]
        filter.owners = [address]
        // A node places elements by time, and of equal ones keeps the first it processed.
        filter.isOldestFirst = true
        var found: [VerifiedMessage] = []
        var size = 0
        try forEach(filter) { message in
            if AlephTree.isOwn(message, address), AggregateValue.key(of: message) == key {
                size += message.contentSize
                found.append(message)
            }
            return found.count <= nameLimit && size <= AlephTree.elementByteLimit
        }
        guard !found.isEmpty else { throw .notFound }
        // A value without its newest elements would be another one.
        guard found.count <= nameLimit else {
            throw .malformedAnswer("an aggregate of more than \(nameLimit) elements")
        }
        guard size <= AlephTree.elementByteLimit else {
            throw .tooLarge(limit: AlephTree.elementByteLimit)
        }
        return found
    }

    // MARK: Lists

    static func isOwn(_ message: VerifiedMessage, _ address: String) -> Bool {
        message.isOwnersOwn && AlephAddress.isSame(message.owner, address)
    }

    func forEach(
        _ filter: MessageFilter, _ body: (VerifiedMessage) -> Bool
    ) throws(AlephError) {
        var pages = MessagePages(client, filter)
        while let page = try pages.next() {
            for message in page.messages {
                guard body(message) else { return }
            }
        }
    }

    /// JSON as files show it.
    package static func text(_ value: JSONValue) -> [UInt8] {
        value.bytes(.pretty) + [0x0A]
    }
}
