// SPDX-License-Identifier: Apache-2.0
//
// An account's files by their names. Nodes have no search for a name that is in a file's metadata,
// and so all of the account's files are read.

package import AlephProtocol
internal import JSON

extension AlephTree {
    /// An account's files by their names; of several with one name the newest.
    ///
    /// - Parameter beyond: is given what has no room, in the order of the lists; where it answers
    ///   false nothing more is read.
    func storedFiles(
        of address: String, beyond: (AlephEntry) -> Bool
    ) throws(AlephError) -> [String: AlephEntry] {
        var files: [String: AlephEntry] = [:]
        var details = AlephDetails()
        try forEachFile(of: address) { entry in
            if let standing = files[entry.name] {
                files[entry.name] = standing.joined(with: details.fit(entry))
            } else if files.count < nameLimit {
                files[entry.name] = details.fit(entry)
            } else {
                return beyond(entry)
            }
            return true
        }
        return files
    }

    /// One file of an account.
    ///
    /// - Throws: `notFound`.
    func storedFile(_ name: String, of address: String) throws(AlephError) -> AlephEntry {
        var found: AlephEntry?
        try forEachFile(of: address) { entry in
            if entry.name == name { found = found?.joined(with: entry) ?? entry }
            return true
        }
        guard let found else { throw .notFound }
        return found
    }

    /// One file of an account, by messages that were listed.
    ///
    /// - Parameter messages: those that had this name, or seemed to; what else there is of it
    ///   counts as not there.
    /// - Throws: `notFound` if none of them has it, or has it still.
    package func storedFile(
        _ name: String, of address: String, from messages: [ItemHash]
    ) throws(AlephError) -> AlephEntry {
        var found: AlephEntry?
        for start in stride(from: 0, to: messages.count, by: AlephClient.receiptLimit) {
            var filter = MessageFilter()
            filter.hashes = Array(
                messages[start..<min(start + AlephClient.receiptLimit, messages.count)])
            try forEach(filter) { message in
                guard AlephTree.isOwn(message, address) else { return true }
                for entry in AlephEntry.entries(from: message) {
                    guard case .storedFile = entry.path, entry.name == name else { continue }
                    found = found?.joined(with: entry) ?? entry
                }
                return true
            }
        }
        guard let found else { throw .notFound }
        return found
    }

    /// Hands each file of an account to `body`, until it answers false.
    private func forEachFile(
        of address: String, _ body: (AlephEntry) -> Bool
    ) throws(AlephError) {
        var isWanted = true
        for filter in AlephTree.fileFilters(address) where isWanted {
            try forEach(filter) { message in
                guard AlephTree.isOwn(message, address) else { return true }
                for entry in AlephEntry.entries(from: message) {
                    guard case .storedFile = entry.path else { continue }
                    isWanted = body(entry)
                    guard isWanted else { return false }
                }
                return true
            }
        }
    }

    /// The messages that keep an account's files: of whole ones, and of those in parts.
    static func fileFilters(_ address: String) -> [MessageFilter] {
        var whole = MessageFilter()
        whole.owners = [address]
        var large = whole
        whole.types = [.store]
        large.types = [.post]
        large.postTypes = [LargeFileManifest.postType]
        return [whole, large]
    }
}
