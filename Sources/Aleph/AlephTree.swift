// SPDX-License-Identifier: Apache-2.0
//
// The network as directories and files, to be read. Nothing is kept here: who mounts it remembers
// what it was told.
//
// Invariant: every byte that is given out was checked, as `AlephClient` does.

package import AlephProtocol
internal import JSON

/// Something in a directory below `aleph/`.
package struct AlephEntry: Sendable, Equatable {
    /// Its name.
    package let name: String
    /// Where it leads.
    package let path: AlephPath
    /// When it was published, in seconds since 1970; 0 where that has no meaning.
    package let time: Double
    /// The message it comes from; nil where there is none.
    package let message: ItemHash?

    init(_ name: String, _ path: AlephPath, time: Double = 0, message: ItemHash? = nil) {
        self.name = name
        self.path = path
        self.time = time
        self.message = message
    }
}

/// What a file below `aleph/` holds.
package enum AlephContent: Sendable, Equatable {
    /// A text that was made here.
    case text([UInt8])
    /// A file of the network, which is large perhaps: `AlephClient.download` brings it.
    case file(ItemHash)
}

/// Reads the tree. Calls block.
package struct AlephTree: Sendable {
    /// The most names of one directory that has to know all of them to show each once.
    package static let maximumNameCount = 100_000

    private let client: AlephClient
    /// The account that `me` stands for.
    private let own: String?

    /// The tree as an account sees it.
    ///
    /// - Parameter own: its address; nil for none, and no `me`.
    package init(_ client: AlephClient, own: String?) {
        self.client = client
        self.own = own
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
        switch path {
        case .root:
            for name in AlephPath.rootNames {
                guard let child = self.path([name]) else { continue }
                guard body(AlephEntry(name, child)) else { return }
            }
        case .messages, .files, .ipfs, .tags: return
        case .accounts:
            if let own { _ = body(AlephEntry(own, .account(own))) }
        case .account(let address):
            for part in AlephPath.Part.allCases {
                guard body(AlephEntry(part.rawValue, .part(address, part))) else { return }
            }
        case .part(let address, .posts): try listPosts(of: address, body)
        case .part(let address, .files):
            for entry in try storedFiles(of: address).values {
                guard body(entry.entry) else { return }
            }
        case .part(let address, .aggregates): try listAggregates(of: address, body)
        case .history(let address, let key):
            for entry in try elements(of: address, key: key) {
                guard body(entry.entry) else { return }
            }
        case .tagged(let tags): try listTagged(tags, body)
        case .message, .file, .post, .storedFile, .aggregate, .element: throw .notFound
        }
    }

    /// What a file holds.
    ///
    /// - Throws: `notFound` for directories and for what is not there.
    package func content(_ path: AlephPath) throws(AlephError) -> AlephContent {
        switch path {
        case .message(let hash): return .text(try messageText(hash))
        case .file(let hash): return .file(hash)
        case .post(let address, let hash): return .text(try postText(hash, of: address))
        case .storedFile(let address, let name):
            guard let found = try storedFiles(of: address)[name] else { throw .notFound }
            return .file(found.file)
        case .aggregate(let address, let key):
            let value = try client.aggregate(owner: address, key: key)
            return .text(AlephTree.text(.object(value.value)))
        case .element(let address, let key, let name):
            let found = try elements(of: address, key: key).first { $0.entry.name == name }
            guard let found else { throw .notFound }
            return .text(AlephTree.text(found.message.content["content"] ?? .null))
        case .root, .messages, .files, .ipfs, .accounts, .account, .part, .history, .tags, .tagged:
            throw .notFound
        }
    }

    // MARK: Messages

    private func messageText(_ hash: ItemHash) throws(AlephError) -> [UInt8] {
        let message = try client.processedMessage(hash)
        var fields = message.envelope.json.object ?? JSONObject()
        // The text that was signed, taken apart for readers.
        fields["item_content"] = nil
        fields["content"] = .object(message.content)
        return AlephTree.text(.object(fields))
    }

    private func listTagged(
        _ tags: [String], _ body: (AlephEntry) -> Bool
    ) throws(AlephError) {
        var filter = MessageFilter()
        // Nodes give what has any of them: the rarest is not known, so the first is asked for.
        filter.tags = Array(tags.prefix(1))
        try forEach(filter) { message in
            guard Set(tags).isSubset(of: AlephTree.tags(of: message)) else { return true }
            return body(AlephTree.entry(message, .message(message.itemHash)))
        }
    }

    private static func tags(of message: VerifiedMessage) -> Set<String> {
        let list =
            message.type == .store ? message.content["tags"] : message.content["content"]?["tags"]
        return Set((list?.array ?? []).compactMap { $0.string })
    }

    private static func entry(_ message: VerifiedMessage, _ path: AlephPath) -> AlephEntry {
        AlephEntry(
            "\(message.itemHash).json", path, time: message.time, message: message.itemHash)
    }

    // MARK: Posts

    private func listPosts(
        of address: String, _ body: (AlephEntry) -> Bool
    ) throws(AlephError) {
        var filter = MessageFilter()
        filter.types = [.post]
        filter.owners = [address]
        try forEach(filter) { message in
            guard AlephTree.isOwn(message, address), message.content["type"] != "amend" else {
                return true
            }
            return body(AlephTree.entry(message, .post(address, message.itemHash)))
        }
    }

    /// A post's content as its replacements have left it: that with the greatest content's time.
    private func postText(_ hash: ItemHash, of address: String) throws(AlephError) -> [UInt8] {
        let original = try client.processedMessage(hash)
        guard original.type == .post, AlephTree.isOwn(original, address),
            original.content["type"] != "amend"
        else { throw .notFound }
        var last = original
        var filter = MessageFilter()
        filter.types = [.post]
        filter.owners = [address]
        filter.refs = [hash.text]
        try forEach(filter) { message in
            if AlephTree.isOwn(message, address), message.content["type"] == "amend",
                message.content["ref"]?.string == hash.text, message.time > last.time
            {
                last = message
            }
            return true
        }
        return AlephTree.text(last.content["content"] ?? .null)
    }

    // MARK: Files

    /// An account's files by their names; of several with one name the newest.
    private func storedFiles(
        of address: String
    ) throws(AlephError) -> [String: (entry: AlephEntry, file: ItemHash)] {
        var filter = MessageFilter()
        filter.types = [.store]
        filter.owners = [address]
        var files: [String: (entry: AlephEntry, file: ItemHash)] = [:]
        try forEach(filter) { message in
            guard AlephTree.isOwn(message, address),
                let file = message.content["item_hash"]?.string.flatMap({ ItemHash($0) })
            else { return true }
            let given =
                message.content["metadata"]?["name"]?.string ?? message.content["ref"]?.string
            let name = AlephName.name(for: given ?? file.text)
            if let standing = files[name], standing.entry.time >= message.time { return true }
            let entry = AlephEntry(
                name, .storedFile(address, name: name), time: message.time,
                message: message.itemHash)
            files[name] = (entry, file)
            return files.count < AlephTree.maximumNameCount
        }
        return files
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
            let file = AlephEntry(
                AlephName.name(for: key, suffix: ".json"), .aggregate(address, key: key),
                time: message.time, message: message.itemHash)
            let history = AlephEntry(
                AlephName.name(for: key, suffix: ".history"), .history(address, key: key),
                time: message.time)
            return body(file) && body(history) && seen.count < AlephTree.maximumNameCount
        }
    }

    /// The elements of an aggregate, each as a file named by its time.
    private func elements(
        of address: String, key: String
    ) throws(AlephError) -> [(entry: AlephEntry, message: VerifiedMessage)] {
        var filter = MessageFilter()
        filter.types = [.aggregate]
        filter.owners = [address]
        filter.isOldestFirst = true
        var found: [(entry: AlephEntry, message: VerifiedMessage)] = []
        var names: Set<String> = []
        try forEach(filter) { message in
            guard AlephTree.isOwn(message, address), AggregateValue.key(of: message) == key else {
                return true
            }
            let time = JSONNumber(message.time).text
            // Of two with one time the second has its own name besides.
            let name =
                names.insert(time).inserted
                ? "\(time).json" : "\(time)-\(message.itemHash.text.prefix(8)).json"
            let entry = AlephEntry(
                name, .element(address, key: key, name: name), time: message.time,
                message: message.itemHash)
            found.append((entry, message))
            return found.count < AlephTree.maximumNameCount
        }
        guard !found.isEmpty else { throw .notFound }
        return found
    }

    // MARK: Lists

    private static func isOwn(_ message: VerifiedMessage, _ address: String) -> Bool {
        message.isOwnersOwn && AlephAddress.isSame(message.owner, address)
    }

    private func forEach(
        _ filter: MessageFilter, _ body: (VerifiedMessage) -> Bool
    ) throws(AlephError) {
        var pages = MessagePages(client, filter)
        while let page = try pages.next() {
            for message in page.messages {
                guard body(message) else { return }
            }
        }
    }

    private static func text(_ value: JSONValue) -> [UInt8] {
        value.bytes(.pretty) + [0x0A]
    }
}
