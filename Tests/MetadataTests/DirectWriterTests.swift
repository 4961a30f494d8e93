// SPDX-License-Identifier: Apache-2.0
//
// Writes past the system's cache: there when they are over, one at a time, and never lost for a
// disk that does not take them.

import Foundation
import Glibc
import TestSupport
import Testing

@testable import Metadata

@Suite("Writes past the cache")
struct DirectWriterTests {
    /// A machine with much to do is no slow disk.
    private static let patience = Duration.seconds(600)

    private let folder: TestFolder
    private let path: String

    init() throws {
        folder = try TestFolder()
        path = folder.path + "/file"
        try Data(count: 1 << 20).write(to: URL(fileURLWithPath: path))
        // Else the first write to each place has it brought to the disk.
        let file = try #require(FileHandle(forUpdatingAtPath: path))
        try file.synchronize()
    }

    private func writer() throws -> DirectWriter {
        if let writer = DirectWriter(path: path, longestBegin: Self.patience) { return writer }
        try Test.cancel("this filesystem does not write in place from memory")
    }

    private func pages(_ count: Int, _ byte: UInt8) -> [UInt8] {
        [UInt8](repeating: byte, count: count * DirectWriter.pageSize)
    }

    @Test("what was written is in the file when it is over, and nothing else")
    func writes() throws {
        let writer = try writer()
        var expected = [UInt8](repeating: 0, count: 1 << 20)
        var dice = SeededGenerator(seed: 1)
        #expect(writer.end(), "there is none to wait for")
        for number in 1...60 as ClosedRange<UInt8> {
            let bytes = pages(1 + dice.below(DirectWriter.limit / DirectWriter.pageSize), number)
            let offset = dice.below(200) * DirectWriter.pageSize
            let isWritten = writer.begin(bytes, at: offset) && writer.end()
            #expect(isWritten)
            expected.replaceSubrange(offset..<offset + bytes.count, with: bytes)
        }
        let isRight = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path))) == expected
        #expect(isRight)
    }

    @Test("while one is under way no other begins")
    func oneAtATime() throws {
        let writer = try writer()
        let (first, second) = (writer.begin(pages(2, 1), at: 0), writer.begin(pages(2, 2), at: 0))
        #expect(first && !second)
        let third = writer.end() && writer.begin(pages(1, 3), at: DirectWriter.pageSize)
        #expect(third && writer.end())
        let found = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        let isRight = found.starts(with: pages(1, 1) + pages(1, 3) + pages(1, 0))
        #expect(isRight)
    }

    @Test("one that nobody waited for is over when its writer is gone")
    func abandoned() throws {
        var writer: DirectWriter? = try writer()
        let hasBegun = writer?.begin(pages(16, 9), at: 0)
        writer = nil
        let found = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        #expect(hasBegun == true && found.starts(with: pages(16, 9)))
    }

    /// One whose writes begin, and all fail: into a pipe that is full.
    private func failing(_ pipe: Pipe) throws -> DirectWriter {
        let descriptor = dup(pipe.fileHandleForWriting.fileDescriptor)
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        let bytes = pages(16, 1)
        // SAFETY: the buffer lives for the call.
        while unsafe bytes.withUnsafeBytes({ unsafe write(descriptor, $0.baseAddress, 65_536) }) > 0
        {
        }
        if let writer = DirectWriter(descriptor, longestBegin: Self.patience) { return writer }
        try Test.cancel("this system lets nobody write past its cache")
    }

    @Test("one that fails says so, and can be written elsewhere")
    func fails() throws {
        let pipe = Pipe()
        let writer = try failing(pipe)
        let hasBegun = writer.begin(pages(2, 5), at: 8192)
        #expect(hasBegun)
        let isWritten = writer.end()
        #expect(!isWritten)
        let beginsAgain = writer.begin(pages(1, 5), at: 0)
        #expect(!beginsAgain, "what failed once is not tried again")
        // SAFETY: the path lives for the call.
        let other = unsafe open(path, O_RDWR | O_CLOEXEC)
        defer { close(other) }
        try writer.writeAgain(to: other)
        let found = try [UInt8](Data(contentsOf: URL(fileURLWithPath: path)))
        let isRight = found.starts(with: pages(2, 0) + pages(2, 5) + pages(1, 0))
        #expect(isRight)
    }

    @Test("a record goes past the cache where zeros are on the disk, and waits there for its sync")
    func goesDirectly() throws {
        let path = folder.database + "-redo"
        try Data().write(to: URL(fileURLWithPath: path))
        guard let direct = DirectWriter(path: path, longestBegin: Self.patience) else {
            try Test.cancel("this filesystem does not write in place from memory")
        }
        let redo = try RedoFile(databasePath: folder.database, direct: direct)
        let first = RedoFile.record([1, 2, 3], base: 5, number: 0)
        #expect(
            redo.write(first, at: 0, behind: []) != nil && !direct.isWriting, "it has no length")
        try redo.sync()
        while redo.lengthen() {}
        try redo.syncZeros()
        let tail = try #require(redo.write(first, at: 0, behind: []))
        #expect(direct.isWriting)
        #expect(redo.write(first, at: 0, behind: []) == nil, "the one before is not synced")
        try redo.sync()
        #expect(!direct.isWriting)
        let large = RedoFile.record(
            .init(repeating: 4, count: DirectWriter.limit), base: 5, number: 1)
        let end = try #require(redo.write(large, at: first.count, behind: tail))
        #expect(!direct.isWriting, "it is too large")
        try redo.sync()
        let last = RedoFile.record([7], base: 5, number: 2)
        let place = first.count + large.count
        #expect(redo.write(last, at: place, behind: end) != nil && direct.isWriting)
        // Zeros are synced in the background: with what is under way.
        try redo.syncZeros()
        #expect(!direct.isWriting)
        func changes() throws -> [Int] {
            try RedoFile.changes(databasePath: folder.database, after: 5).map(\.count)
        }
        #expect(try changes() == [3, DirectWriter.limit, 1])
        try redo.takeBack(from: place, behind: end)
        #expect(try changes() == [3, DirectWriter.limit])
        #expect(redo.write(last, at: place, behind: end) != nil)
        try redo.sync()
        #expect(try changes() == [3, DirectWriter.limit, 1])
    }

    @Test("a redo file whose disk takes nothing past the cache writes into it")
    func redoFile() throws {
        let pipe = Pipe()
        let direct = try failing(pipe)
        let redo = try RedoFile(databasePath: folder.database, direct: direct)
        while redo.lengthen() {}
        try redo.syncZeros()
        let first = RedoFile.record([1, 2, 3], base: 5, number: 0)
        let tail = try #require(redo.write(first, at: 0, behind: []))
        #expect(direct.isWriting)
        #expect(redo.write(first, at: 0, behind: []) == nil, "the one before is not synced")
        try redo.sync()
        let second = RedoFile.record([4], base: 5, number: 1)
        #expect(redo.write(second, at: first.count, behind: tail) != nil)
        // Zeros are synced in the background: with what is under way.
        try redo.syncZeros()
        let changes = try RedoFile.changes(databasePath: folder.database, after: 5)
        #expect(changes == [[1, 2, 3], [4]])
        try redo.checkSound()
    }
}

