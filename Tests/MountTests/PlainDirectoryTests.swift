// SPDX-License-Identifier: Apache-2.0
//
// The same random system calls on a mount and on a plain directory in memory: each must end alike,
// errno included, and leave the same tree; also after a remount, and from an empty cache.
// `CAIRN_SEED=number` runs one sequence again.

import Foundation
import TestSupport
import Testing

@Suite("beside a plain directory", .mounting)
struct PlainDirectoryTests {
    /// Calls of one run.
    static let steps =
        ProcessInfo.processInfo.environment["CAIRN_STEPS"].flatMap { Int($0) } ?? 4000

    @Test("system calls end as they do on a filesystem of the kernel")
    func sameAsPlain() throws {
        let seed =
            ProcessInfo.processInfo.environment["CAIRN_SEED"].flatMap { UInt64($0) }
            ?? UInt64.random(in: 1...999_999_999)
        let volume = try MountedVolume()
        let plain = "/dev/shm/cairn-plain-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(
            atPath: plain, withIntermediateDirectories: true)
        defer {
            // In the system's memory filesystem: a failure to remove it fails no test.
            try? FileManager.default.removeItem(atPath: plain)
        }
        let mounted = volume.mountPoint + "/files/tree"
        try FileManager.default.createDirectory(
            atPath: mounted, withIntermediateDirectories: false)
        let run = PlainRun(seed: seed, mounted: mounted, plain: plain)
        for part in 0..<4 {
            try run.run(steps: Self.steps / 4)
            run.closeAll()
            if part == 1 {
                try volume.unmount()
                try volume.mount()
            }
            if part == 2 { try volume.recover() }
            try run.compareTrees()
        }
    }
}

/// Two directories, and what is open in both.
final class PlainRun {
    private struct Open {
        let mounted: Int32
        let plain: Int32
        let path: String
    }

    /// Open files at once, and levels of directories.
    private static let openLimit = 6
    private static let depthLimit = 4
    /// Calls of the report.
    private static let tailLimit = 25
    private static let names =
        (0..<7).map { "n\($0)" } + ["ünï ☃", String(repeating: "x", count: 200)]

    private let seed: UInt64
    private let roots: (mounted: String, plain: String)
    private var dice: SeededGenerator
    private var open: [Open] = []
    private var log: [String] = []

    init(seed: UInt64, mounted: String, plain: String) {
        self.seed = seed
        roots = (mounted, plain)
        dice = SeededGenerator(seed: seed)
    }

    deinit { closeAll() }

    func run(steps: Int) throws {
        for _ in 0..<steps { try once() }
    }

    func closeAll() {
        for file in open {
            _ = Calls.close(file.mounted)
            _ = Calls.close(file.plain)
        }
        open = []
    }

    func compareTrees() throws {
        let found = try MountedVolume.manifest(roots.mounted)
        let wanted = try MountedVolume.manifest(roots.plain)
        // Times that nobody set are two clocks' readings: the manifest's other fields are compared.
        let difference = MountedVolume.difference(untimed(found), untimed(wanted))
        if !difference.isEmpty { throw failure("the trees differ: \(difference)") }
    }

    private func untimed(_ manifest: String) -> String {
        manifest.split(separator: "\n").map { line in
            let fields = line.split(separator: "|", omittingEmptySubsequences: false)
            if fields.count == 8 { return (fields[..<5] + fields[6...]).joined(separator: "|") }
            return fields.count == 5 ? fields[..<4].joined(separator: "|") : String(line)
        }.joined(separator: "\n")
    }

    private func failure(_ words: String) -> ModelMismatch {
        ModelMismatch(
            description: "seed \(seed): \(words)\n"
                + log.suffix(PlainRun.tailLimit).joined(separator: "\n"))
    }

    // MARK: One call on both

    /// Runs the call on both; the results must be equal.
    @discardableResult
    private func both(_ words: String, _ call: (String) -> CallResult) throws -> CallResult {
        let wanted = call(roots.plain)
        let found = call(roots.mounted)
        log.append("\(words) = \(wanted)")
        if found != wanted { throw failure("\(words) gives \(found), not \(wanted)") }
        return wanted
    }

