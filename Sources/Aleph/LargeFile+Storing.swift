// SPDX-License-Identifier: Apache-2.0
//
// Files beyond what a node takes, on their way into the network and out of it.
//
// Invariants:
// - A manifest is published only after the network has processed the message of each part, and no
//   part is known to be gone.
// - A part that another manifest of the account names is not taken back with one.
// - Who stores a file looks after its manifest is processed whether all of its parts are there
//   still, whoever stored them: others may have relied on them meanwhile, and have taken them back;
//   who took one back looks after that whether a manifest names it (0029, 0035). One of the two
//   sees the other.

package import AlephProtocol
internal import Cryptography
internal import JSON
internal import Primitives

/// Who stores a file in parts, and how.
package struct LargeFilePlan: Sendable {
    /// The least bytes that a node must take at once for a file to be cut at all: each part is a
    /// message that is paid, and a node that says less has nobody store anything.
    package static let minimumNodeLimit = 1 << 20

    /// How it may be called; nil for no name.
    package var name: String?
    /// How each part is stored.
    package var plan: StorePlan
    /// Bytes of a part, as far as the node takes so much.
    package var partSize = LargeFileManifest.standardPartSize
    /// Whether a part that the account stores already will stay: asked before it is relied on.
    package var isKept: @Sendable (ItemHash) -> Bool = { _ in true }
    /// Is told of each part that was stored, also by `restoreParts`, and the message that keeps it:
    /// for who gives up.
    package var stored: @Sendable (_ part: ItemHash, _ message: ItemHash) -> Void = { _, _ in }
    /// Whether the file is still to be stored: asked before each part, and after the last.
    package var isWanted: @Sendable () -> Bool = { true }

    /// A plan with parts of the usual size.
    package init(name: String?, plan: StorePlan = StorePlan()) {
        self.name = name
        self.plan = plan
    }
}

/// A file whose parts are in the network, and what they make together.
package struct StoredParts: Sendable {
    /// What is to be published.
    package let manifest: LargeFileManifest
    /// The message that keeps each part, in their order.
    var keepers: [ItemHash]
}

extension AlephClient {
    /// Stores a file in parts, and publishes the manifest.
    ///
    /// Parts that the account stores already are not stored again: whoever was interrupted gives
    /// the same file again.
    ///
    /// - Parameters:
    ///   - file: at least one byte.
    ///   - name: how it may be called; nil for no name.
    ///   - tags: what it is found by, one less than a message may have.
    ///   - partSize: bytes of a part, as far as the node takes so much.
    ///   - progress: is told after each part how many bytes are stored.
    /// - Returns: the manifest's message.
    /// - Throws: `tooLarge` if it would have too many parts, or if the node takes less than
    ///   `LargeFilePlan.minimumNodeLimit` at once; and as `store`.
    package func storeLarge(
        _ file: AlephSource, name: String?, tags: [String] = [], plan: StorePlan = StorePlan(),
        by account: AlephAccount, partSize: Int = LargeFileManifest.standardPartSize,
        progress: (Int) -> Void = { _ in }
    ) throws(AlephError) -> SignedMessage {
        // What nodes refuse in the manifest is refused before a part is paid.
        do throws(AlephProtocolError) {
            try MessageDraft.check(tags: [LargeFileManifest.tag] + tags)
        } catch {
            throw .invalid(error)
        }
        var large = LargeFilePlan(name: name, plan: plan)
        large.partSize = partSize
        var parts = try storeParts(of: file, large, by: account, progress: progress)
        let signed = try publish(
            .post(
                type: LargeFileManifest.postType,
                content: parts.manifest.content(tags: tags, metadata: nil)), by: account)
        try restoreParts(&parts, of: file, large, by: account)
        return signed
    }

