// SPDX-License-Identifier: Apache-2.0
//
// A volume in a temporary folder, as the tests of the engine use it.

import Cryptography
import Engine
import Foundation
import Namespace
import RemoteStores
import Stores
import TestSupport
import Testing

/// An engine with a store and a temporary state folder, which goes with the object.
final class TestVolume {
    typealias Adjustment = (inout EngineConfiguration) -> Void

    let root: String
    let seed: SecretBytes
    /// The store in memory; nil when the volume rests in a folder.
    let store: TestStore?
    /// The name of the state folder below `root`; each crash takes the next.
    private(set) var state = "state"
    private var crashes = 0
    private let adjust: Adjustment
    private var connection: StoreConnection?
    private var running: Engine?
    /// The engine that runs now.
    var engine: Engine {
        guard let running else { preconditionFailure("the volume is stopped") }
        return running
    }
    /// Somebody who waits: ten minutes from when it is asked for.
    var context: RequestContext {
        RequestContext(
            user: 1000, group: 1000, umask: 0o022, patience: Patience(for: .seconds(600)))
    }

    /// A new volume on a folder store.
    init(_ adjust: @escaping Adjustment = { _ in }) throws {
        (root, seed, store, self.adjust) = (
            Self.folder(), SecretBytes(randomCount: 32), nil, adjust
        )
        try start(.create)
    }

    /// A volume on a store in memory; made new unless `seed` names one that is there.
    init(
        on store: TestStore, seed: SecretBytes? = nil, mode: StartMode = .create,
        _ adjust: @escaping Adjustment = { _ in }
    ) throws {
        root = Self.folder()
        self.seed = seed ?? SecretBytes(randomCount: 32)
        self.store = store
        self.adjust = adjust
        try start(mode)
    }

    private static func folder() -> String {
        NSTemporaryDirectory() + "cairn-engine-" + UUID().uuidString
    }

    /// The store in memory of a volume that has one.
    var memory: TestStore {
        guard let store else { preconditionFailure("the volume rests in a folder") }
        return store
    }

    var stateFolder: String { root + "/" + state }

    func start(_ mode: StartMode) throws {
        try FileManager.default.createDirectory(
            atPath: stateFolder, withIntermediateDirectories: true)
        var configuration: EngineConfiguration
        if let store {
            let connection = StoreConnection(store)
            self.connection = connection
            configuration = EngineConfiguration(
                stateFolder: stateFolder, chunks: connection, pads: connection,
                keys: VolumeKeys(seed: seed))
        } else {
            let store = try FolderStore(path: root + "/store", createIfMissing: true)
            configuration = EngineConfiguration(
                stateFolder: stateFolder, chunks: store, pads: store, keys: VolumeKeys(seed: seed))
        }
        configuration.cacheBudget = 256 << 20
        // Published later than other changes, so a tree from the store has older ones.
        configuration.accessTimes = .never
        configuration.padDelay = .milliseconds(20)
        configuration.flushDelay = .milliseconds(200)
        configuration.publishDelay = .milliseconds(300)
        configuration.readDeadline = configuration.readDeadline.scaled
        adjust(&configuration)
        running = try Engine.start(configuration, mode: mode)
    }

    /// Stops, and starts again from the state folder.
    func restart() throws {
        stop()
        try start(.existing)
    }

    struct Unpublished: Error {
        let outcome: RemoteSyncOutcome
    }

    /// Stores and publishes everything.
    func publish(within limit: Duration = .seconds(60)) throws {
        let outcome = engine.synchronizeRemotely(timeout: limit.scaled)
        guard case .published = outcome else { throw Unpublished(outcome: outcome) }
    }

    /// Publishes, stops, and starts from the seed and the store alone.
    func recover() throws {
        try publish()
        try forgetEverything()
    }

    /// Stops, loses the state folder, and starts from the seed and the store alone.
    func forgetEverything() throws {
        stop()
        try FileManager.default.removeItem(atPath: stateFolder)
        try start(.recover)
    }

    /// Starts from what the disk holds at this moment, as after kill -9: the engine that ran gets
    /// no further word to the store, and what it does to its own folder is not seen.
    func crash() throws {
        connection?.cut()
        let next = nextState()
        try copyState(to: next)
        try takeUp(next)
    }

