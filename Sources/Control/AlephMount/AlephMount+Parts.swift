// SPDX-License-Identifier: Apache-2.0
//
// Files that are stored in parts, as one file: parts come to the local disk as they are read, and
// no others do but the next one of who reads from front to end.

import Aleph
import AlephProtocol
import Engine
import JSON
import Primitives

/// An open file in parts.
///
/// Invariants:
/// - No byte is shown of a part that is not as large as the manifest says.
/// - The part that was read last stays open, so that it can be read on after its name is gone: who
///   reads from front to end fetches each part once, however small the cache.
final class AlephPartsContent: ForeignContent {
    private let manifest: LargeFileManifest
    private let part: @Sendable (Int, Patience?) throws(FileError) -> AlephLocalFile
    private let ahead: @Sendable (Int) -> Void
    /// Where the last read ended.
    private let end = Lock<UInt64>(0)
    private let last = Lock<(index: Int, file: AlephLocalFile)?>(nil)

    /// - Parameters:
    ///   - part: a part of it, on the local disk.
    ///   - ahead: has a part brought to the disk, and does not wait for it.
    init(
        _ manifest: LargeFileManifest,
        part: @escaping @Sendable (Int, Patience?) throws(FileError) -> AlephLocalFile,
        ahead: @escaping @Sendable (Int) -> Void
    ) {
        self.manifest = manifest
        self.part = part
        self.ahead = ahead
    }

    func read(
        at offset: UInt64, into out: inout MutableSpan<UInt8>, _ patience: Patience?
    ) throws(FileError) -> Int {
        guard let start = Int(exactly: offset), start < manifest.size else { return 0 }
        let stop = start + min(out.count, manifest.size - start)
        var done = 0
        for (index, range) in manifest.pieces(of: start..<stop) {
            let file = try open(index, patience)
            var rest = out._mutatingExtracting(done..<done + range.count)
            let count = try file.shown(at: UInt64(range.lowerBound), into: &rest)
            guard count == range.count else { throw .inputOutput }
            done += count
        }
        let isNext = end.withLock { end in
            defer { end = UInt64(stop) }
            return end == offset && offset > 0
        }
        // Who has read half of a part on end is likely to want what follows.
        let current = (stop - 1) / manifest.partSize
        if isNext, (stop - current * manifest.partSize) * 2 > manifest.partSize,
            current + 1 < manifest.parts.count
        {
            ahead(current + 1)
        }
        return done
    }

    private func open(
        _ index: Int, _ patience: Patience?
    ) throws(FileError) -> AlephLocalFile {
        if let last = last.withLock({ $0 }), last.index == index { return last.file }
        let file = try part(index, patience)
        last.withLock { $0 = (index, file) }
        return file
    }
}

extension AlephMount {
    /// A file in parts, to be read.
    func parts(
        _ entry: AlephEntry, _ patience: Patience?
    ) throws(FileError) -> any ForeignContent {
        let manifest = try manifest(of: entry, patience)
        return AlephPartsContent(
            manifest,
            part: { [weak self] (index, patience) throws(FileError) in
                guard let self else { throw .stale }
                return try self.part(index, of: manifest, patience)
            },
            ahead: { [weak self] index in
                // Where two do not fit, the one that comes ahead would be gone before it is read.
                guard let self, self.partFiles.holds(2 * manifest.partSize),
                    self.partFiles.checked(manifest.parts[index]) == nil
                else { return }
                let (files, client) = (self.partFiles, self.session.client)
                let (hash, size) = (manifest.parts[index], manifest.size(ofPart: index))
                self.jobs.begin(
                    .download(hash),
                    ahead: { () throws(AlephError) in
                        try files.fetch(hash, by: client, limit: size)
                    })
            })
    }

    /// A part, on the local disk.
    private func part(
        _ index: Int, of manifest: LargeFileManifest, _ patience: Patience?
    ) throws(FileError) -> AlephLocalFile {
        let (hash, size) = (manifest.parts[index], manifest.size(ofPart: index))
        let file: AlephLocalFile
        if let known = partFiles.checked(hash) {
            file = known
        } else {
            let (files, client) = (partFiles, session.client)
            file = try jobs.ask(.download(hash), patience) { () throws(AlephError) in
                try files.fetch(hash, by: client, limit: size)
            }
        }
        guard file.size == UInt64(size) else {
            trouble.report("a part of a large file is not as large as its owner says")
            throw .inputOutput
        }
        return file
    }

    /// What a file in parts consists of.
    private func manifest(
        of entry: AlephEntry, _ patience: Patience?
    ) throws(FileError) -> LargeFileManifest {
        guard let hash = entry.message else { throw .stale }
        return try manifest(hash, patience)
    }

    /// What the message of a manifest says.
    func manifest(
        _ hash: ItemHash, _ patience: Patience?
    ) throws(FileError) -> LargeFileManifest {
        // The message is kept as its file shows it, within the limits of all texts.
        let text = try file(.message(hash), patience).text
        guard let text, let message = try? JSONValue(parsing: text),
            let content = message["content"]?["content"],
            let manifest = try? LargeFileManifest(content)
        else {
            // It was one when it was listed.
            trouble.report("a large file's list of parts cannot be read")
            throw .inputOutput
        }
        return manifest
    }

    /// The bytes of a stored file, for who copies them.
    func source(
        _ entry: AlephEntry, _ patience: Patience?
    ) throws(FileError) -> AlephSource {
        guard let size = entry.largeSize else {
            guard let hash = entry.file else { throw .notFound }
            return try stored(hash, patience).source
        }
        let content = try parts(entry, patience)
        return AlephSource(size: size) { offset, limit in
            var bytes = [UInt8](repeating: 0, count: limit)
            var span = bytes.mutableSpan
            // Who asked says that the bytes could not be read.
            guard
                let count = try? content.read(at: UInt64(offset), into: &span, patience),
                count > 0
            else { return nil }
            return Array(bytes.prefix(count))
        }
    }

    /// The manifests of our own that were listed here.
    var knownManifests: [ItemHash] {
        known.listing(.part(own, .files))?.entries.flatMap { $0.manifests } ?? []
    }
}
