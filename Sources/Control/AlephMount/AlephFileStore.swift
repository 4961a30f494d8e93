// SPDX-License-Identifier: Apache-2.0
//
// Stored files of the network on the local disk, by their names, which are digests of their bytes.
//
// Invariants:
// - What is handed out was checked against its name in this process: as it came, or, if an earlier
//   process left it here, before its first use.
// - A file has its name only when it is whole; before that it ends in `.part`.
// - `total` is the size of all files that have their names. Beyond `budget` what was used least
//   lately goes, but for the one that came last.

import Aleph
import AlephProtocol
import Engine
import Glibc
import Primitives

/// A descriptor that several share.
final class AlephLocalFile: AlephLocalBytes {
    private let descriptor: Descriptor
    /// Bytes of it.
    let size: UInt64

    init(_ descriptor: consuming Descriptor) throws(SystemError) {
        size = try FileFacts.of(descriptor).size
        self.descriptor = descriptor
    }

    func read(at offset: UInt64, into out: inout MutableSpan<UInt8>) throws(SystemError) -> Int {
        try descriptor.readFully(at: offset, into: &out)
    }
}

/// The files.
final class AlephFileStore: Sendable {
    /// The most that the files of one folder take, whatever the volume's cache may.
    static let maximumBudget: UInt64 = 2 << 30
    /// The part of the volume's cache budget that they may take on top of it: a twentieth, for
    /// there are two folders.
    static let budgetDivisor: UInt64 = 20

    private struct State {
        var files: [ItemHash: (size: UInt64, use: UInt64, isChecked: Bool)] = [:]
        var total: UInt64 = 0
        var clock: UInt64 = 0
    }

    private let folder: String
    private let budget: UInt64
    private let state: Lock<State>

    /// - Parameters:
    ///   - folder: made if it is missing; mode 0700.
    ///   - cacheBudget: of the volume.
    init(folder: String, cacheBudget: UInt64) throws(SystemError) {
        self.folder = folder
        budget = min(cacheBudget / AlephFileStore.budgetDivisor, AlephFileStore.maximumBudget)
        try Files.makeDirectories(folder, mode: 0o700)
        var state = State()
        let directory = try Descriptor.open(folder, O_RDONLY | O_DIRECTORY)
        for (name, _) in try Files.names(in: directory) where name.first != UInt8(ascii: ".") {
            let text = String(decoding: name, as: UTF8.self)
            guard let hash = ItemHash(text) else {
                // What an earlier process did not finish.
                try Files.remove(folder + "/" + text)
                continue
            }
            let size = try FileFacts.of(name, in: directory).size
            state.files[hash] = (size, 0, false)
            state.total += size
        }
        self.state = Lock(state)
    }

    /// Whether so many bytes are kept at a time.
    func holds(_ size: Int) -> Bool { UInt64(clamping: size) <= budget }

    /// Bytes of a file that is here.
    func size(_ hash: ItemHash) -> UInt64? { state.withLock { $0.files[hash]?.size } }

    /// A file that is here and checked.
    func checked(_ hash: ItemHash) -> AlephLocalFile? {
        let isChecked = state.withLock { state in
            state.clock += 1
            state.files[hash]?.use = state.clock
            return state.files[hash]?.isChecked ?? false
        }
        // One that was evicted meanwhile is fetched again.
        return isChecked ? try? open(hash) : nil
    }

    /// A file, fetched unless it is here. Takes as long as that takes.
    ///
    /// - Parameter limit: the most bytes it has, if somebody says how many.
    /// - Throws: `untrue` if every node that has it sends more, or other bytes.
    func fetch(
        _ hash: ItemHash, by client: AlephClient, limit: Int = .max
    ) throws(AlephError) -> AlephLocalFile {
        if let file = checked(hash) { return file }
        if size(hash) != nil, let file = try? open(hash) {
            if AlephClient.isFile(file.source, named: hash) {
                state.withLock { $0.files[hash]?.isChecked = true }
                return file
            }
            remove(hash)
        }
        let part = path(hash) + ".part"
        do {
            let file = try Descriptor.open(part, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
            let writer = Writer(file)
            try client.download(
                hash, limit: limit, restart: { writer.restart() }, into: { writer.take($0) })
            try Files.rename(part, to: path(hash))
            let whole = try open(hash)
            note(hash, whole.size)
            return whole
        } catch let error as AlephError {
            _ = try? Files.remove(part)  // The next start removes it.
            throw error
        } catch {
            throw .sourceFailed
        }
    }

    /// Takes a file of ours in, which need not come back from the network to be read. It is looked
    /// at once more when somebody reads it.
    func adopt(_ path: String, as hash: ItemHash) {
        do throws(SystemError) {
            try Files.rename(path, to: self.path(hash))
            note(hash, try open(hash).size, isChecked: false)
        } catch {
            // It is fetched when somebody reads it.
            return
        }
    }

    private func path(_ hash: ItemHash) -> String { folder + "/" + hash.text }

    private func open(_ hash: ItemHash) throws(SystemError) -> AlephLocalFile {
        try AlephLocalFile(try Descriptor.open(path(hash), O_RDONLY | O_NOFOLLOW))
    }

    private func note(_ hash: ItemHash, _ size: UInt64, isChecked: Bool = true) {
        let gone = state.withLock { state -> [ItemHash] in
            state.clock += 1
            state.total -= state.files[hash]?.size ?? 0
            state.files[hash] = (size, state.clock, isChecked)
            state.total += size
            guard state.total > budget else { return [] }
            var gone: [ItemHash] = []
            for (old, file) in state.files.sorted(by: { $0.value.use < $1.value.use }) {
                guard state.total > budget, old != hash else { break }
                state.total -= file.size
                state.files[old] = nil
                gone.append(old)
            }
            return gone
        }
        for old in gone { _ = try? Files.remove(path(old)) }  // The next start counts it again.
    }

    private func remove(_ hash: ItemHash) {
        state.withLock { state in
            state.total -= state.files.removeValue(forKey: hash)?.size ?? 0
        }
        _ = try? Files.remove(path(hash))  // It is written over when it comes anew.
    }

    /// Bytes on their way to the disk.
    private final class Writer: Sendable {
        private let file: Descriptor
        private let offset = Lock<UInt64>(0)

        init(_ file: consuming Descriptor) {
            self.file = file
        }

        /// What came so far counts for nothing; what comes is never shorter than the right file.
        func restart() {
            offset.withLock { $0 = 0 }
            _ = ftruncate(file.number, 0)
        }

        func take(_ bytes: Span<UInt8>) -> Bool {
            let start = offset.withLock { offset in
                defer { offset += UInt64(bytes.count) }
                return offset
            }
            do throws(SystemError) {
                try file.writeAll(bytes, at: start)
                return true
            } catch {
                // A full disk: the download ends, and says so.
                return false
            }
        }
    }
}
