// SPDX-License-Identifier: Apache-2.0
//
// Tasks with public data: their messages, their sources, settings of stores that cost, estimates.

import Control
import Foundation
import Primitives
import RemoteStores
import TestSupport
import Testing

@Suite("Public data")
struct PublicDataTests {
    @Test(
        "a task comes back from its bytes",
        arguments: [
            .open(source: Array("6f".utf8), path: Array("/files/a".utf8)),
            .open(source: [UInt8](repeating: 0x61, count: 300_000), path: []),
            .share(path: Array("/files".utf8)), .dataMap(path: Array("/files/é".utf8)),
        ] as [PublicDataRequest])
    func requests(request: PublicDataRequest) throws {
        let bytes = ControlRequest.publicData(request).encoded()
        #expect(bytes.count <= ControlLimits.requestSize)
        #expect(try ControlRequest(decoding: bytes) == .publicData(request))
        #expect(throws: CodingError.self) { try ControlRequest(decoding: bytes + [0]) }
        #expect(throws: CodingError.self) { try ControlRequest(decoding: Array(bytes.dropLast())) }
    }

    @Test("a source or a path above its limit is refused before memory is taken")
    func limits() {
        let long = PublicDataRequest.open(
            source: [UInt8](repeating: 0, count: PublicDataRequest.sourceSize + 1), path: [])
        let deep = PublicDataRequest.share(
            path: [UInt8](repeating: 0, count: ControlLimits.textSize + 1))
        for request in [long, deep] {
            #expect(throws: CodingError.self) {
                try ControlRequest(decoding: ControlRequest.publicData(request).encoded())
            }
        }
    }

    @Test("a report comes back from its bytes", arguments: 1...20)
    func reports(seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed))
        var report = PublicDataReport()
        report.text = Hex.encode(dice.bytes(seed * 50))
        report.size = UInt64(seed) << 40
        report.fileCount = seed
        report.skippedCount = 3 * seed
        let bytes = ControlReply.publicData(report).encoded()
        #expect(try ControlReply(decoding: bytes) == .publicData(report))
    }

    @Test("settings of stores that cost come back from their text, and nonsense is named")
    func settings() throws {
        var configuration = VolumeConfiguration(
            volumeID: [UInt8](repeating: 7, count: 16), store: "autonomi://127.0.0.1:8082",
            device: "here")
        configuration.pads = "file:///srv/pads"
        configuration.spendingLimit = TokenAmount("2500000000000000000")
        configuration.publishInterval = .seconds(3600)
        let text = configuration.text
        #expect(try VolumeConfiguration(text: Array(text.utf8)) == configuration)
        for (good, bad) in [
            ("spending-limit = 2500000000000000000", "spending-limit = 2.5"),
            ("spending-limit = 2500000000000000000", "spending-limit = -1"),
            ("publish-interval = 1h", "publish-interval = 0s"),
            ("publish-interval = 1h", "publish-interval = 25h"),
        ] {
            #expect(text.contains(good))
            let wrong = text.replacingOccurrences(of: good, with: bad)
            #expect(throws: ConfigurationError.self, "\(bad)") {
                try VolumeConfiguration(text: Array(wrong.utf8))
            }
        }
    }

    @Test("an estimate counts distinct chunks and small files, and asks no price of a folder")
    func estimate() throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        var dice = SeededGenerator(seed: 9)
        let large = Data(dice.bytes(100_000))
        let top = URL(fileURLWithPath: folder.path)
        try FileManager.default.createDirectory(
            at: top.appendingPathComponent("in"), withIntermediateDirectories: true)
        try large.write(to: top.appendingPathComponent("a"))
        try large.write(to: top.appendingPathComponent("in/same"))
        try Data("small".utf8).write(to: top.appendingPathComponent("in/b"))
        var estimate = try CostEstimate(
            VolumeConfiguration(
                volumeID: [UInt8](repeating: 7, count: 16), store: "file:///nowhere",
                device: "here"))
        let report = try estimate.estimate(folder.path)
        #expect(report.fileCount == 2 && report.inlineCount == 1 && report.chunkCount == 3)
        #expect(report.storedBytes > 100_000 && report.price == nil)
        #expect(report.lines.contains("price   nothing"))
        #expect(throws: CommandFailure.self) { try estimate.estimate(folder.path + "/none") }
    }
}