    /// Compares what `lstat` says of a path now.
    private func look(_ path: String) throws {
        let wanted = Calls.facts(roots.plain + path)
        let found = Calls.facts(roots.mounted + path)
        if found.0 != wanted.0 || found.1 != wanted.1 {
            throw failure("lstat of \(path) gives \(found), not \(wanted)")
        }
    }

    private func anyPath() -> String {
        var path = ""
        for _ in 0...dice.below(PlainRun.depthLimit) {
            path += "/" + PlainRun.names[dice.below(PlainRun.names.count)]
        }
        return path
    }

    /// Mostly a path that is there: one found by walking down the plain directory.
    private func likelyPath() -> String {
        if dice.chance(25) { return anyPath() }
        var path = ""
        for _ in 0..<PlainRun.depthLimit {
            // Not a directory: it is the path, then.
            guard
                let names = try? FileManager.default.contentsOfDirectory(
                    atPath: roots.plain + path
                ).sorted(), !names.isEmpty
            else { break }
            path += "/" + names[dice.below(names.count)]
            if dice.chance(30) { break }
        }
        return path.isEmpty ? anyPath() : path
    }

    /// A name in a directory that is likely to be there.
    private func newPath() -> String {
        let parent = dice.chance(40) ? "" : likelyPath()
        return parent + "/" + PlainRun.names[dice.below(PlainRun.names.count)]
    }

    private func once() throws {
        switch dice.below(100) {
        case 0..<22: try write()
        case 22..<30: try read()
        case 30..<44: try openFile()
        case 44..<52: try close()
        case 52..<72: try makeName()
        case 72..<80: try removeName()
        case 80..<88: try rename()
        default: try changeAttributes()
        }
    }

    // MARK: Files

    private func isSticky(directoryOf path: String) -> Bool {
        let parent = path.split(separator: "/").dropLast().joined(separator: "/")
        return Calls.facts(roots.plain + "/" + parent).1.map { $0.mode & S_ISVTX != 0 } ?? false
    }

    private func openFile() throws {
        if open.count >= PlainRun.openLimit { return try close() }
        let path = dice.chance(50) ? newPath() : likelyPath()
        var flags = [O_RDONLY, O_WRONLY, O_RDWR, O_RDWR][dice.below(4)] | O_NONBLOCK | O_NOFOLLOW
        for flag in [O_CREAT, O_EXCL, O_TRUNC, O_APPEND] where dice.chance(40) { flags |= flag }
        // Devices of the machine are not opened.
        let facts = Calls.facts(roots.plain + path).1
        if let facts, ![S_IFREG, S_IFDIR, S_IFLNK].contains(facts.mode & S_IFMT) { return }
        let wanted = Calls.open(roots.plain + path, flags)
        let found = Calls.open(roots.mounted + path, flags)
        let words = "open \(path) \(String(flags, radix: 8))"
        log.append("\(words) = \(wanted)")
        switch (found, wanted) {
        case (.value(let mounted), .value(let plain)):
            let file = Open(mounted: Int32(mounted), plain: Int32(plain), path: path)
            let now = Calls.facts(roots.plain + path).1
            // Positions in directories are each filesystem's own.
            if now.map({ $0.mode & S_IFMT }) == S_IFREG {
                open.append(file)
            } else {
                try onBoth("close \(path)", file) { Calls.close($0) }
            }
        case (.failed(let one), .failed(let other)) where one == other: break
        case (.failed(ELOOP), .failed(EACCES))
        where flags & O_CREAT != 0 && facts.map({ $0.mode & S_IFMT }) == S_IFLNK
            && isSticky(directoryOf: path):
            // Where nobody checks permissions that forbids root nothing.
            break
        default: throw failure("\(words) gives \(found), not \(wanted)")
        }
        try look(path)
    }

    private func close() throws {
        guard !open.isEmpty else { return }
        let file = open.remove(at: dice.below(open.count))
        try onBoth("close \(file.path)", file) { Calls.close($0) }
    }

    /// Runs the call on both descriptors.
    @discardableResult
    private func onBoth(
        _ words: String, _ file: Open, _ call: (Int32) -> CallResult
    ) throws -> CallResult {
        let wanted = call(file.plain)
        let found = call(file.mounted)
        log.append("\(words) = \(wanted)")
        if found != wanted { throw failure("\(words) gives \(found), not \(wanted)") }
        return wanted
    }

