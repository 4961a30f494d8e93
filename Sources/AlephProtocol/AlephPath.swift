// SPDX-License-Identifier: Apache-2.0
//
// What the paths below a mount's `aleph/` mean. Whether there is such a thing the network knows.

/// A place below `aleph/`.
package enum AlephPath: Hashable, Sendable {
    /// What an account's directory holds.
    package enum Part: String, Sendable, CaseIterable {
        /// Posts, as their replacements have left them.
        case posts
        /// Stored files, by the names their owner gave them.
        case files
        /// Aggregates, and their histories.
        case aggregates
    }

    /// `aleph/` itself.
    case root
    /// `messages/`: any message, by its name. It lists nothing: there are too many.
    case messages
    /// `messages/HASH.json`
    case message(ItemHash)
    /// `messages/HASH.status`: what became of a message, also of one that nobody can read any more
    case status(ItemHash)
    /// `files/` and `ipfs/`: any file, by its name. They list nothing.
    case files, ipfs
    /// `files/HASH` or `ipfs/CID`
    case file(ItemHash)
    /// `accounts/`: any account. It lists the own one.
    case accounts
    /// `accounts/ADDRESS/`, or `me/`
    case account(String)
    /// `accounts/ADDRESS/PART/`
    case part(String, Part)
    /// `accounts/ADDRESS/posts/HASH.json`
    case post(String, ItemHash)
    /// `accounts/ADDRESS/files/NAME`, by the name as it stands in the directory
    case storedFile(String, name: String)
    /// `accounts/ADDRESS/aggregates/KEY.json`
    case aggregate(String, key: String)
    /// `accounts/ADDRESS/aggregates/KEY.history/`
    case history(String, key: String)
    /// `accounts/ADDRESS/aggregates/KEY.history/TIME.json`, by the name
    case element(String, key: String, name: String)
    /// `tags/`. It lists nothing.
    case tags
    /// `tags/TAG/TAG/…`: the messages that have all of them
    case tagged([String])

    /// The most tags of a path: what a message may have.
    package static let maximumTagCount = MessageDraft.maximumTagCount

    /// Directories of the root.
    package static let rootNames = ["messages", "files", "ipfs", "accounts", "tags", "me"]

    /// The place that names lead to, from `aleph/` on; nil if there can be none.
    ///
    /// - Parameter own: the address that `me` stands for; nil without an account.
    package init?(_ names: [String], own: String?) {
        guard let first = names.first else {
            self = .root
            return
        }
        let rest = Array(names.dropFirst())
        switch first {
        case "messages":
            guard rest.count <= 1 else { return nil }
            guard let name = rest.first else {
                self = .messages
                return
            }
            if let hash = AlephPath.message(name) {
                self = .message(hash)
            } else if name.hasSuffix(".status"), let hash = ItemHash(String(name.dropLast(7))) {
                self = .status(hash)
            } else {
                return nil
            }
        case "files", "ipfs":
            guard rest.count <= 1 else { return nil }
            guard let name = rest.first else {
                self = first == "files" ? .files : .ipfs
                return
            }
            guard let hash = ItemHash(name), first == "files" || hash.type == .ipfs else {
                return nil
            }
            self = .file(hash)
        case "accounts":
            guard let address = rest.first else {
                self = .accounts
                return
            }
            guard let known = AlephAddress(address)?.text, known == address else { return nil }
            self.init(address: address, Array(rest.dropFirst()))
        case "me":
            guard let own else { return nil }
            self.init(address: own, rest)
        case "tags": self.init(tags: rest)
        default: return nil
        }
    }

    private init?(address: String, _ names: [String]) {
        guard let first = names.first else {
            self = .account(address)
            return
        }
        guard let part = Part(rawValue: first), names.count <= 3 else { return nil }
        guard names.count > 1 else {
            self = .part(address, part)
            return
        }
        let name = names[1]
        switch part {
        case .posts:
            guard names.count == 2, let hash = AlephPath.message(name) else { return nil }
            self = .post(address, hash)
        case .files:
            guard names.count == 2 else { return nil }
            self = .storedFile(address, name: name)
        case .aggregates:
            if let key = AlephName.text(of: name, suffix: ".history") {
                self =
                    names.count == 3
                    ? .element(address, key: key, name: names[2]) : .history(address, key: key)
            } else if names.count == 2, let key = AlephName.text(of: name, suffix: ".json") {
                self = .aggregate(address, key: key)
            } else {
                return nil
            }
        }
    }

    private init?(tags names: [String]) {
        guard !names.isEmpty else {
            self = .tags
            return
        }
        // Behind tags a message's name is that message.
        if names.count > 1, let last = names.last, let hash = AlephPath.message(last) {
            self = .message(hash)
            return
        }
        guard names.count <= AlephPath.maximumTagCount else { return nil }
        var tags: [String] = []
        for name in names {
            // Nodes part lists at commas: no tag with one can be asked for.
            guard let tag = AlephName.text(of: name), !tag.contains(",") else { return nil }
            tags.append(tag)
        }
        self = .tagged(tags)
    }

    /// The message that a name `HASH.json` means.
    private static func message(_ name: String) -> ItemHash? {
        name.hasSuffix(".json") ? ItemHash(String(name.dropLast(5))) : nil
    }

    /// Whether it is a directory, if it is there.
    package var isDirectory: Bool {
        switch self {
        case .message, .status, .file, .post, .storedFile, .aggregate, .element: false
        case .root, .messages, .files, .ipfs, .accounts, .account, .part, .history, .tags, .tagged:
            true
        }
    }
}
