// SPDX-License-Identifier: Apache-2.0
//
// Files of `me/` on the local disk, from their first byte until the network has processed them.
//
// `N.json` is a record, which says what a name is; it names the file `M` that has its bytes, if it
// has any. Neither is synced to the disk: both survive the end of this process, whatever ended it,
// and after a power loss a file whose bytes are not as many as its record says is kept and not
// published.
//
// Invariant: bytes are written only by those who have it open. Who opens it once it was handed to
// the network is given a copy; who had it open, and waits for that in `fsync`, shares it with who
// comes then, and what was sent is sent again if it was written to.

import Aleph
import AlephProtocol
import Engine
import Glibc
import JSON
import Namespace
import Primitives

/// The folder.
final class AlephStaging: Sendable {
    private let folder: String
    private let next: Lock<UInt64>

    /// - Parameter folder: made if it is missing; mode 0700.
    init(folder: String) throws(SystemError) {
        self.folder = folder
        try Files.makeDirectories(folder, mode: 0o700)
        next = Lock(1)
    }

    /// What an earlier process left, the oldest first. What has no record is removed.
    func recover() throws(SystemError) -> [AlephRecord] {
        let directory = try Descriptor.open(folder, O_RDONLY | O_DIRECTORY)
        var records: [AlephRecord] = []
        var last: UInt64 = 0
        var bodies: Set<UInt64> = []
        for (name, _) in try Files.names(in: directory) {
            let text = String(decoding: name, as: UTF8.self)
            if let number = UInt64(text) {
                bodies.insert(number)
                last = max(last, number)
            } else if text.hasSuffix(".json"), let number = UInt64(text.dropLast(5)) {
                last = max(last, number)
                let bytes = try directory.open(name, O_RDONLY).readAll(
                    limit: AlephRecord.maximumSize)
                if let record = AlephRecord(number: number, decoding: bytes) {
                    records.append(record)
                } else {
                    try Files.remove(folder + "/" + text)
                }
            } else if text != ".", text != ".." {
                // A record that was being written.
                try Files.remove(folder + "/" + text)
            }
        }
        let start = last + 1
        next.withLock { $0 = start }
        for stray in bodies.subtracting(records.compactMap { $0.body }) {
            try Files.remove(path(stray))
        }
        return records.sorted { $0.number < $1.number }
    }

    /// A number of its own for a record.
    func number() -> UInt64 {
        next.withLock { next in
            defer { next += 1 }
            return next
        }
    }

    /// Makes an empty file.
    func make(_ number: UInt64) throws(SystemError) -> AlephStaged {
        try AlephStaged(
            try Descriptor.open(path(number), O_RDWR | O_CREAT | O_TRUNC, mode: 0o600),
            number: number, path: path(number))
    }

    /// A file that an earlier process left; nil if it has none.
    func open(_ number: UInt64) throws(SystemError) -> AlephStaged? {
        guard Files.exists(path(number)) else { return nil }
        return try AlephStaged(
            try Descriptor.open(path(number), O_RDWR), number: number, path: path(number))
    }

    /// Keeps what a file is, as one step.
    func keep(_ record: AlephRecord) throws(SystemError) {
        let path = path(record.number) + ".json"
        let temporary = path + ".new"
        do {
            let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o600)
            try file.writeAll(record.encoded.span)
        }
        try Files.rename(temporary, to: path)
    }

    /// Removes a record, and then its bytes: what is left between is a stray.
    func remove(_ record: AlephRecord) {
        removeRecord(record.number)
        if let body = record.body { removeBody(body) }
    }

    /// Removes a record, and leaves its bytes.
    func removeRecord(_ number: UInt64) {
        // What stays is removed by the next start, or done again.
        _ = try? Files.remove(path(number) + ".json")
    }

    /// Removes bytes.
    func removeBody(_ number: UInt64) {
        _ = try? Files.remove(path(number))  // The next start removes it.
    }

    private func path(_ number: UInt64) -> String { "\(folder)/\(number)" }
}

/// Bytes that are being written, or wait for the network.
final class AlephStaged: AlephLocalBytes {
    /// The most bytes of a file: all parts that a large one may have, of the usual size.
    static let maximumSize = UInt64(
        LargeFileManifest.standardPartSize * LargeFileManifest.maximumPartCount)

    /// The number of its record.
    let number: UInt64
    /// Where it is.
    let path: String
    private let descriptor: Descriptor
    private let length: Lock<UInt64>

    init(_ descriptor: consuming Descriptor, number: UInt64, path: String) throws(SystemError) {
        self.number = number
        self.path = path
        length = Lock(try FileFacts.of(descriptor).size)
        self.descriptor = descriptor
    }

    var size: UInt64 { length.withLock { $0 } }

    func read(at offset: UInt64, into out: inout MutableSpan<UInt8>) throws(SystemError) -> Int {
        try descriptor.readFully(at: offset, into: &out)
    }

    func write(_ bytes: Span<UInt8>, at offset: UInt64) throws(SystemError) {
        let (end, isTooFar) = offset.addingReportingOverflow(UInt64(bytes.count))
        guard !isTooFar, end <= AlephStaged.maximumSize else {
            throw SystemError("pwrite", code: EFBIG)
        }
        try descriptor.writeAll(bytes, at: offset)
        length.withLock { $0 = max($0, end) }
    }

