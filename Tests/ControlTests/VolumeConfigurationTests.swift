// SPDX-License-Identifier: Apache-2.0
//
// The text of a configuration: what is written is read back, and garbage names its line.

import Compression
import Control
import TestSupport
import Testing

struct VolumeConfigurationTests {
    private static let id = [UInt8](0..<16)

    private static func text(_ lines: String...) -> [UInt8] {
        Array((lines.joined(separator: "\n") + "\n").utf8)
    }

    private static let needed = [
        "version = 1", "id = 000102030405060708090a0b0c0d0e0f", "store = file:///srv/store",
    ]

    private func problem(_ lines: [String]) -> ConfigurationError? {
        do {
            _ = try VolumeConfiguration(text: Array(lines.joined(separator: "\n").utf8))
            return nil
        } catch {
            return error
        }
    }

    @Test("every configuration reads back from its text", arguments: 0..<100)
    func roundTrip(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        var configuration = VolumeConfiguration(
            volumeID: (0..<16).map { _ in UInt8.random(in: 0...255, using: &dice) },
            store: "file:///srv/a%20store", device: "a machine")
        configuration.compression = Bool.random(using: &dice) ? .fast : .autonomi
        configuration.inlineLimit = .random(in: VolumeConfiguration.inlineLimits, using: &dice)
        configuration.cache = .random(in: VolumeConfiguration.cacheLimits, using: &dice)
        if Bool.random(using: &dice) {
            configuration.quota = .random(in: VolumeConfiguration.quotas, using: &dice)
        }
        configuration.publishDelay = .milliseconds(Int64.random(in: 100...3_600_000, using: &dice))
        configuration.readDeadline = .seconds(Int64.random(in: 1...3600, using: &dice))
        configuration.finishTime = .seconds(Int64.random(in: 0...86_400, using: &dice))
        let again = try VolumeConfiguration(text: Array(configuration.text.utf8))
        #expect(again == configuration, "seed \(seed)")
    }

    @Test("what is not said has its default")
    func defaults() throws {
        let text = Self.needed.joined(separator: "\n")
        let read = try VolumeConfiguration(text: Array(text.utf8))
        #expect(read.volumeID == Self.id)
        #expect(read.store == "file:///srv/store")
        #expect(read.compression == .fast)
        #expect(read.cache == 10 << 30)
        #expect(read.inlineLimit == 16_384)
        #expect(read.quota == nil)
    }

    // SEMANTICS: cache: 64 MiB to 64 TiB
    // SEMANTICS: quota: 1 MiB to 8 EiB
    @Test(
        "sizes at their limits are taken, and none beyond",
        arguments: [
            ("cache = 64M", true), ("cache = 64T", true), ("cache = 65535K", false),
            ("cache = 70368744177665", false), ("quota = 1M", true),
            ("quota = 9223372036854775807", true), ("quota = 1048575", false),
            ("quota = 9223372036854775808", false),
        ])
    func sizeLimits(line: String, isTaken: Bool) {
        #expect((problem(Self.needed + [line]) == nil) == isTaken, "\(line)")
    }

    @Test("comments, empty lines and white space mean nothing")
    func layout() throws {
        let lines = [
            "", "# a comment", "  version=1 ", "id\t=\t" + String(repeating: "a", count: 32),
            "store = /srv/a store  \r",
        ]
        let read = try VolumeConfiguration(text: Array(lines.joined(separator: "\n").utf8))
        #expect(read.store == "/srv/a store")
    }

    @Test(
        "garbage names the line it is on",
        arguments: [
            "no equals sign", "unknown = 1", "= 1", "store =", "cache = lots", "cache = 1M",
            "quota = none", "quota = 1023K",
            "inline-limit = 1M", "compression = zip", "read-deadline = never", "publish-delay = 0s",
            "version = 1", "\u{1}\u{2}\u{3}",
        ])
    func garbage(line: String) {
        let found = problem(Self.needed + [line])
        #expect(found?.line == 4, "\(String(describing: found))")
    }

    @Test("another version is refused, and must come first")
    func versions() {
        #expect(problem(["version = 2"])?.line == 1)
        #expect(problem(["store = /srv/a", "version = 1"])?.line == 1)
    }

    @Test("what is needed and missing is named", arguments: 0..<3)
    func missing(index: Int) {
        var lines = Self.needed
        lines.remove(at: index)
        let found = problem(lines)
        #expect(found != nil)
        // Without `version`, the first line is out of place; without another, none is.
        #expect(found?.line == (index == 0 ? 1 : 0))
    }

    @Test(
        "what is no text at all is an error without a line",
        arguments: [
            [0xFF, 0xFE, 0x00], [0x76, 0x00], [],
        ] as [[UInt8]])
    func binary(bytes: [UInt8]) {
        #expect(throws: ConfigurationError.self) { try VolumeConfiguration(text: bytes) }
    }

    @Test("random changes of a configuration are read or refused, never worse", arguments: 0..<300)
    func fuzz(seed: UInt64) throws {
        var dice = SeededGenerator(seed: seed)
        var bytes = Array(
            VolumeConfiguration(volumeID: Self.id, store: "/srv/a", device: "d").text.utf8)
        for _ in 0..<Int.random(in: 1...8, using: &dice) {
            let index = Int.random(in: 0..<bytes.count, using: &dice)
            switch Int.random(in: 0..<3, using: &dice) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &dice)
            case 1: bytes.remove(at: index)
            default: bytes.insert(UInt8.random(in: 0...255, using: &dice), at: index)
            }
        }
        let read: VolumeConfiguration
        do {
            read = try VolumeConfiguration(text: bytes)
        } catch {
            #expect(!error.problem.isEmpty, "seed \(seed)")
            return
        }
        // What was accepted is within every limit, and reads back.
        #expect(VolumeConfiguration.cacheLimits.contains(read.cache), "seed \(seed)")
        let again = try VolumeConfiguration(text: Array(read.text.utf8))
        #expect(again == read, "seed \(seed)")
    }

    @Test("a file with garbage gives exit code 7 and its line")
    func file() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        try Files.replace(
            volume.configuration, with: Array("version = 1\nrubbish".utf8), mode: 0o600)
        let failure = #expect(throws: CommandFailure.self) {
            try VolumeConfiguration.read(from: volume)
        }
        #expect(failure?.code == .invalidConfiguration)
        #expect(failure?.sentence.contains("line 2") == true)
    }

    @Test("a file of more bytes than a configuration has is refused")
    func oversized() throws {
        let folder = try TemporaryFolder()
        let volume = try folder.volume()
        let bytes = [UInt8](repeating: 0x23, count: VolumeConfiguration.maximumSize + 1)
        try Files.replace(volume.configuration, with: bytes, mode: 0o600)
        let failure = #expect(throws: CommandFailure.self) {
            try VolumeConfiguration.read(from: volume)
        }
        #expect(failure?.code == .invalidConfiguration)
    }
}
