// SPDX-License-Identifier: Apache-2.0
//
// A volume in a temporary folder, as the tests of the engine use it.

import Cryptography
import Engine
import Foundation
import Namespace
import RemoteStores
import Testing

/// An engine on a folder store, both in a temporary folder that goes with the object.
final class TestVolume {
    let root: String
    let seed: SecretBytes
    private var running: Engine?
    /// The engine that runs now.
    var engine: Engine {
        guard let running else { preconditionFailure("the volume is stopped") }
        return running
    }
    let context = RequestContext(
        user: 1000, group: 1000, umask: 0o022, patience: Patience(until: .now + .seconds(600)))

    init(
        _ adjust: (inout EngineConfiguration) -> Void = { _ in }
    ) throws {
        root = NSTemporaryDirectory() + "cairn-engine-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: root + "/state", withIntermediateDirectories: true)
        seed = SecretBytes(randomCount: 32)
        running = try TestVolume.start(root, seed, state: "state", .create, adjust)
    }

    static func start(
        _ root: String, _ seed: SecretBytes, state: String, _ mode: StartMode,
        _ adjust: (inout EngineConfiguration) -> Void = { _ in }
    ) throws -> Engine {
        let store = try FolderStore(path: root + "/store", createIfMissing: true)
        try FileManager.default.createDirectory(
            atPath: root + "/" + state, withIntermediateDirectories: true)
        var configuration = EngineConfiguration(
            stateFolder: root + "/" + state, chunks: store, pads: store,
            keys: VolumeKeys(seed: seed))
        configuration.cacheBudget = 256 << 20
        configuration.padDelay = .milliseconds(20)
        adjust(&configuration)
        return try Engine.start(configuration, mode: mode)
    }

    /// Stops, and starts again from the state folder.
    func restart() throws {
        stop()
        running = try TestVolume.start(root, seed, state: "state", .existing)
    }

    /// Publishes, stops, and starts from the seed and the store alone.
    func recover() throws {
        let outcome = engine.synchronizeRemotely(timeout: .seconds(60))
        guard case .published = outcome else { throw Unpublished(outcome: outcome) }
        stop()
        try FileManager.default.removeItem(atPath: root + "/state")
        running = try TestVolume.start(root, seed, state: "state", .recover)
    }

    struct Unpublished: Error {
        let outcome: RemoteSyncOutcome
    }

    func writeFile(_ path: String, _ bytes: [UInt8], at offset: UInt64 = 0) throws {
        let (parent, name) = try split(path)
        let (status, file) = try engine.create(
            name, in: parent, mode: 0o644, OpenIntent(reads: true, writes: true),
            isExclusive: false, context)
        defer { engine.release(file.handle, ino: status.ino) }
        var position = 0
        while position < bytes.count {
            let end = min(position + (1 << 20), bytes.count)
            _ = try engine.write(
                file.handle, ino: status.ino, at: offset + UInt64(position),
                bytes.span.extracting(position..<end), context)
            position = end
        }
        engine.forget(status.ino, count: 1)
    }

    func readFile(_ path: String) throws -> [UInt8] {
        let ino = try engine.resolve(Array(path.utf8), context)
        let size = try engine.status(of: ino, context).size
        let file = try engine.open(ino, OpenIntent(reads: true, writes: false), context)
        defer { engine.release(file.handle, ino: ino) }
        var bytes = [UInt8](repeating: 0xEE, count: Int(size))
        var position = 0
        while position < bytes.count {
            let end = min(position + (1 << 20), bytes.count)
            var span = bytes.mutableSpan
            var part = span._mutatingExtracting(position..<end)
            let count = try engine.read(
                file.handle, ino: ino, at: UInt64(position), into: &part, context)
            if count == 0 { break }
            position += count
        }
        return Array(bytes[..<position])
    }

    func split(_ path: String) throws -> (UInt64, [UInt8]) {
        let parts = path.split(separator: "/")
        let parent = "/" + parts.dropLast().joined(separator: "/")
        return (try engine.resolve(Array(parent.utf8), context), Array((parts.last ?? "").utf8))
    }

    /// Ends the engine; its files can be opened again afterwards.
    func stop() {
        _ = running?.stop(finishing: nil)
        running = nil
    }

    deinit {
        stop()
        try? FileManager.default.removeItem(atPath: root)
    }
}

/// Bytes that look random and are the same for the same seed.
func pattern(_ count: Int, seed: UInt64) -> [UInt8] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    var bytes = [UInt8](repeating: 0, count: count)
    for index in 0..<count {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        bytes[index] = UInt8(truncatingIfNeeded: state)
    }
    return bytes
}
