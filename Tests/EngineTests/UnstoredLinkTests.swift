// SPDX-License-Identifier: Apache-2.0
//
// Links to a file of which the store has nothing: they lead to nothing in no revision, and are in
// the first that has the file.

import Foundation
import Namespace
import Stores
import TestSupport
import Testing

@testable import Engine

@Suite("links to what is not stored", .serialized)
struct UnstoredLinkTests {
    private static let bytes = pattern(100_000, seed: 5)

    /// A volume that publishes when it is told to, and stores nothing before.
    private func volume() throws -> TestVolume {
        try TestVolume(on: TestStore()) {
            $0.flushDelay = .seconds(600)
            $0.publishDelay = .seconds(600)
            $0.publishCeiling = .seconds(600)
            $0.accessTimes = .strict
        }
    }

    /// Publishes what is stored.
    private func pass(_ volume: TestVolume) {
        #expect(volume.engine.publisher.publishNow(until: nil) == nil)
    }

    /// The names of a revision that are links, and those of the hard-link table.
    private func links(_ volume: TestVolume) throws -> (names: Set<String>, inodes: Set<UInt64>) {
        let entries = try volume.published().entries
        let links = entries.filter { $0.value.body == .link }
        let table = entries.filter { $0.key.hasPrefix("links/") }
        return (Set(links.keys), Set(table.values.map { $0.ino }))
    }

    @Test("no revision has a link to nothing, and the first with the file has all its names")
    func unstored() throws {
        let volume = try volume()
        try volume.makeDirectory("/files/d")
        try volume.writeFile("/files/n", Self.bytes)
        let (parent, name) = try volume.split("/files/d/m")
        let status = try volume.engine.link(
            try volume.resolve("/files/n"), as: name, in: parent, volume.context)
        volume.engine.forget(status.ino, count: 1)
        pass(volume)
        #expect(try links(volume).names == [])
        // Another change, in another directory, and a start.
        try volume.writeFile("/files/small", [1])
        pass(volume)
        try volume.restart()
        try volume.makeDirectory("/files/other")
        pass(volume)
        #expect(try links(volume) == ([], []))

        #expect(volume.engine.flusher.flushAll(until: .now + .seconds(30).scaled) == nil)
        pass(volume)
        let found = try links(volume)
        #expect(found.names == ["/files/n", "/files/d/m"])
        #expect(found.inodes == [status.ino])
        try volume.recover()
        for path in found.names { #expect(try same(volume.readFile(path), Self.bytes)) }
        #expect(try volume.report("errors").isEmpty)
    }

    @Test("nor has one a link to a copy of a file whose newest bytes are not stored")
    func copied() throws {
        let volume = try volume()
        try volume.writeFile("/files/n", Self.bytes)
        #expect(volume.engine.flusher.flushAll(until: .now + .seconds(30).scaled) == nil)
        try volume.writeFile("/files/n", [1, 2, 3], at: 50_000)
        try volume.copyWhole("/files/n", "/files/copy", count: Self.bytes.count)
        let (parent, name) = try volume.split("/files/m")
        let status = try volume.engine.link(
            try volume.resolve("/files/copy"), as: name, in: parent, volume.context)
        volume.engine.forget(status.ino, count: 1)
        pass(volume)
        #expect(try links(volume) == ([], []))
        #expect(volume.engine.flusher.flushAll(until: .now + .seconds(30).scaled) == nil)
        pass(volume)
        #expect(try links(volume).names == ["/files/copy", "/files/m"])
    }

    @Test("names that a revision leaves out make no revision by themselves")
    func quiet() throws {
        let volume = try volume()
        try volume.writeFile("/files/small", [1])
        try volume.writeFile("/files/n", Self.bytes)
        let (parent, name) = try volume.split("/files/m")
        let status = try volume.engine.link(
            try volume.resolve("/files/n"), as: name, in: parent, volume.context)
        volume.engine.forget(status.ino, count: 1)
        pass(volume)
        let revision = volume.engine.engineStatus().revision
        // An access time is committed, and not published.
        _ = try volume.readFile("/files/small")
        #expect(volume.engine.publisher.hasChanges)
        pass(volume)
        #expect(volume.engine.engineStatus().revision == revision)
    }
}