    private func write() throws {
        guard !open.isEmpty else { return try openFile() }
        let file = open[dice.below(open.count)]
        let bytes = dice.bytes(dice.chance(80) ? dice.below(5000) : dice.below(200_000))
        let offset = dice.below(dice.chance(90) ? 60_000 : 3_000_000)
        switch dice.below(6) {
        case 0:
            try onBoth("append \(bytes.count) to \(file.path)", file) { Calls.append($0, bytes) }
        case 1:
            try onBoth("ftruncate \(file.path) \(offset)", file) { Calls.truncate($0, offset) }
        case 2:
            try onBoth("fsync \(file.path)", file) { Calls.sync($0) }
        default:
            try onBoth("write \(bytes.count) at \(offset) of \(file.path)", file) {
                Calls.write($0, bytes, at: offset)
            }
        }
        try look(file.path)
    }

    private func read() throws {
        guard !open.isEmpty else { return try openFile() }
        let file = open[dice.below(open.count)]
        let (offset, count) = (dice.below(80_000), dice.below(100_000))
        if dice.chance(20) {
            let whence = [SEEK_SET, SEEK_CUR, SEEK_END][dice.below(3)]
            try onBoth("seek \(file.path) \(offset) \(whence)", file) {
                Calls.position($0, offset, whence)
            }
            return
        }
        try onBoth("read \(count) at \(offset) of \(file.path)", file) {
            Calls.read($0, count, at: offset)
        }
    }

    // MARK: Names

    private func makeName() throws {
        let path = newPath()
        switch dice.below(6) {
        case 0, 1: try both("mkdir \(path)") { Calls.makeDirectory($0 + path, 0o2775) }
        case 2:
            let target = String(repeating: "t", count: dice.chance(90) ? 20 : 4096)
            try both("symlink \(path)") { Calls.symlink(target, $0 + path) }
        case 3:
            let kind = [S_IFIFO, S_IFSOCK, S_IFCHR, S_IFREG][dice.below(4)]
            let device: UInt = kind == S_IFCHR ? 0x0103 : 0
            try both("mknod \(path) \(kind)") { Calls.makeNode($0 + path, kind | 0o640, device) }
        case 4:
            let old = likelyPath()
            try both("link \(old) \(path)") { Calls.link($0 + old, $0 + path) }
            try look(old)
        default:
            let link = likelyPath()
            try both("readlink \(link)") { Calls.readLink($0 + link) }
        }
        try look(path)
    }

    private func removeName() throws {
        let path = likelyPath()
        if dice.chance(50) {
            try both("rmdir \(path)") { Calls.removeDirectory($0 + path) }
        } else {
            try both("unlink \(path)") { Calls.unlink($0 + path) }
        }
        try look(path)
    }

    private func rename() throws {
        let (old, new) = (likelyPath(), dice.chance(60) ? newPath() : likelyPath())
        try both("rename \(old) \(new)") { Calls.rename($0 + old, $0 + new) }
        try look(old)
        try look(new)
    }

    // MARK: Attributes

    private func changeAttributes() throws {
        let path = likelyPath()
        switch dice.below(5) {
        case 0:
            let mode = UInt32(dice.below(0o10000))
            try both("chmod \(path) \(String(mode, radix: 8))") {
                Calls.changeMode($0 + path, mode)
            }
        case 1:
            let (user, group) = (UInt32(dice.below(2000)), UInt32(dice.below(2000)))
            try both("chown \(path) \(user) \(group)") {
                Calls.changeOwner($0 + path, user, group)
            }
        case 2:
            let seconds = dice.below(4_000_000_000) - 1_000_000_000
            let nanoseconds = dice.below(1_000_000_000)
            try both("utimens \(path) \(seconds)") {
                Calls.setTimes($0 + path, seconds: seconds, nanoseconds: nanoseconds)
            }
            try both("mtime of \(path)") { Calls.modified($0 + path) }
        default:
            let size = dice.below(dice.chance(80) ? 50_000 : 5_000_000)
            try both("truncate \(path) \(size)") { Calls.truncate($0 + path, size) }
        }
        try look(path)
    }
}

/// The mount and the plain directory differ.
struct ModelMismatch: Error, CustomStringConvertible {
    let description: String
}
