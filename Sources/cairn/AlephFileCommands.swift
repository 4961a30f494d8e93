// SPDX-License-Identifier: Apache-2.0
//
// `cairn aleph store` and `get`.

import ArgumentParser
import Control

struct AlephStoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Store a file on the network, and print the message that it is fetched by.",
        discussion: """
            The file is public, under its name. One that is larger than the node takes is stored \
            in parts of 25 MiB, which “get” puts together again; what was interrupted is gone on \
            with when the same file is given again.

            EXAMPLES
              cairn aleph store photo.jpg --credit --tag photo
              cairn aleph store film.mkv --credit
            """)

    @Argument(help: "The file.", completion: .file())
    var file: String
    @Option(help: ArgumentHelp("A tag; may be given several times.", valueName: "tag"))
    var tag: [String] = []
    @OptionGroup var storing: StoringOptions
    @OptionGroup var identity: IdentityOptions
    @OptionGroup var nodes: NodeOptions

    func run() throws {
        let isWatched = Output.isWatched
        let hash = try AlephFiles(try nodes.session()).store(
            file, tags: try AlephArguments.values(tag, of: "--tag"), plan: try storing.plan(),
            as: try identity.identity().account()
        ) { done, size in
            if isWatched {
                let share = SizeText.rounded(UInt64(done)) + " of " + SizeText.rounded(UInt64(size))
                Output.note("cairn: \(share) are stored.\n")
            }
        }
        try Output.result("\(hash)\n")
    }
}

struct AlephGetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "get",
        abstract: "Fetch a file of the network, and check it.",
        discussion: """
            EXAMPLES
              cairn aleph get HASH photo.jpg
              cairn aleph get HASH > photo.jpg
            """)

    @Argument(help: "The message that stores the file, or the file's own hash or CID.")
    var hash: String
    @Argument(help: "Where to; standard output if it is not given, or -.", completion: .file())
    var target: String?
    @OptionGroup var nodes: NodeOptions

    func run() throws {
        try AlephFiles(try nodes.session()).get(
            try AlephArguments.hash(hash), to: target == "-" ? nil : target)
    }
}