    /// Stores the parts of a file anew that were taken back meanwhile. Call it once the network has
    /// processed the manifest: who takes parts back from then on sees that.
    ///
    /// - Parameter parts: from `storeParts`, for the same file and plan.
    /// - Throws: as `store`: then the file is not whole, and storing it again mends it.
    package func restoreParts(
        _ parts: inout StoredParts, of file: AlephSource, _ large: LargeFilePlan,
        by account: AlephAccount
    ) throws(AlephError) {
        let manifest = parts.manifest
        // Equal parts of one file have one message.
        let kept = try kept(among: Set(parts.keepers))
        var stored: [ItemHash: ItemHash] = [:]
        for index in manifest.parts.indices where !kept.contains(parts.keepers[index]) {
            let name = manifest.parts[index]
            if let keeper = stored[name] {
                parts.keepers[index] = keeper
                continue
            }
            guard large.isWanted() else { throw .cancelled }
            let part = file.piece(at: index * manifest.partSize, size: manifest.size(ofPart: index))
            let keeper = try store(part: part, as: name, large, by: account)
            parts.keepers[index] = keeper
            stored[name] = keeper
        }
    }

    /// Has the network keep parts on whose messages were taken back: their bytes are there for a
    /// day. Nothing is uploaded.
    ///
    /// - Throws: the first failure, after all others were tried.
    package func keepParts(
        _ parts: Set<ItemHash>, plan: StorePlan, by account: AlephAccount
    ) throws(AlephError) {
        var failure: AlephError?
        for part in parts {
            let draft = StoreDraft(file: part, tags: [LargeFileManifest.partTag])
            do throws(AlephError) {
                try publish(try signStore(of: part, draft, plan: plan, by: account).envelope)
            } catch .cancelled {
                throw .cancelled
            } catch {
                // The others have no more time than this one had.
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }

    /// Stores the parts of a file, and publishes no manifest yet.
    ///
    /// At the end all parts are there: one that was taken back while the others were stored is
    /// stored again.
    ///
    /// - Throws: as `storeLarge`; `cancelled` once the plan's `isWanted` answers no.
    package func storeParts(
        of file: AlephSource, _ large: LargeFilePlan, by account: AlephAccount,
        progress: (Int) -> Void = { _ in }
    ) throws(AlephError) -> StoredParts {
        let plan = large.plan
        let nodeLimit = try uploadLimits().limit(of: plan)
        guard nodeLimit >= LargeFilePlan.minimumNodeLimit else {
            throw .tooLarge(limit: nodeLimit)
        }
        let partSize = min(large.partSize, nodeLimit)
        let limit = partSize * LargeFileManifest.maximumPartCount
        guard file.size <= limit else { throw .tooLarge(limit: limit) }
        var whole = SHA256Hasher()
        var parts: [ItemHash] = []
        var keepers: [ItemHash] = []
        var start = 0
        while start < file.size {
            guard large.isWanted() else { throw .cancelled }
            let size = min(partSize, file.size - start)
            let part = file.piece(at: start, size: size)
            guard part.forEachPiece({ whole.update($0) }) else { throw .sourceFailed }
            let hash = try AlephClient.name(of: part, engine: plan.engine)
            if large.isKept(hash), let keeper = try message(storing: hash, by: account) {
                keepers.append(keeper)
            } else {
                keepers.append(try store(part: part, as: hash, large, by: account))
            }
            parts.append(hash)
            start += size
            progress(start)
        }
        guard large.isWanted() else { throw .cancelled }
        let manifest: LargeFileManifest
        do throws(AlephProtocolError) {
            manifest = try LargeFileManifest(
                name: large.name, size: file.size, sha256: whole.finalize(), partSize: partSize,
                parts: parts)
        } catch {
            throw .invalid(error)
        }
        var result = StoredParts(manifest: manifest, keepers: keepers)
        try restoreParts(&result, of: file, large, by: account)
        return result
    }

    /// Stores one part.
    ///
    /// - Returns: the message that keeps it.
    private func store(
        part: AlephSource, as name: ItemHash, _ large: LargeFilePlan, by account: AlephAccount
    ) throws(AlephError) -> ItemHash {
        let draft = StoreDraft(file: name, tags: [LargeFileManifest.partTag])
        let signed = try signStore(of: name, draft, plan: large.plan, by: account)
        try deliver(part, with: signed, plan: large.plan, by: account)
        large.stored(name, signed.envelope.itemHash)
        return signed.envelope.itemHash
    }

    /// The message by which the network keeps a part for an account, and will: one that makes it a
    /// part, for any other file of the same bytes is somebody's to remove. Nil if there is none.
    private func message(
        storing file: ItemHash, by account: AlephAccount
    ) throws(AlephError) -> ItemHash? {
        var filter = MessageFilter()
        filter.types = [.store]
        filter.owners = [account.address]
        filter.files = [file]
        filter.tags = [LargeFileManifest.partTag]
        var pages = MessagePages(self, filter)
        while let page = try pages.next() {
            for message in page.messages
            where AlephClient.part(message, of: account.address) == file {
                // Lists have what is being removed for want of money too.
                if try isProcessed(message.itemHash) { return message.itemHash }
            }
        }
        return nil
    }

    /// Those of many messages that the network keeps on. Asked for together first: a file has up
    /// to ten thousand parts, of which hardly one is gone.
    private func kept(among hashes: Set<ItemHash>) throws(AlephError) -> Set<ItemHash> {
        var kept: Set<ItemHash> = []
        var rest = Array(hashes)[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(AlephClient.receiptLimit))
            rest = rest.dropFirst(batch.count)
            kept.formUnion(try processed(among: batch, isKeptOn: true))
        }
        // What one node does not list, another one may have.
        for hash in hashes where !kept.contains(hash) {
            if try isProcessed(hash) { kept.insert(hash) }
        }
        return kept
    }

    private func isProcessed(_ hash: ItemHash) throws(AlephError) -> Bool {
        do {
            return try ask(.allMustMiss) { node throws(AlephError) in
                try node.statusName(of: hash) == "processed"
            }
        } catch .notFound {
            return false
        }
    }

    /// The part that a message keeps for an account; nil for all other messages.
    private static func part(_ message: VerifiedMessage, of owner: String) -> ItemHash? {
        guard message.isOwnersOwn, AlephAddress.isSame(message.owner, owner),
            AlephTree.tags(of: message) == [LargeFileManifest.partTag]
        else { return nil }
        return message.content["item_hash"]?.string.flatMap { ItemHash($0) }
    }

    /// An account's manifests.
    package func manifests(of owner: String) throws(AlephError) -> LargeFileManifests {
        var filter = MessageFilter()
        filter.types = [.post]
        filter.owners = [owner]
        filter.postTypes = [LargeFileManifest.postType]
        var found = LargeFileManifests()
        var pages = MessagePages(self, filter)
        while let page = try pages.next() {
            found.uncheckedCount += page.passedOver
            for message in page.messages
            where message.isOwnersOwn && AlephAddress.isSame(message.owner, owner) {
                let parts = LargeFileManifests.parts(of: message)
                if !parts.isEmpty { found.parts[message.itemHash] = parts }
            }
        }
        return found
    }

    /// The messages that keep these parts for an account: those that were stored as parts, and no
    /// files that are the same by chance.
    ///
    /// - Parameter time: only those with an earlier content's time: what was signed later is for
    ///   somebody who stored the part anew.
    package func messages(
        keeping parts: Set<ItemHash>, of owner: String, before time: Double
    ) throws(AlephError) -> [ItemHash] {
        guard !parts.isEmpty else { return [] }
        var filter = MessageFilter()
        filter.types = [.store]
        filter.owners = [owner]
        filter.tags = [LargeFileManifest.partTag]
        var found: [ItemHash] = []
        var pages = MessagePages(self, filter)
        while let page = try pages.next() {
            for message in page.messages where message.time < time {
                guard let file = AlephClient.part(message, of: owner), parts.contains(file) else {
                    continue
                }
                found.append(message.itemHash)
            }
        }
        return found
    }
}

/// Which parts an account's manifests name.
package struct LargeFileManifests: Sendable {
    /// The parts of each manifest, by its message; none has no parts.
    package var parts: [ItemHash: Set<ItemHash>] = [:]
    /// How many messages were listed that cannot be checked: which parts those keep nobody knows.
    package var uncheckedCount = 0

    /// None.
    package init() {}

    /// All hashes that a manifest gives as its parts, whatever else of it cannot be read: one of a
    /// later version keeps its parts too. None for other messages.
    package static func parts(of message: VerifiedMessage) -> Set<ItemHash> {
        guard message.type == .post, message.content["type"]?.string == LargeFileManifest.postType
        else { return [] }
        let list = message.content["content"]?["parts"]?.array ?? []
        return Set(list.compactMap { $0.string.flatMap { ItemHash($0) } })
    }
}