@Suite("Whether to look for the end of a write")
struct AttemptPolicyTests {
    private let start = ContinuousClock.now

    private func isWorthIt(_ policy: AttemptPolicy, _ milliseconds: Int) -> Bool {
        policy.isWorthIt(at: start + .milliseconds(milliseconds))
    }

    @Test("who was displaced does not look for a while, and each time for longer")
    func displaced() {
        var policy = AttemptPolicy()
        #expect(isWorthIt(policy, 0))
        policy.note(.displaced, at: start)
        #expect(!isWorthIt(policy, 99) && isWorthIt(policy, 100))
        policy.note(.displaced, at: start)
        #expect(!isWorthIt(policy, 199) && isWorthIt(policy, 200))
        for _ in 0..<40 { policy.note(.displaced, at: start) }
        #expect(!isWorthIt(policy, 59_999) && isWorthIt(policy, 60_000))
        policy.note(.worthIt, at: start)
        #expect(isWorthIt(policy, 0))
        policy.note(.displaced, at: start)
        #expect(isWorthIt(policy, 100), "it begins anew")
    }

    @Test("a write that is late is one of many; four in a row are a slow disk")
    func late() {
        var policy = AttemptPolicy()
        for _ in 0..<10 {
            for _ in 1..<AttemptPolicy.lateLimit { policy.note(.late, at: start) }
            #expect(isWorthIt(policy, 0))
            policy.note(.worthIt, at: start)
        }
        for _ in 0..<AttemptPolicy.lateLimit { policy.note(.late, at: start) }
        #expect(!isWorthIt(policy, 99) && isWorthIt(policy, 100))
        policy.note(.late, at: start)
        #expect(!isWorthIt(policy, 199), "still slow")
    }
}
