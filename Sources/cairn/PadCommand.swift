// SPDX-License-Identifier: Apache-2.0
//
// `cairn pad`.

import ArgumentParser
import Control

struct PadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pad",
        abstract: "Take scratchpads of the older Autonomi network in, and give them out.",
        subcommands: [PadImportCommand.self, PadExportCommand.self])
}

struct PadImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Put a scratchpad of the older Autonomi network into scratchpads/.",
        discussion: """
            The file holds the scratchpad as the network keeps it (MessagePack), or as an AntTP \
            gateway answers it (JSON). Without its key it can be read only, and shows what is \
            signed: of an encrypted scratchpad that is its ciphertext. With its key it is \
            decrypted, and what is saved is encrypted and signed as the network's own tools do \
            it; nothing is sent to that network. Importing a later state under the same name \
            brings it up to date.

            EXAMPLES
              cairn pad import news.pad ~/cairn/scratchpads/news
              cairn pad import notes.json home:scratchpads/notes --key notes.key
            """)

    @Argument(help: "A file with the scratchpad.", completion: .file())
    var file: String

    @Argument(
        help: ArgumentHelp(
            "Where to: a path under a mount, or VOLUME:PATH.", valueName: "target"),
        completion: .file())
    var target: String

    @Option(
        help: ArgumentHelp(
            "A file with the secret key: 32 bytes, or 64 hexadecimal digits; - is standard input.",
            valueName: "file"),
        completion: .file())
    var key: String?

    @OptionGroup var access: VolumeAccessOptions

    func run() throws {
        let report = try access.publicData().importPad(
            file == "-" ? "/dev/stdin" : file, at: target, keyFile: key)
        if Output.isWatched { Output.note("cairn: “\(target)” has \(report.size) bytes.\n") }
    }
}

struct PadExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write a scratchpad of the older Autonomi network as that network keeps it.",
        discussion: """
            Standard output gets the MessagePack of the newest state in the volume's store.

            EXAMPLES
              cairn pad export ~/cairn/scratchpads/notes > notes.pad
            """)

    @OptionGroup var target: VolumePathOptions

    func run() throws {
        try Output.result(bytes: try target.access.publicData().exportPad(target.path))
    }
}
