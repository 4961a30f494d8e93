// SPDX-License-Identifier: Apache-2.0
//
// Files beyond what a node takes: stored in parts, read as one. `LargeFile+Storing.swift` has how
// they come into the network.
//
// Invariant: no byte is given out of a part whose bytes are not those that its hash names.

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
        let bytes = try client.file(manifest.parts[index], size: size)
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
}
