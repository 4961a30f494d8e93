// SPDX-License-Identifier: Apache-2.0
//
// The bytes of control messages. Both ends are this program, but a socket's other end is never
// trusted: every count is compared with its limit before memory is taken.

import Engine
package import Primitives

extension ControlRequest {
    private enum Tag {
        static let status: UInt8 = 1
        static let sync: UInt8 = 2
        static let describe: UInt8 = 3
        static let unmount: UInt8 = 4
        static let unmountNow: UInt8 = 5
        static let publicData: UInt8 = 6
        static let padTransfer: UInt8 = 7
    }

    /// Room for what is no pad: lengths, tags, numbers.
    private static let frameSize = 64

    /// Memory for all of it at once where a key is among it: growing would leave copies behind.
    private var capacity: Int {
        guard case .padTransfer(.importing(let record, let key, let path)) = self else { return 0 }
        return record.count + key.count + path.count + Self.frameSize
    }

    /// The request's bytes, without their length.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: capacity)
        writer.u8(ControlLimits.version)
        switch self {
        case .status:
            writer.u8(Tag.status)
        case .sync(let timeout):
            writer.u8(Tag.sync)
            writer.duration(timeout)
        case .describe(let path):
            writer.u8(Tag.describe)
            writer.lengthPrefixed(path)
        case .unmount(let timeout):
            writer.u8(Tag.unmount)
            writer.duration(timeout)
        case .unmountNow:
            writer.u8(Tag.unmountNow)
        case .publicData(let request):
            writer.u8(Tag.publicData)
            request.write(to: &writer)
        case .padTransfer(let request):
            writer.u8(Tag.padTransfer)
            request.write(to: &writer)
        }
        return writer.bytes
    }

    /// Reads a request's bytes.
    package init(decoding bytes: [UInt8]) throws(CodingError) {
        var reader = ByteReader(bytes)
        try reader.expectVersion()
        switch try reader.u8() {
        case Tag.status: self = .status
        case Tag.sync: self = .sync(timeout: try reader.duration())
        case Tag.describe:
            self = .describe(path: try reader.lengthPrefixed(limit: ControlLimits.textSize))
        case Tag.unmount: self = .unmount(timeout: try reader.duration())
        case Tag.unmountNow: self = .unmountNow
        case Tag.publicData: self = .publicData(try PublicDataRequest(from: &reader))
        case Tag.padTransfer: self = .padTransfer(try PadTransferRequest(from: &reader))
        default: throw .malformed("a request of an unknown kind")
        }
        try reader.expectEnd()
    }
}

extension ControlReply {
    private enum Tag {
        static let progress: UInt8 = 1
        static let done: UInt8 = 2
        static let description: UInt8 = 3
        static let failed: UInt8 = 4
        static let publicData: UInt8 = 5
        static let padTransfer: UInt8 = 6
    }

    /// The reply's bytes, without their length.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.u8(ControlLimits.version)
        switch self {
        case .progress(let status):
            writer.u8(Tag.progress)
            status.write(to: &writer)
        case .done(let status):
            writer.u8(Tag.done)
            status.write(to: &writer)
        case .description(let description):
            writer.u8(Tag.description)
            description.write(to: &writer)
        case .publicData(let report):
            writer.u8(Tag.publicData)
            report.write(to: &writer)
        case .padTransfer(let report):
            writer.u8(Tag.padTransfer)
            report.write(to: &writer)
        case .failed(let failure):
            writer.u8(Tag.failed)
            failure.write(to: &writer)
        }
        return writer.bytes
    }

    /// Reads a reply's bytes.
    package init(decoding bytes: [UInt8]) throws(CodingError) {
        var reader = ByteReader(bytes)
        try reader.expectVersion()
        switch try reader.u8() {
        case Tag.progress: self = .progress(try DaemonStatus(from: &reader))
        case Tag.done: self = .done(try DaemonStatus(from: &reader))
        case Tag.description: self = .description(try FileReport(from: &reader))
        case Tag.publicData: self = .publicData(try PublicDataReport(from: &reader))
        case Tag.padTransfer: self = .padTransfer(try PadTransferReport(from: &reader))
        case Tag.failed: self = .failed(try CommandFailure(from: &reader))
        default: throw .malformed("a reply of an unknown kind")
        }
        try reader.expectEnd()
    }
}