    /// The engine that runs gets no further word to the store.
    func cut() {
        connection?.cut()
    }

    /// Where the next copy of the state folder goes.
    func nextState() -> String {
        crashes += 1
        return root + "/state-\(crashes)"
    }

    /// Goes on from another copy of the state folder; the engine that ran says nothing more.
    func takeUp(_ folder: String) throws {
        connection?.cut()
        // Threads of the engine that ran may wait for a store that hangs.
        store?.hang(false)
        let old = stateFolder
        stop()
        try FileManager.default.removeItem(atPath: old)
        state = String(folder.split(separator: "/").last ?? "")
        try start(.existing)
    }

    /// Copies the state folder as it is at one moment.
    func copyState(to target: String) throws {
        try TestVolume.copyState(from: stateFolder, to: target)
    }

    /// Times that a folder is copied before it counts as restless.
    private static let copyAttempts = 2000
    /// Two changes this close may show the same time of change: a clock of 250 Hz ticks every 4 ms.
    private static let clockTick: Int64 = 8_000_000

    /// Copies a state folder as it is at one moment: copies until nothing changed meanwhile.
    static func copyState(from source: String, to target: String) throws {
        for _ in 0..<copyAttempts {
            let before = try marks(of: source)
            usleep(UInt32(clockTick / 1000))
            if try marks(of: source) != before { continue }
            try? FileManager.default.removeItem(atPath: target)
            try FileManager.default.createDirectory(
                atPath: target, withIntermediateDirectories: true)
            for name in before.keys.sorted() where !name.hasSuffix("-shm") {
                try FileManager.default.copyItem(
                    atPath: source + "/" + name, toPath: target + "/" + name)
            }
            if try marks(of: source) == before { return }
        }
        throw Restless()
    }

    struct Restless: Error {}

    /// Size and time of last change of each file of the state folder.
    private static func marks(of folder: String) throws -> [String: [Int64]] {
        var marks: [String: [Int64]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: folder) {
            var status = stat()
            // SAFETY: `status` is a local of the right type; the path lives for the call.
            guard unsafe stat(folder + "/" + name, &status) == 0 else { continue }
            marks[name] = [
                Int64(status.st_size), Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec),
            ]
        }
        return marks
    }

    /// Ends the engine; its files can be opened again afterwards.
    func stop() {
        _ = running?.stop(finishing: nil)
        running = nil
    }

    deinit {
        store?.heal()
        stop()
        // What cannot be removed is in the system's temporary folder, and goes with it.
        try? FileManager.default.removeItem(atPath: root)
    }
}

// MARK: Whole files

extension TestVolume {
    func resolve(_ path: String) throws(FileError) -> UInt64 {
        try engine.resolve(Array(path.utf8), context)
    }

    func status(_ path: String) throws(FileError) -> FileStatus {
        try engine.status(of: try resolve(path), context)
    }

    /// The parent's inode, and the last name.
    func split(_ path: String) throws(FileError) -> (UInt64, [UInt8]) {
        let parts = path.split(separator: "/")
        let parent = "/" + parts.dropLast().joined(separator: "/")
        return (try resolve(parent), Array((parts.last ?? "").utf8))
    }

    /// Writes over the start of a file, or from `offset` on; makes it if it is not there.
    func writeFile(
        _ path: String, _ bytes: [UInt8], at offset: UInt64 = 0, truncates: Bool = false,
        _ context: RequestContext? = nil
    ) throws(FileError) {
        let context = context ?? self.context
        let (parent, name) = try split(path)
        let (status, file) = try engine.create(
            name, in: parent, mode: 0o644,
            OpenIntent(reads: true, writes: true, truncates: truncates), isExclusive: false,
            context)
        defer {
            engine.release(file.handle, ino: status.ino)
            engine.forget(status.ino, count: 1)
        }
        var position = 0
        while position < bytes.count {
            let end = min(position + (1 << 20), bytes.count)
            _ = try engine.write(
                file.handle, ino: status.ino, at: offset + UInt64(position),
                bytes.span.extracting(position..<end), context)
            position = end
        }
    }

