// SPDX-License-Identifier: Apache-2.0
//
// `cairn aleph store` and `get`: files of the network, of any size.

import Aleph
package import AlephProtocol
import Glibc
import JSON

/// Stores and fetches files.
package struct AlephFiles: Sendable {
    /// The most bytes of a file in one piece that goes to standard output: it is held in memory,
    /// for nothing is shown before all of it was checked.
    private static let outputLimit = 256 << 20

    private let session: AlephSession

    /// Files of the network.
    package init(_ session: AlephSession) {
        self.session = session
    }

    /// Stores a file, in parts if it is larger than the node takes.
    ///
    /// - Parameters:
    ///   - tags: what it is found by.
    ///   - progress: is told how many bytes of how many are stored, where there are parts.
    /// - Returns: the message that the file is fetched by.
    package func store(
        _ path: String, tags: [String], plan: AlephStoring, as account: AlephAccount,
        progress: (Int, Int) -> Void
    ) throws(CommandFailure) -> ItemHash {
        let source = try LocalSource.open(path)
        let given = Files.lastComponent(of: path)
        let name = LargeFileManifest.isName(given) ? given : nil
        return try session.run { client throws(AlephError) in
            guard try source.size > client.uploadLimits().limit(of: plan.plan) else {
                return try client.store(source, plan: plan.plan, by: account) { hash in
                    StoreDraft(
                        file: hash, tags: tags,
                        metadata: name.map { JSONObject([("name", .string($0))]) })
                }.envelope.itemHash
            }
            return try client.storeLarge(
                source, name: name, tags: tags, plan: plan.plan, by: account
            ) { done in
                progress(done, source.size)
            }.envelope.itemHash
        }
    }

    /// Fetches a file.
    ///
    /// - Parameters:
    ///   - hash: a message that stores it, a manifest's message, or the file's own name.
    ///   - target: where to; nil for standard output. A file there is replaced once all bytes are
    ///     there and checked.
    package func get(_ hash: ItemHash, to target: String?) throws(CommandFailure) {
        let found = try session.run { client throws(AlephError) in try client.storedFile(hash) }
        guard let target else {
            switch found {
            case .whole(let file):
                let bytes = try session.run { client throws(AlephError) in
                    try client.file(file, limit: Self.outputLimit)
                }
                try Output.result(bytes: bytes)
            case .parts(let file):
                try each(of: file) { bytes throws(CommandFailure) in
                    try Output.result(bytes: bytes)
                }
            }
            return
        }
        let partial = target + ".part"
        do {
            try write(found, to: partial)
            try Files.rename(partial, to: target)
        } catch {
            // What is left of it is of no use; why it was begun is what counts.
            try? Files.remove(partial)
            if let failure = error as? CommandFailure { throw failure }
            throw CommandFailure(.unusablePath, "“\(target)” cannot be written")
        }
    }

    private func write(_ found: StoredFile, to path: String) throws(CommandFailure) {
        do {
            let output = SharedOutput(
                try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o666))
            switch found {
            case .whole(let file):
                try session.run { client throws(AlephError) in
                    try client.download(
                        file, restart: { output.restart() }, into: { output.write($0) })
                }
            case .parts(let file):
                try each(of: file) { bytes throws(CommandFailure) in
                    guard output.write(bytes.span) else { throw Self.unwritable(path) }
                }
            }
            guard output.finish() else { throw Self.unwritable(path) }
        } catch let error as CommandFailure {
            throw error
        } catch {
            throw Self.unwritable(path)
        }
    }

    private func each(
        of file: LargeFile, _ body: ([UInt8]) throws(CommandFailure) -> Void
    ) throws(CommandFailure) {
        var failure: CommandFailure?
        do throws(AlephError) {
            try file.forEachPart { bytes in
                do throws(CommandFailure) {
                    try body(bytes)
                    return true
                } catch {
                    failure = error
                    return false
                }
            }
        } catch {
            throw failure ?? CommandFailure(error)
        }
    }

    private static func unwritable(_ path: String) -> CommandFailure {
        CommandFailure(.unusablePath, "“\(path)” cannot be written")
    }
}

/// A file that is written from the beginning, perhaps more than once.
private final class SharedOutput {
    private let file: Descriptor
    private var offset: UInt64 = 0
    private var hasFailed = false

    init(_ file: consuming Descriptor) {
        self.file = file
    }

    func restart() { offset = 0 }

    func write(_ bytes: Span<UInt8>) -> Bool {
        do {
            try file.writeAll(bytes, at: offset)
            offset += UInt64(bytes.count)
        } catch {
            hasFailed = true
        }
        return !hasFailed
    }

    /// Makes it durable, without what an earlier attempt left behind its end.
    func finish() -> Bool {
        do {
            try file.truncate(to: offset)
            try file.sync()
            return !hasFailed
        } catch {
            return false
        }
    }
}
