// SPDX-License-Identifier: Apache-2.0
//
// `cairn put` and `cairn get`.

import ArgumentParser
import Control

struct PutCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "put",
        abstract: "Copy files into a volume, mounted or not.",
        discussion: """
            Permissions, times, symlinks, hard links, holes and extended attributes are kept. \
            Returns when the store has everything. A folder that is there is copied into.

            EXAMPLES
              cairn put report.pdf home:files/
              cairn put -r ~/photos home:files
              pg_dump shop | cairn put - home:files/shop.sql
            """)

    @Argument(
        help: ArgumentHelp(
            "What to copy, - for standard input; last, where to: VOLUME:PATH.",
            valueName: "source … volume:path"),
        completion: .file())
    var paths: [String]

    @Flag(name: .shortAndLong, help: "Copy folders, with what is in them.")
    var recursive = false

    @OptionGroup var quiet: QuietOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var timeout: TimeoutOptions
    @OptionGroup var state: StateOptions

    func run() throws {
        let (sources, target) = try CopyArguments.split(paths, "cairn put FILE… VOLUME:PATH")
        var copy = VolumeCopy(state: try state.folder())
        copy.isRecursive = recursive
        copy.passphrase = passphrase.source
        copy.timeout = try timeout.duration()
        let reading = ProgressDisplay("put", isQuiet: quiet.quiet)
        let storing = ProgressDisplay("to store", isQuiet: quiet.quiet)
        defer {
            reading.end()
            storing.end()
        }
        copy.isWatched = reading.isShown
        copy.copying = { reading.show(done: $0, of: $1, $2) }
        copy.progress = {
            reading.end()
            storing.show($0)
        }
        try copy.put(sources, to: try VolumePath(target))
    }
}

struct GetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Copy files out of a volume, mounted or not.",
        discussion: """
            Permissions, times, symlinks, hard links, holes and extended attributes are kept. A \
            folder that is there is copied into.

            EXAMPLES
              cairn get home:files/report.pdf .
              cairn get -r home:files/photos ~/restored
              cairn get home:files/shop.sql - | psql shop
            """)

    @Argument(
        help: ArgumentHelp(
            "What to copy, as VOLUME:PATH; last, where to, - for standard output.",
            valueName: "volume:path … target"),
        completion: .file())
    var paths: [String]

    @Flag(name: .shortAndLong, help: "Copy folders, with what is in them.")
    var recursive = false

    @OptionGroup var quiet: QuietOptions
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var state: StateOptions

    func run() throws {
        let (sources, target) = try CopyArguments.split(paths, "cairn get VOLUME:PATH… TARGET")
        var copy = VolumeCopy(state: try state.folder())
        copy.isRecursive = recursive
        copy.passphrase = passphrase.source
        let display = ProgressDisplay("get", isQuiet: quiet.quiet)
        defer { display.end() }
        copy.isWatched = display.isShown
        copy.copying = { display.show(done: $0, of: $1, $2) }
        try copy.get(try sources.map { try VolumePath($0) }, to: target)
    }
}

/// The last argument of a copy is where to.
enum CopyArguments {
    static func split(
        _ paths: [String], _ usage: String
    ) throws -> (sources: [String], target: String) {
        guard let target = paths.last, paths.count >= 2 else {
            throw CommandFailure(.usage, "a copy needs a source and a target", advice: usage)
        }
        return (Array(paths.dropLast()), target)
    }
}