    func readFile(
        _ path: String, _ context: RequestContext? = nil
    ) throws(FileError) -> [UInt8] {
        try readFile(try resolve(path), context)
    }

    func readFile(
        _ ino: UInt64, _ context: RequestContext? = nil
    ) throws(FileError) -> [UInt8] {
        let context = context ?? self.context
        let file = try engine.open(ino, OpenIntent(reads: true, writes: false), context)
        defer { engine.release(file.handle, ino: ino) }
        let size = try engine.status(of: ino, context).size
        return try readAll(file.handle, ino, size: Int(size), context)
    }

    /// What one read gives of a range of a file.
    func readPart(
        _ ino: UInt64, _ range: Range<Int>, _ context: RequestContext? = nil
    ) throws(FileError) -> [UInt8] {
        let context = context ?? self.context
        let file = try engine.open(ino, OpenIntent(reads: true, writes: false), context)
        defer { engine.release(file.handle, ino: ino) }
        var bytes = [UInt8](repeating: 0xEE, count: range.count)
        var span = bytes.mutableSpan
        let count = try engine.read(
            file.handle, ino: ino, at: UInt64(range.lowerBound), into: &span, context)
        return Array(bytes[..<count])
    }

    func readAll(
        _ handle: UInt64, _ ino: UInt64, size: Int, _ context: RequestContext
    ) throws(FileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xEE, count: size)
        var position = 0
        while position < bytes.count {
            let end = min(position + (1 << 20), bytes.count)
            var span = bytes.mutableSpan
            var part = span._mutatingExtracting(position..<end)
            let count = try engine.read(
                handle, ino: ino, at: UInt64(position), into: &part, context)
            if count == 0 { break }
            position += count
        }
        return Array(bytes[..<position])
    }

    /// A virtual file's text, such as `errors`.
    func report(_ name: String) throws(FileError) -> String {
        String(decoding: try readFile("/.cairn/" + name), as: UTF8.self)
    }

    /// One of the attributes in which the engine tells of a file.
    func attribute(_ name: String, of path: String) throws(FileError) -> String {
        let value = try engine.extendedAttribute(
            Array(name.utf8), of: try resolve(path), context)
        return String(decoding: value, as: UTF8.self)
    }

    /// The names of a directory, without the dots.
    func list(_ path: String) throws(FileError) -> [String] {
        let ino = try resolve(path)
        let handle = try engine.openDirectory(ino, context).handle
        defer { engine.releaseDirectory(handle) }
        var names: [String] = []
        try engine.readDirectory(handle, ino: ino, from: 0, withStatus: false, context) { entry in
            names.append(String(decoding: entry.name, as: UTF8.self))
            return true
        }
        return names.filter { $0 != "." && $0 != ".." }.sorted()
    }

    func unlink(_ path: String) throws(FileError) {
        let (parent, name) = try split(path)
        try engine.unlink(name, in: parent, context)
    }

    func rename(_ path: String, _ target: String) throws(FileError) {
        let (parent, name) = try split(path)
        let (newParent, newName) = try split(target)
        try engine.rename(name, in: parent, to: newName, in: newParent, .replace, context)
    }

    func makeDirectory(_ path: String) throws(FileError) {
        let (parent, name) = try split(path)
        let status = try engine.makeDirectory(name, in: parent, mode: 0o755, context)
        engine.forget(status.ino, count: 1)
    }
}

/// Bytes that look random and are the same for the same seed.
func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
    if count == 0 { return [] }
    let material = littleEndian(seed)
    return Blake3.deriveKey(
        context: "cairn tests 2026 pattern", material: material.span, count: count)
}

private func littleEndian(_ number: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0))) }
}

/// Whether two arrays have the same bytes; fast in debug builds too.
func same(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count, !left.isEmpty else { return left.count == right.count }
    // SAFETY: both buffers have `left.count` bytes for the time of the closures.
    return unsafe left.withUnsafeBytes { one in
        // SAFETY: as above.
        unsafe right.withUnsafeBytes { other in
            guard let one = one.baseAddress, let other = other.baseAddress else { return false }
            return unsafe memcmp(one, other, left.count) == 0
        }
    }
}
