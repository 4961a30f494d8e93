// SPDX-License-Identifier: Apache-2.0
//
// The command. Here are only arguments and help; what a subcommand does is in the library Control.
//
// No code runs at the top level: it would be on the main actor, which the mount's loop blocks.

import ArgumentParser
import Control
import Glibc

@main
struct Cairn: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cairn",
        abstract: "Mount encrypted volumes that rest in a store of chunks and signed pads.",
        discussion: """
            A volume is one tree of files and scratchpads. Everything that leaves this machine is \
            encrypted; the 24 words that “init” prints bring the volume back on any machine.

            EXAMPLES
              cairn init home --store file:///mnt/nas/cairn > phrase.txt
              cairn mount home ~/cairn
              cp -a ~/letters ~/cairn/files/
              cairn unmount ~/cairn

            docs/exit-codes.md lists the exit codes.
            """,
        version: Version.text,
        subcommands: [
            InitCommand.self, RecoverCommand.self, MountCommand.self, UnmountCommand.self,
            StatusCommand.self, SyncCommand.self, InfoCommand.self, PutCommand.self,
            GetCommand.self, OpenCommand.self, ShareCommand.self, DataMapCommand.self,
            PadCommand.self, CostCommand.self, ListCommand.self, CheckCommand.self,
            AlephCommand.self,
            VersionCommand.self,
        ])

    static func main() {
        ProcessSettings.openStandardStreams()
        do {
            // Not a subcommand: it is for nobody to see, in help, completions or manual.
            let arguments = Array(CommandLine.arguments.dropFirst())
            var command =
                arguments.first == DaemonLaunch.subcommand
                ? try DaemonCommand.parseAsRoot(Array(arguments.dropFirst()))
                : try parseAsRoot(arguments)
            try command.run()
        } catch let failure as CommandFailure {
            Progress.clear()
            Output.note(failure.rendered)
            Glibc.exit(failure.code.rawValue)
        } catch {
            exit(withError: error)
        }
    }
}

/// Where the local state is; every subcommand has it.
struct StateOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The folder of local state.",
            discussion: "Else $CAIRN_STATE, else $XDG_DATA_HOME/cairn, else ~/.local/share/cairn.",
            valueName: "folder"),
        completion: .directory)
    var state: String?

    func folder() throws -> StateFolder { try StateFolder(state) }
}

/// How a sealed key is opened.
struct PassphraseOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A file whose first line is the passphrase; - is standard input.",
            discussion: "Without it, the passphrase is asked for at the terminal.",
            valueName: "file"),
        completion: .file())
    var passphraseFile: String?

    var source: SecretInput.Source { passphraseFile.map(SecretInput.Source.file) ?? .terminal }
}

/// How long to wait for the store.
struct TimeoutOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Give up after this time, such as 30s or 5m; else wait as long as it takes.",
            valueName: "time"))
    var timeout: String?

    func duration() throws -> Duration? {
        guard let timeout else { return nil }
        guard let time = DurationText.parse(timeout) else {
            throw CommandFailure(.usage, "“\(timeout)” is no time", advice: "write 30s, 5m or 1h")
        }
        return time
    }
}

/// Whether progress is shown.
struct QuietOptions: ParsableArguments {
    @Flag(
        name: [.customShort("q"), .long], help: "Show no progress, and nothing when all is well.")
    var quiet = false
}

/// The line of progress at a terminal.
enum Progress {
    /// Shows a line in the place of the one before. Without a terminal nothing is shown.
    static func show(_ text: String) {
        guard Output.isWatched else { return }
        // \u{1B}[K clears what a longer line left.
        Output.note("\r\(text)\u{1B}[K")
    }

    /// Takes the line away.
    static func clear() {
        guard Output.isWatched else { return }
        Output.note("\r\u{1B}[K")
    }
}
