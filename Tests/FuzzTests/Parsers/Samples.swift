// SPDX-License-Identifier: Apache-2.0
//
// Small values of every kind, from which mutations start. Nothing here depends on a clock or dice.

import Blocks
import Compression
import Cryptography
import Metadata
import Namespace
import Primitives
import Scratchpads
import SelfEncryption

@testable import Control
@testable import Engine

/// Values whose encodings are the seeds of the corpus.
enum Samples {
    static let seed = SecretBytes([UInt8](repeating: 7, count: 32))
    static let capability = WriteCapability(seed: seed)
    /// One moment for all, so that equal entries are equal.
    static let now = ContinuousClock.now
    private static let name = Array("name".utf8)

    private static func digest(_ byte: UInt8, _ version: FormatVersion = .v2) -> Digest {
        let bytes = [byte]
        return Digests.of(bytes.span, algorithm: version.digestAlgorithm)
    }

    private static func reference(_ byte: UInt8) -> PageReference {
        PageReference(address: digest(byte), key: [UInt8](repeating: byte, count: 32))
    }

    private static let attributes = FileAttributes(
        mode: 0o640, uid: 1000, gid: 100, accessed: Timestamp(seconds: -1, nanoseconds: 5),
        modified: Timestamp(seconds: 1_700_000_000, nanoseconds: 0), changed: .zero,
        created: .zero)

    // MARK: What stores hold

    static func maps(_ version: FormatVersion) -> [DataMap] {
        let chunks = (0..<4).map { index in
            ChunkDescriptor(
                index: UInt64(index), address: digest(UInt8(index), version),
                source: digest(UInt8(index + 9), version), size: 1000 + UInt64(index))
        }
        return [
            DataMap(version: version, chunks: Array(chunks.prefix(3))),
            DataMap(version: version, chunks: Array(chunks.prefix(3)), child: 1),
            DataMap(version: version, chunks: chunks),
        ]
    }

    static func segmentLists() -> [[Segment]] {
        let segments = maps(.v2).prefix(2).enumerated().map { index, map in
            Segment(offset: UInt64(index) << 30, size: map.fileSize ?? 5000, map: map)
        }
        return [[], [segments[0]], segments]
    }

    private static func entry(_ name: String, _ body: Body) -> Entry {
        Entry(
            name: Array(name.utf8), ino: 70, attributes: attributes, linkCount: 1, body: body,
            xattrs: [ExtendedAttribute(name: Array("user.a".utf8), value: [1, 2])])
    }

    private static func directory(_ name: String) -> Entry {
        var entry = entry(name, .directory(pages: reference(3), entryCount: 2, linkCount: 2))
        entry.xattrs = []
        return entry
    }

    static func pages() throws -> [Page] {
        let record = RevisionRecord(
            revision: 9, published: attributes.modified, device: "desk",
            files: directory("files"), scratchpads: directory("scratchpads"),
            hardLinks: reference(4))
        let pad = PadReference(
            identity: [UInt8](repeating: 5, count: 32), address: capability.address, encoding: 3,
            counter: 4, size: 5)
        return [
            .leaf([
                entry("a", .regular(size: 3, .inline([1, 2, 3]))),
                entry("b", .regular(size: 1 << 40, .segments(segmentLists()[2]))),
                entry("c", .regular(size: 1 << 40, .indirect(reference(1), count: 3))),
                entry("d", .symlink(Array("target".utf8))),
                entry("e", .special(.blockDevice, device: 0x0801)),
                entry("f", .pad(pad)), Entry.link(name: Array("g".utf8), ino: 71),
                directory("h"),
            ]),
            .index([
                PageLink(first: Array("a".utf8), reference: reference(1), entryCount: 3),
                PageLink(first: Array("m".utf8), reference: reference(2), entryCount: 4),
            ]),
            .segments(segmentLists()[2]),
            .revisions(
                [record],
                older: [RevisionSpan(newest: reference(6), firstRevision: 1, pageCount: 2)]),
        ]
    }

