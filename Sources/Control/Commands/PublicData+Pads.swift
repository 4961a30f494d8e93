// SPDX-License-Identifier: Apache-2.0
//
// `cairn pad import` and `export`: what is read before anything is started.

import Cryptography
import Glibc
import JSON
import Primitives
package import Scratchpads

extension PublicData {
    /// Puts a scratchpad of the older Autonomi network among a volume's pads.
    ///
    /// - Parameters:
    ///   - source: the path of a file with it, in one of the forms of `PadFile`.
    ///   - target: where to: a path under a mount, or `VOLUME:PATH`.
    ///   - keyFile: a file with the pad's secret key; nil to have it for reading alone.
    package func importPad(
        _ source: String, at target: String, keyFile: String?
    ) throws(CommandFailure) -> PadTransferReport {
        let bytes: [UInt8]
        do {
            bytes = try Descriptor.open(source, O_RDONLY).readAll(limit: PadFile.maximumSize)
        } catch {
            throw CommandFailure(.unusablePath, "“\(source)” cannot be read", error)
        }
        let record = try PadFile.decode(bytes)
        var key: [UInt8] = []
        defer { Wiping.wipe(&key) }
        if let keyFile {
            let secret = try SecretInput.key(from: keyFile, count: AutonomiPad.keySize)
            guard let pad = AutonomiPad(key: secret, isEncrypted: true) else {
                throw CommandFailure(.usage, "“\(keyFile)” holds a number that is no secret key")
            }
            guard pad.address == record.address else {
                throw CommandFailure(.usage, "the key in “\(keyFile)” is another scratchpad's")
            }
            key = secret.withBytes { $0.asArray }
        }
        let (folder, path) = try place(of: target)
        return try transfer(
            .importing(record: record.encoded(), key: key, path: Array(path.utf8)), folder)
    }

    /// The scratchpad of the older Autonomi network at a path, in that network's own form.
    package func exportPad(_ target: String) throws(CommandFailure) -> [UInt8] {
        let (folder, path) = try place(of: target)
        let report = try transfer(.exporting(path: Array(path.utf8)), folder)
        do throws(ScratchpadError) {
            return AutonomiPadFile.encode(try PadRecord(decoding: report.record))
        } catch {
            throw CommandFailure(.failure, "the daemon's answer is no scratchpad")
        }
    }

    private func transfer(
        _ request: PadTransferRequest, _ folder: VolumeFolder
    ) throws(CommandFailure) -> PadTransferReport {
        try perform(.padTransfer(request), folder) { (reply) -> PadTransferReport? in
            guard case .padTransfer(let report) = reply else { return nil }
            return report
        } directly: { (engine) throws(CommandFailure) in
            try PadTransferTask(engine: engine).perform(request)
        }
    }
}

/// A scratchpad in a file: the network's MessagePack, or the JSON that the gateway AntTP answers.
///
/// - Source: docs/format.md §4, “Autonomi's own form”.
package enum PadFile {
    /// The most bytes that are looked at: of the largest pad, as base64 in JSON.
    package static let maximumSize = 6 << 20

    /// The record in a file; it is not verified yet.
    package static func decode(_ bytes: [UInt8]) throws(CommandFailure) -> PadRecord {
        do throws(ScratchpadError) {
            if bytes.first == UInt8(ascii: "{") { return try record(inJSON: bytes) }
            return try AutonomiPadFile.decode(bytes)
        } catch .tooLarge(let limit) {
            throw CommandFailure(
                .usage, "this scratchpad is larger than one can be: \(limit) bytes")
        } catch {
            throw CommandFailure(
                .usage, "this is no scratchpad of the older Autonomi network",
                advice: "give the network's MessagePack, or the JSON of an AntTP gateway")
        }
    }

    private static func record(inJSON bytes: [UInt8]) throws(ScratchpadError) -> PadRecord {
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONValue(parsing: bytes, limits: JSONLimits(size: maximumSize))
        } catch {
            throw .malformed
        }
        guard let hex = value["address"]?.string,
            let address = PadAddress(scheme: .autonomi, hex: hex),
            let encoding = value["data_encoding"]?.number.flatMap({ UInt64($0.text) }),
            let counter = value["counter"]?.number.flatMap({ UInt64($0.text) }),
            let content = value["content"]?.string.flatMap(Base64.decode),
            let signature = value["signature"]?.string.flatMap(Base64.decode)
        else { throw .malformed }
        return try PadRecord(
            address: address, encoding: encoding, counter: counter, ciphertext: content,
            signature: signature)
    }
}