    func truncate(to size: UInt64) throws(SystemError) {
        guard size <= AlephStaged.maximumSize else { throw SystemError("ftruncate", code: EFBIG) }
        guard ftruncate(descriptor.number, off_t(clamping: size)) == 0 else {
            throw SystemError.last("ftruncate")
        }
        length.withLock { $0 = size }
    }

    /// All bytes; nil if they are more than `limit` or cannot be read.
    func bytes(limit: Int) -> [UInt8]? {
        guard let size = Int(exactly: size), size <= limit else { return nil }
        var bytes = [UInt8](repeating: 0, count: size)
        var span = bytes.mutableSpan
        // Who asked says so.
        guard (try? read(at: 0, into: &span)) == size else { return nil }
        return bytes
    }

    /// Writes what another has.
    ///
    /// - Returns: false if it could not be read to its end.
    func copy(from other: AlephSource) throws(SystemError) -> Bool {
        var offset: UInt64 = 0
        var failure: SystemError?
        let isRead = other.forEachPiece { piece in
            guard failure == nil else { return }
            do throws(SystemError) {
                try write(piece, at: offset)
                offset += UInt64(piece.count)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return isRead
    }
}

/// What a name in `me/` is, besides what the network has of it.
struct AlephRecord: Sendable {
    /// The most bytes of a record: an aggregate's earlier value is in it.
    static let maximumSize = 64 << 20
    private static let version = 1

    /// Names its files.
    let number: UInt64
    /// The directory.
    var part: AlephPath.Part
    /// The name in it.
    var name: String
    /// The file with bytes of its own, that the network is to have, or, under a temporary name,
    /// never has; nil if there are none.
    var body: UInt64?
    /// How many bytes there were when it was closed; nil while somebody writes.
    var size: UInt64?
    /// Whether it was removed, and the network is to be told.
    var isGone = false
    /// Whether what is said of it (tags and so on) is to be published.
    var isRetold = false
    /// The post that the name stands for.
    var target: ItemHash?
    /// Permissions.
    var mode: UInt32 = 0o644
    /// When it was changed last.
    var modified = Timestamp.now()
    /// Tags; nil to keep those that the network has.
    var tags: [String]?
    /// Metadata of the user's; nil to keep what the network has.
    var metadata: JSONObject?
    /// What an aggregate was when somebody began to change it.
    var base: JSONObject?
    /// The message that was signed for it, which is sent again as it is.
    var envelope: MessageEnvelope?

    init(number: UInt64, part: AlephPath.Part, name: String) {
        self.number = number
        self.part = part
        self.name = name
    }

    /// As it lies on the disk: JSON, which only this program reads.
    var encoded: [UInt8] {
        var fields = JSONObject([
            ("version", .number(JSONNumber(AlephRecord.version))), ("part", .string(part.rawValue)),
            ("name", .string(name)), ("gone", .bool(isGone)),
            ("retold", .bool(isRetold)), ("mode", .number(JSONNumber(Int(mode)))),
            ("seconds", .number(JSONNumber(Int(modified.seconds)))),
            ("nanoseconds", .number(JSONNumber(Int(modified.nanoseconds)))),
        ])
        if let body { fields["body"] = .number(JSONNumber(Int(body))) }
        if let size { fields["size"] = .number(JSONNumber(Int(clamping: size))) }
        if let target { fields["target"] = .string(target.text) }
        if let tags { fields["tags"] = .array(tags.map { .string($0) }) }
        if let metadata { fields["metadata"] = .object(metadata) }
        if let base { fields["base"] = .object(base) }
        if let envelope { fields["envelope"] = envelope.json }
        return JSONValue.object(fields).bytes()
    }

    /// Nil for what is no record of this version.
    init?(number: UInt64, decoding bytes: [UInt8]) {
        // What cannot be read is no record; there is nothing else to say of it.
        guard let fields = try? JSONValue(parsing: bytes).object,
            fields["version"]?.int == AlephRecord.version,
            let part = fields["part"]?.string.flatMap({ AlephPath.Part(rawValue: $0) }),
            let name = fields["name"]?.string
        else { return nil }
        self.init(number: number, part: part, name: name)
        body = fields["body"]?.int.flatMap { UInt64(exactly: $0) }
        size = fields["size"]?.int.flatMap { UInt64(exactly: $0) }
        isGone = fields["gone"]?.bool ?? false
        isRetold = fields["retold"]?.bool ?? false
        target = fields["target"]?.string.flatMap { ItemHash($0) }
        mode = fields["mode"]?.int.flatMap { UInt32(exactly: $0) } ?? 0o644
        if let seconds = fields["seconds"]?.int,
            let nanoseconds = fields["nanoseconds"]?.int.flatMap({ UInt32(exactly: $0) }),
            nanoseconds < Timestamp.nanosecondsPerSecond
        {
            modified = Timestamp(seconds: Int64(seconds), nanoseconds: nanoseconds)
        }
        tags = fields["tags"]?.array?.compactMap { $0.string }
        metadata = fields["metadata"]?.object
        base = fields["base"]?.object
        // A message that cannot be read is signed anew.
        envelope = fields["envelope"].flatMap { try? MessageEnvelope($0) }
    }
}