    static func root() throws -> Root {
        Root(
            volumeID: [UInt8](repeating: 1, count: 16), revision: 9, files: directory("files"),
            scratchpads: directory("scratchpads"), hardLinks: reference(4),
            totals: Totals(fileCount: 1, directoryCount: 2, byteCount: 3), nextInode: 1001,
            device: "desk", published: attributes.modified, revisionLog: reference(5),
            compression: 1, maximumChunkSize: 4_190_208)
    }

    static func pad() throws -> PadRecord {
        try capability.seal(Array("a note".utf8).span, encoding: 1, counter: 2)
    }

    static func compressed() -> [[UInt8]] {
        let texts = [[], Array("cairn cairn cairn cairn".utf8), [UInt8](repeating: 0, count: 9000)]
        return texts.map { Brotli.compress($0.span, quality: .fast) }
    }

    // MARK: What this machine holds

    static func blockGroups() -> [BlockGroup] {
        let reference = BlockReference(
            slot: 77, length: 16_384, nonce: InlineArray(repeating: 3),
            tag: InlineArray(repeating: 4))
        var mixed = BlockGroup()
        mixed[0] = .dirty(reference)
        mixed[1] = .clean(reference)
        mixed[2] = .zero
        let patch = BlockPatch(
            BlockReference(
                slot: 78, length: 8192, nonce: InlineArray(repeating: 5),
                tag: InlineArray(repeating: 6)),
            at: 2, pieces: 0b1001)
        mixed[3] = .dirty(reference.patched(by: patch))
        mixed[25] = .clean(reference.patched(by: patch))
        return [BlockGroup(), mixed]
    }

    static func parked() throws -> ParkedPads {
        var parked = ParkedPads()
        let pad = PadRow(
            ino: 0, identity: [UInt8](repeating: 2, count: 32), address: capability.address,
            encoding: 1, counter: 5, publishedDigest: [UInt8](repeating: 6, count: 32),
            pendingRecord: [1], isLocalOnly: false)
        parked.park(pad, parent: 3, name: name, mover: 0, now: now)
        parked.park(pad, parent: 70, name: [255], mover: 80, now: now)
        return parked
    }

    static func settings() -> [VolumeConfiguration] {
        [
            VolumeConfiguration(
                volumeID: [UInt8](repeating: 9, count: 16), store: "file:///srv/store",
                device: "desk")
        ]
    }

    static func requests() -> [ControlRequest] {
        [
            .status, .sync(timeout: nil), .sync(timeout: .seconds(5)), .describe(path: name),
            .unmount(timeout: .milliseconds(1)), .unmountNow,
        ]
    }

    static func replies() throws -> [ControlReply] {
        let status = DaemonStatus(
            process: 1234, phase: .serving, mountPoint: "/mnt", subdirectory: "files",
            device: 47, isReadOnly: false, startedAt: 1_700_000_000, peakMemory: 1 << 20,
            usesRing: true, engine: EngineStatus())
        let file = FileStatus(
            ino: 70, kind: .regular, attributes: attributes, size: 5, linkCount: 1, device: 0,
            allocated: 16_384)
        var report = FileReport(status: file, form: "data map", state: .stored)
        report.maps = [FileReport.Map(offset: 0, size: 5, encoded: [1, 2, 3])]
        report.chunkAddresses = [digest(1).hex]
        report.pad = FileReport.Pad(address: capability.address.hex, counter: 3, encoding: 4)
        return [
            .progress(status), .done(status), .description(report),
            .failed(CommandFailure(.failure, "a sentence", advice: "an advice")),
        ]
    }

    static func storeURLs() -> [String] {
        ["/srv/store", "file:///srv/my%20store", "file://localhost/a/", "s3://bucket/x?y=z"]
    }

    static func phrase() -> String { RecoveryPhrase(entropy: seed).words }
}
