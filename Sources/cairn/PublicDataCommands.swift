// SPDX-License-Identifier: Apache-2.0
//
// `cairn open`, `share`, `datamap` and `cost`.

import ArgumentParser
import Control

/// What every command has that works on something in a volume, mounted or not.
struct VolumeAccessOptions: ParsableArguments {
    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var state: StateOptions

    /// What asks the daemon, or the volume itself.
    func publicData() throws -> PublicData {
        var data = PublicData(state: try state.folder())
        data.passphrase = passphrase.source
        return data
    }
}

/// Something in a volume, for commands that take nothing else.
struct VolumePathOptions: ParsableArguments {
    @Argument(help: "A path under a mount, or VOLUME:PATH.", completion: .file())
    var path: String

    @OptionGroup var access: VolumeAccessOptions
}

struct OpenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open",
        abstract: "Put somebody else's file into a volume, without downloading it.",
        discussion: """
            An address of an archive becomes a folder. The bytes are fetched when they are read; \
            what is written over them becomes the volume's own.

            EXAMPLES
              cairn open 6f0c…e1 ~/cairn/files/film.mkv
              cairn open film.datamap home:files/film.mkv
              cairn open - home:files/film.mkv < film.datamap
            """)

    @Argument(
        help: ArgumentHelp(
            "An address, a data map in hexadecimal, or a file with a data map.",
            valueName: "address|hex|file"),
        completion: .file())
    var source: String

    @Argument(
        help: ArgumentHelp(
            "Where to: a path under a mount, or VOLUME:PATH.", valueName: "target"),
        completion: .file())
    var target: String

    @OptionGroup var access: VolumeAccessOptions

    func run() throws {
        let data = try access.publicData()
        let report = try data.open(source == "-" ? "/dev/stdin" : source, at: target)
        if Output.isWatched { Output.note("cairn: “\(target)” has \(report.size) bytes.\n") }
    }
}

struct ShareCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "share",
        abstract: "Make a file or a folder public, and print its address.",
        discussion: """
            Whoever has the address can read it, for ever: what is public cannot be taken back. A \
            folder becomes an archive of the regular files in it, without empty files and links.

            EXAMPLES
              cairn share ~/cairn/files/photo.jpg
              cairn share home:files/site
            """)

    @OptionGroup var target: VolumePathOptions

    func run() throws {
        let report = try target.access.publicData().share(target.path)
        if report.skippedCount > 0 {
            Output.note(
                "cairn: left out, because an archive cannot hold them: \(report.skippedCount)\n")
        }
        try Output.result(report.text + "\n")
    }
}

struct DataMapCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "datamap",
        abstract: "Print a file's private data map.",
        discussion: """
            Who has it can read the file as it is now, and no other. “cairn open” takes it, and so \
            do the network's own tools.

            EXAMPLES
              cairn datamap ~/cairn/files/photo.jpg
              cairn datamap home:files/photo.jpg > photo.datamap
            """)

    @OptionGroup var target: VolumePathOptions

    func run() throws {
        let report = try target.access.publicData().dataMap(of: target.path)
        try Output.result(report.text + "\n")
    }
}

struct CostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cost",
        abstract: "Tell what files would take in a volume: chunks, bytes and price.",
        discussion: """
            Nothing is stored. The price is that of a few of the chunks, as the store tells it \
            now, times their number; chunks that are on the network already cost nothing.

            EXAMPLES
              cairn cost ~/photos
              cairn cost film.mkv --volume work
            """)

    @Argument(help: "A file or folder of this machine.", completion: .file())
    var path: String

    @Option(
        help: ArgumentHelp("The volume; else “home”, or the only one.", valueName: "name"))
    var volume: String?

    @OptionGroup var state: StateOptions

    func run() throws {
        let folder = try VolumeTarget(volume, in: try state.folder()).folder
        var estimate = try CostEstimate(try VolumeConfiguration.read(from: folder))
        let report = try estimate.estimate(path)
        try Output.result(report.lines)
    }
}
