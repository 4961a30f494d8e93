// SPDX-License-Identifier: Apache-2.0
//
// `cairn status`, `list`, `sync`, `info` and `version`.

import ArgumentParser
import Control
import Glibc

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show how volumes are: mounted or not, and what is not on the store yet.",
        discussion: """
            EXAMPLES
              cairn status
              cairn status home --json
              cairn status home --watch
              cairn status ~/cairn
            """)

    @Argument(help: "A volume's name, or a path under its mount; all volumes if none is given.")
    var target: String?

    @Flag(help: "Print JSON: an object, or a list of them when no volume is named.")
    var json = false

    @Flag(help: "Go on showing it, with the transfers, until Ctrl-C or the volume is unmounted.")
    var watch = false

    @OptionGroup var state: StateOptions

    func validate() throws {
        if watch && json { throw ValidationError("--watch is for people, --json for programs.") }
    }

    func run() throws {
        let state = try state.folder()
        if watch {
            let found = try VolumeTarget(target, in: state)
            let store = try VolumeConfiguration.read(from: found.folder).store
            return try StatusWatch(folder: found.folder, store: store).run()
        }
        if let target {
            let found = try VolumeTarget(target, in: state)
            let store = try VolumeConfiguration.read(from: found.folder).store
            let shown = shown(found.folder, store, found.status)
            return try Output.result(json ? shown.object.text + "\n" : shown.lines)
        }
        var objects: [JSONText] = []
        var blocks: [String] = []
        // One volume that cannot be asked does not hide the others; its failure ends the command.
        var failure: CommandFailure?
        for folder in try state.volumes() {
            do throws(CommandFailure) {
                let store = try VolumeConfiguration.read(from: folder).store
                let shown = shown(folder, store, try ControlClient.status(of: folder))
                objects.append(shown.object)
                blocks.append(shown.lines)
            } catch {
                if let failure { Output.note(failure.rendered) }
                failure = error
            }
        }
        try show(objects, blocks, state)
        if let failure { throw failure }
    }

    private func shown(
        _ folder: VolumeFolder, _ store: String, _ status: DaemonStatus?
    ) -> (object: JSONText, lines: String) {
        let idle = status == nil ? IdleVolume(folder) : IdleVolume()
        return (
            StatusText.json(volume: folder.name, store: store, status: status, idle: idle),
            StatusText.lines(
                volume: folder.name, store: store, status: status, idle: idle,
                now: Int64(time(nil)))
        )
    }

    private func show(_ objects: [JSONText], _ blocks: [String], _ state: StateFolder) throws {
        if json { return try Output.result(JSONText.list(objects).text + "\n") }
        if blocks.isEmpty, try state.volumes().isEmpty {
            Output.note("cairn: there is no volume in “\(state.path)”.\n")
        }
        try Output.result(blocks.joined(separator: "\n"))
    }
}

struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the volumes of this machine, one name a line.",
        discussion: """
            EXAMPLE
              cairn list
            """)

    @OptionGroup var state: StateOptions

    func run() throws {
        let names = try state.folder().volumes().map(\.name.text)
        try Output.result(names.map { $0 + "\n" }.joined())
    }
}

struct SyncCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync",
        abstract: "Wait until everything is on the store, and published.",
        discussion: """
            EXAMPLES
              cairn sync
              cairn sync ~/cairn/files/letters
              cairn sync home --timeout 10m
            """)

    @Argument(
        help: "A volume's name, or a path under its mount; else “home”, or the only volume.")
    var target: String?

    @OptionGroup var quiet: QuietOptions
    @OptionGroup var timeout: TimeoutOptions
    @OptionGroup var state: StateOptions

    func run() throws {
        var unmounting = Unmounting(try VolumeTarget(target, in: try state.folder()))
        unmounting.timeout = try timeout.duration()
        let display = ProgressDisplay("sync", isQuiet: quiet.quiet)
        defer { display.end() }
        unmounting.progress = { display.show($0) }
        let state = try unmounting.synchronize()
        display.end()
        if Output.isWatched && !quiet.quiet {
            Output.note("cairn: \(StatusText.published(state)).\n")
        }
    }
}

struct InfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Show how a file rests: its form, data map, chunks, address, counter and owner.",
        discussion: """
            EXAMPLES
              cairn info ~/cairn/files/photo.jpg
              cairn info ~/cairn/scratchpads/todo --json
              cairn info home:files/photo.jpg
            """)

    @Argument(help: "A path under a mount, or VOLUME:PATH.", completion: .file())
    var path: String

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var state: StateOptions

    func run() throws {
        var inquiry = FileInquiry(state: try state.folder())
        inquiry.passphrase = passphrase.source
        let report = try inquiry.report(on: path)
        try Output.result(
            json ? report.json(path: path).text + "\n" : report.lines(path: path))
    }
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Print the version.")

    func run() throws {
        try Output.result("cairn \(Version.text)\n")
    }
}
