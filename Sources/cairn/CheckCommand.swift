// SPDX-License-Identifier: Apache-2.0
//
// `cairn check`.

import ArgumentParser
import Control

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Look for damage, here and on the store, and put back what can be.",
        discussion: """
            Without options: the local database and cache of a volume that is not mounted. Prints \
            a line for each damaged path, and nothing when all is well. The exit code is 19 when \
            something is damaged at the end.

            EXAMPLES
              cairn check home
              cairn check home --store
              cairn check home --store --read
              cairn check home --store --repair
            """)

    @Argument(
        help: "A volume's name, or a path under its mount; else “home”, or the only volume.")
    var target: String?

    @Flag(help: "Check what is on the store too: root, folders, data maps, chunks, pads.")
    var store = false

    @Flag(help: "Fetch and decrypt every chunk, not only ask whether it is there. Needs --store.")
    var read = false

    @Flag(help: "Put back what the store lost and this machine has, and drop damaged copies.")
    var repair = false

    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var state: StateOptions

    func validate() throws {
        if read && !store { throw ValidationError("--read needs --store.") }
    }

    func run() throws {
        var check = VolumeCheck(state: try state.folder())
        check.checksStore = store
        check.readsChunks = read
        check.repairs = repair
        check.passphrase = passphrase.source
        let output = Lines()
        check.found = { output.print($0) }
        check.progress = { Progress.show($0) }
        defer { Progress.clear() }
        try check.run(target)
        if let failure = output.failure { throw failure }
    }

    /// Lines on standard output, below which the line of progress goes on.
    private final class Lines {
        /// Why a line could not be written.
        private(set) var failure: CommandFailure?

        func print(_ line: String) {
            guard failure == nil else { return }
            Progress.clear()
            do throws(CommandFailure) {
                try Output.result(line + "\n")
            } catch {
                failure = error
            }
        }
    }
}