extension CommandFailure {
    func write(to writer: inout ByteWriter) {
        writer.varint(UInt64(code.rawValue))
        writer.text(sentence)
        writer.text(advice)
    }

    init(from reader: inout ByteReader) throws(CodingError) {
        let number = try reader.varint()
        guard let code = Int32(exactly: number).flatMap(ExitCode.init(rawValue:)), code != .success
        else { throw .malformed("an exit code that does not exist") }
        self.init(code, try reader.text(), advice: try reader.text())
    }
}

extension DaemonStatus {
    fileprivate func write(to writer: inout ByteWriter) {
        writer.varint(UInt64(UInt32(bitPattern: process)))
        writer.u8(phase.rawValue)
        writer.text(mountPoint)
        writer.text(subdirectory)
        writer.varint(device)
        writer.u8(isReadOnly ? 1 : 0)
        writer.i64le(startedAt)
        writer.varint(peakMemory)
        writer.u8(usesRing ? 1 : 0)
        engine.write(to: &writer)
    }

    fileprivate init(from reader: inout ByteReader) throws(CodingError) {
        let process = try reader.varint()
        guard let number = Int32(exactly: process) else { throw .malformed("a process id") }
        guard let phase = Phase(rawValue: try reader.u8()) else { throw .malformed("a phase") }
        self.init(
            process: number, phase: phase, mountPoint: try reader.text(),
            subdirectory: try reader.text(), device: try reader.varint(),
            isReadOnly: try reader.flag(), startedAt: try reader.i64le(),
            peakMemory: try reader.varint(), usesRing: try reader.flag(),
            engine: try EngineStatus(from: &reader))
    }
}

extension EngineStatus {
    fileprivate func write(to writer: inout ByteWriter) {
        writer.varint(revision)
        writer.u8(hasUnpublishedChanges ? 1 : 0)
        for count in [
            dirtyBytes, UInt64(dirtyFiles), UInt64(pendingPads), UInt64(pendingForeign),
            UInt64(pendingChunks), cacheUsed, cacheBudget, fileCount, byteCount, quota,
            chunksStored, bytesStored, chunksFetched,
            bytesFetched, storeCalls, storeFailures, storeSentBytes, storeReceivedBytes,
            requests, UInt64(openHandles), UInt64(conflicts), UInt64(errors),
        ] {
            writer.varint(count)
        }
        writer.i64le(storeAnsweredAt)
        writer.i64le(offlineSince)
        writer.varint(bytesFlushed)
        writer.text(storeFailure)
        writer.text(halted)
        writer.metrics(storeMetrics)
    }

    fileprivate init(from reader: inout ByteReader) throws(CodingError) {
        self.init()
        revision = try reader.varint()
        hasUnpublishedChanges = try reader.flag()
        dirtyBytes = try reader.varint()
        dirtyFiles = try reader.number()
        pendingPads = try reader.number()
        pendingForeign = try reader.number()
        pendingChunks = try reader.number()
        cacheUsed = try reader.varint()
        cacheBudget = try reader.varint()
        fileCount = try reader.varint()
        byteCount = try reader.varint()
        quota = try reader.varint()
        chunksStored = try reader.varint()
        bytesStored = try reader.varint()
        chunksFetched = try reader.varint()
        bytesFetched = try reader.varint()
        storeCalls = try reader.varint()
        storeFailures = try reader.varint()
        storeSentBytes = try reader.varint()
        storeReceivedBytes = try reader.varint()
        requests = try reader.varint()
        openHandles = try reader.number()
        conflicts = try reader.number()
        errors = try reader.number()
        storeAnsweredAt = try reader.i64le()
        offlineSince = try reader.i64le()
        bytesFlushed = try reader.varint()
        storeFailure = try reader.text()
        halted = try reader.text()
        storeMetrics = try reader.metrics()
    }
}
