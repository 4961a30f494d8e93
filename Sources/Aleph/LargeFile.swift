// SPDX-License-Identifier: Apache-2.0
//
// Files beyond what a node takes: stored in parts, read as one.
//
// Invariants:
// - No byte is given out of a part whose bytes are not those that its hash names.
// - A manifest is published only after the network has processed the message of each part.

package import AlephProtocol
internal import Cryptography
internal import JSON
internal import Primitives

/// A file that was stored in parts, as one file.
///
/// Nodes send no part of a file of theirs, so that each read brings whole parts; the last one that
/// was read is kept in memory. Calls block, from any thread.
package final class LargeFile: Sendable {
    /// What it consists of.
    package let manifest: LargeFileManifest
    private let client: AlephClient
    /// The part that was read last.
    private let kept = Lock<(part: Int, bytes: [UInt8])?>(nil)

    /// The file that a manifest describes; nothing is asked yet.
    package init(_ manifest: LargeFileManifest, over client: AlephClient) {
        self.manifest = manifest
        self.client = client
    }

    /// Bytes of the whole.
    package var size: Int { manifest.size }

    /// The bytes from `offset` on, at most `count` of them; fewer only at the end of the file.
    ///
    /// - Throws: `untrue` if no node has a part as it is named, or with the size that the manifest
    ///   says; `notFound` if none has it.
    package func read(at offset: Int, count: Int) throws(AlephError) -> [UInt8] {
        guard (0..<size).contains(offset), count > 0 else { return [] }
        let end = offset + min(count, size - offset)
        var bytes: [UInt8] = []
        for (part, range) in manifest.pieces(of: offset..<end) {
            bytes += try self.part(part)[range]
        }
        return bytes
    }

    /// Hands the whole file to `sink`, in order, a part at a time.
    ///
    /// - Parameter sink: takes checked bytes; false ends it with `cancelled`.
    /// - Throws: also `untrue` at the end, if the parts together are not what the manifest names.
    package func forEachPart(_ sink: ([UInt8]) -> Bool) throws(AlephError) {
        var whole = SHA256Hasher()
        for index in manifest.parts.indices {
            let bytes = try part(index)
            whole.update(bytes.span)
            guard sink(bytes) else { throw .cancelled }
        }
        guard whole.finalize() == manifest.sha256 else {
            throw .untrue(.hashMismatch(wanted: Hex.encode(manifest.sha256)))
        }
    }

    private func part(_ index: Int) throws(AlephError) -> [UInt8] {
        if let kept = kept.withLock({ $0 }), kept.part == index { return kept.bytes }
        let size = manifest.size(ofPart: index)
        let bytes = try client.file(manifest.parts[index], limit: size)
        guard bytes.count == size else { throw .untrue(.malformed(field: "parts")) }
        kept.withLock { $0 = (index, bytes) }
        return bytes
    }
}

/// How the bytes of a file are had.
package enum StoredFile: Sendable {
    /// One file of the network, by its name: `AlephClient.download` or `file` brings it.
    case whole(ItemHash)
    /// One in parts.
    case parts(LargeFile)
}

extension AlephClient {
    /// The file that a hash leads to: the message that stores it, a manifest's message, or the
    /// file's own name.
    ///
    /// - Throws: `invalid` for a message that is about no file; `forgotten`, `rejected`,
    ///   `stillPending`. A hash that no node knows as a message is taken for a file's name, of
    ///   which nobody knows yet whether it is there.
    package func storedFile(_ hash: ItemHash) throws(AlephError) -> StoredFile {
        guard hash.type == .storage else { return .whole(hash) }
        let message: VerifiedMessage
        do throws(AlephError) {
            message = try processedMessage(hash)
        } catch .notFound {
            return .whole(hash)
        }
        if message.type == .store,
            let file = message.content["item_hash"]?.string.flatMap({ ItemHash($0) })
        {
            return .whole(file)
        }
        return .parts(try largeFile(message))
    }

    /// The file that a post describes.
    ///
    /// - Throws: `invalid` if the message is no manifest, or one that breaks a limit.
    package func largeFile(_ message: VerifiedMessage) throws(AlephError) -> LargeFile {
        guard message.type == .post, message.content["type"]?.string == LargeFileManifest.postType,
            let content = message.content["content"]
        else { throw .invalid(.malformed(field: "type")) }
        do throws(AlephProtocolError) {
            return LargeFile(try LargeFileManifest(content), over: self)
        } catch {
            throw .invalid(error)
        }
    }

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
        let partSize = min(partSize, try uploadLimits().limit(of: plan))
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
            if try !isStored(hash, by: account) {
                let draft = StoreDraft(file: hash, tags: [LargeFileManifest.partTag])
                let signed = try signStore(of: hash, draft, plan: plan, by: account)
                try deliver(part, with: signed, plan: plan, by: account)
            }
            parts.append(hash)
            start += size
            progress(start)
        }
        let manifest: LargeFileManifest
        do throws(AlephProtocolError) {
            manifest = try LargeFileManifest(
                name: name, size: file.size, sha256: whole.finalize(), partSize: partSize,
                parts: parts)
        } catch {
            throw .invalid(error)
        }
        return try publish(
            .post(type: LargeFileManifest.postType, content: manifest.content), by: account)
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
}
