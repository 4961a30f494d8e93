// SPDX-License-Identifier: Apache-2.0
//
// What the directories that are everybody's (`messages/`, `files/`, `ipfs/`, `tags/`) show of the
// own account: all of the network they cannot list.

package import AlephProtocol
internal import JSON

extension AlephTree {
    /// What a message puts into the directories that are everybody's, if it is the own account's.
    ///
    /// A file in parts is in `files/` by its manifest's message.
    package static func shared(
        from message: VerifiedMessage
    ) -> [(directory: AlephPath, entry: AlephEntry)] {
        guard message.isOwnersOwn, !AlephEntry.isHidden(message) else { return [] }
        let hash = message.itemHash
        var found: [(directory: AlephPath, entry: AlephEntry)] = [
            (
                .messages,
                AlephEntry(
                    "\(hash).json", .message(hash), from: message, text: messageText(message))
            )
        ]
        for tag in tags(of: message) where tag != LargeFileManifest.tag {
            let name = AlephName.name(for: tag)
            // One that no name leads to is not listed.
            guard let path = AlephPath(["tags", name], own: nil) else { continue }
            found.append((.tags, AlephEntry(name, path)))
        }
        for file in AlephEntry.entries(from: message) {
            guard case .storedFile = file.path, let name = file.file ?? file.manifests.first else {
                continue
            }
            let shown = file.named(name.text, .file(name))
            found.append((.files, shown))
            if name.type == .ipfs { found.append((.ipfs, shown)) }
        }
        return found
    }

    /// A file by the message that keeps it, whole or in parts.
    ///
    /// - Throws: `notFound` for what is no such message, and as `AlephClient.processedMessage`.
    package func file(keptBy hash: ItemHash) throws(AlephError) -> AlephEntry {
        let message = try client.processedMessage(hash)
        // What is hidden where names are listed opens by its own.
        if message.type == .store,
            let file = message.content["item_hash"]?.string.flatMap({ ItemHash($0) })
        {
            var entry = AlephEntry(hash.text, .file(hash), from: message)
            entry.file = file
            entry.metadata = message.content["metadata"]?.object
            entry.tags = AlephTree.tags(of: message)
            return entry
        }
        let files = AlephEntry.entries(from: message).filter { $0.largeSize != nil }
        guard let file = files.first else { throw .notFound }
        return file.named(hash.text, .file(hash))
    }

    func listOwn(
        _ directory: AlephPath, _ body: (AlephEntry) -> Bool
    ) throws(AlephError) {
        guard let own else { return }
        var all = MessageFilter()
        all.owners = [own]
        let isFiles = directory == .files || directory == .ipfs
        let filters = isFiles ? AlephTree.fileFilters(own) : [all]
        for filter in filters {
            var left = AlephTree.ownMessageLimit
            try forEach(filter) { message in
                guard AlephTree.isOwn(message, own) else { return true }
                for (place, entry) in AlephTree.shared(from: message) where place == directory {
                    guard body(entry) else { return false }
                }
                left -= 1
                return left > 0
            }
        }
    }
}
