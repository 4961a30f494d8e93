// SPDX-License-Identifier: Apache-2.0
//
// Files beyond what a node takes, on their way into the network and out of it.
//
// Invariants:
// - A manifest is published only after the network has processed the message of each part.
// - A part that another manifest of the account names is not taken back with one.

package import AlephProtocol
internal import Cryptography
internal import JSON

/// Who stores a file in parts, and how.
package struct LargeFilePlan: Sendable {
    /// How it may be called; nil for no name.
    package var name: String?
    /// How each part is stored.
    package var plan: StorePlan
    /// Bytes of a part, as far as the node takes so much.
    package var partSize = LargeFileManifest.standardPartSize
    /// Whether a part that the account stores already will stay: asked before it is relied on.
    package var isKept: @Sendable (ItemHash) -> Bool = { _ in true }
    /// Is told of each part that was stored, and the message that keeps it: for who gives up.
    package var stored: @Sendable (_ part: ItemHash, _ message: ItemHash) -> Void = { _, _ in }

    /// A plan with parts of the usual size.
    package init(name: String?, plan: StorePlan = StorePlan()) {
        self.name = name
        self.plan = plan
    }
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
    ///   - partSize: bytes of a part, as far as the node takes so much.
    ///   - progress: is told after each part how many bytes are stored.
    /// - Returns: the manifest's message.
    /// - Throws: `tooLarge` if it would have too many parts; and as `store`.
    package func storeLarge(
        _ file: AlephSource, name: String?, plan: StorePlan = StorePlan(),
        by account: AlephAccount, partSize: Int = LargeFileManifest.standardPartSize,
        progress: (Int) -> Void = { _ in }
    ) throws(AlephError) -> SignedMessage {
        var large = LargeFilePlan(name: name, plan: plan)
        large.partSize = partSize
        let manifest = try storeParts(of: file, large, by: account, progress: progress)
        return try publish(
            .post(type: LargeFileManifest.postType, content: manifest.content), by: account)
    }

    /// Stores the parts of a file, and publishes no manifest yet.
    ///
    /// - Throws: as `storeLarge`; `cancelled` if `progress` answered so.
    package func storeParts(
        of file: AlephSource, _ large: LargeFilePlan, by account: AlephAccount,
        progress: (Int) -> Void = { _ in }
    ) throws(AlephError) -> LargeFileManifest {
        let plan = large.plan
        let partSize = min(large.partSize, try uploadLimits().limit(of: plan))
        let limit = partSize * LargeFileManifest.maximumPartCount
        guard file.size <= limit else { throw .tooLarge(limit: limit) }
        var whole = SHA256Hasher()
        var parts: [ItemHash] = []
        var start = 0
        while start < file.size {
            let offset = start
            let size = min(partSize, file.size - start)
            let part = AlephSource(size: size) { place, count in
                file.read(offset + place, min(count, size - place))
            }
            guard part.forEachPiece({ whole.update($0) }) else { throw .sourceFailed }
            let hash = try AlephClient.name(of: part, engine: plan.engine)
            let isKept = large.isKept(hash) ? try isStored(hash, by: account) : false
            if !isKept {
                let draft = StoreDraft(file: hash, tags: [LargeFileManifest.partTag])
                let signed = try signStore(of: hash, draft, plan: plan, by: account)
                try deliver(part, with: signed, plan: plan, by: account)
                large.stored(hash, signed.envelope.itemHash)
            }
            parts.append(hash)
            start += size
            progress(start)
        }
        do throws(AlephProtocolError) {
            return try LargeFileManifest(
                name: large.name, size: file.size, sha256: whole.finalize(), partSize: partSize,
                parts: parts)
        } catch {
            throw .invalid(error)
        }
    }

    /// Whether the network keeps a file for an account.
    private func isStored(
        _ file: ItemHash, by account: AlephAccount
    ) throws(AlephError) -> Bool {
        var filter = MessageFilter()
        filter.types = [.store]
        filter.owners = [account.address]
        filter.files = [file]
        var pages = MessagePages(self, filter)
        while let page = try pages.next() {
            let isHere = page.messages.contains { message in
                message.isOwnersOwn && AlephAddress.isSame(message.owner, account.address)
                    && message.content["item_hash"]?.string == file.text
            }
            if isHere { return true }
        }
        return false
    }

    /// An account's manifests, by their messages.
    ///
    /// - Throws: `untrue` if a node lists one that cannot be checked: which parts it keeps nobody
    ///   knows then.
    package func manifests(
        of owner: String
    ) throws(AlephError) -> [ItemHash: LargeFileManifest] {
        var filter = MessageFilter()
        filter.types = [.post]
        filter.owners = [owner]
        filter.postTypes = [LargeFileManifest.postType]
        var found: [ItemHash: LargeFileManifest] = [:]
        var pages = MessagePages(self, filter)
        while let page = try pages.next() {
            guard page.passedOver == 0 else { throw .untrue(.malformed(field: "parts")) }
            for message in page.messages
            where message.isOwnersOwn && AlephAddress.isSame(message.owner, owner) {
                // What is no manifest keeps no parts.
                guard let content = message.content["content"],
                    let manifest = try? LargeFileManifest(content)
                else { continue }
                found[message.itemHash] = manifest
            }
        }
        return found
    }

    /// The messages that keep these parts for an account: those that were stored as parts, and no
    /// files that are the same by chance.
    package func messages(
        keeping parts: Set<ItemHash>, of owner: String
    ) throws(AlephError) -> [ItemHash] {
        guard !parts.isEmpty else { return [] }
        var filter = MessageFilter()
        filter.types = [.store]
        filter.owners = [owner]
        filter.tags = [LargeFileManifest.partTag]
        var found: [ItemHash] = []
        var pages = MessagePages(self, filter)
        while let page = try pages.next() {
            for message in page.messages
            where message.isOwnersOwn && AlephAddress.isSame(message.owner, owner) {
                if let file = message.content["item_hash"]?.string.flatMap({ ItemHash($0) }),
                    parts.contains(file), AlephTree.tags(of: message) == [LargeFileManifest.partTag]
                {
                    found.append(message.itemHash)
                }
            }
        }
        return found
    }
}
