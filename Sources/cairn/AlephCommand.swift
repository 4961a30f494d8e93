// SPDX-License-Identifier: Apache-2.0
//
// `cairn aleph` and what is below it.

import ArgumentParser
import Control

struct AlephCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "aleph",
        abstract: "Messages, files and aggregates of Aleph Cloud.",
        discussion: """
            Each volume has an account there, made from its seed, so that the volume's 24 words \
            bring \
            it back too. What is published there is public, signed and cannot be changed; “send” \
            encrypts for one reader.

            EXAMPLES
              cairn aleph account show
              cairn aleph query users --where '{"age":{"$gt":25}}' --limit 10
              cairn aleph messages --tag photo --tag 2026 --json
              cairn aleph send --to ADDRESS letter.pdf
              cairn aleph store film.mkv --credit
            """,
        subcommands: [
            AlephAccountCommand.self, AlephBalanceCommand.self, AlephCostCommand.self,
            AlephQueryCommand.self, AlephMessagesCommand.self, AlephSendCommand.self,
            AlephInboxCommand.self, AlephStoreCommand.self, AlephGetCommand.self,
            AlephPinCommand.self, AlephCIDCommand.self,
        ])
}

/// Through which nodes.
struct NodeOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A node, such as https://api2.aleph.im; may be given several times.",
            discussion: "Else $CAIRN_ALEPH_NODES (blanks between), else public nodes.",
            valueName: "url"))
    var node: [String] = []

    func session() throws -> AlephSession { try AlephSession(nodes: node) }
}

/// As whom.
struct IdentityOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The volume whose account it is; else “home”, or the only volume.", valueName: "name"))
    var volume: String?

    @Option(
        help: ArgumentHelp(
            "A file with a key, instead of a volume's account; - is standard input.",
            valueName: "file"),
        completion: .file())
    var key: String?

    @Option(help: ArgumentHelp("The chain of the key: SOL or ETH.", valueName: "chain"))
    var chain = "SOL"

    @OptionGroup var passphrase: PassphraseOptions
    @OptionGroup var state: StateOptions

    /// Refuses `--key` where a volume's own account is chosen, for it would be passed over.
    func requireNoKey(_ advice: String) throws {
        guard key == nil else {
            throw CommandFailure(
                .usage, "--key has no meaning here: this command sets a volume's own account",
                advice: advice)
        }
    }

    func identity() throws -> AlephIdentity {
        AlephIdentity(
            state: try state.folder(), volume: volume, keyFile: key,
            chain: try AlephArguments.chain(chain), passphrase: passphrase.source)
    }

    /// Publishes something as the account, and prints the name of its message.
    func publish(
        over nodes: NodeOptions,
        _ body: (AlephSpeaker) throws(CommandFailure) -> String
    ) throws {
        let speaker = AlephSpeaker(try identity().account(), over: try nodes.session())
        try Output.result(body(speaker) + "\n")
    }
}

/// How a file is stored and paid for.
struct StoringOptions: ParsableArguments {
    @Flag(help: "Pay with credits, instead of by holding tokens.")
    var credit = false

    @Flag(help: "Store in IPFS, instead of the network's own storage.")
    var ipfs = false

    @Flag(help: "Store without paying, which the network lets pass for small files until 2027.")
    var unpaid = false

    func plan() throws -> AlephStoring {
        guard !(unpaid && credit) else {
            throw CommandFailure(.usage, "--unpaid and --credit exclude each other")
        }
        return AlephStoring(isCredit: credit, isIPFS: ipfs || unpaid, isUnpaid: unpaid)
    }
}

struct AlephAccountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Show or choose the account of a volume.",
        discussion: """
            EXAMPLES
              cairn aleph account show
              cairn aleph account new --chain ETH
              cairn aleph account import ~/.config/solana/id.json
            """,
        subcommands: [Show.self, New.self, Import.self])

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show the account: chain, address, and the key to send to.",
            discussion: """
                EXAMPLES
                  cairn aleph account show
                  cairn aleph account show --json --volume photos
                  cairn aleph account show --key key.hex --chain ETH
                """)

        @Flag(help: "Print JSON.")
        var json = false
        @OptionGroup var identity: IdentityOptions

        func run() throws {
            try Output.result(
                AlephArguments.text(try identity.identity().account(), isJSON: json))
        }
    }

    struct New: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "new",
            abstract: "Take the account that the volume's seed makes on a chain.",
            discussion: """
                Without this, a volume has the one for SOL. The 24 words bring it back on any \
                machine.

                EXAMPLE
                  cairn aleph account new --chain ETH
                """)

        @Flag(help: "Forget an imported key, which is nowhere else in this volume.")
        var replace = false
        @OptionGroup var identity: IdentityOptions

        func run() throws {
            try identity.requireNoKey(
                "“cairn aleph account import FILE” takes a key that another program made")
            try Output.result(
                AlephArguments.text(
                    try identity.identity().choose(importing: nil, replaces: replace),
                    isJSON: false))
        }
    }

    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "import",
            abstract: "Take an account whose key another program made.",
            discussion: """
                The file holds 32 raw bytes, as aleph's own tools keep them, or their hex, or a \
                key \
                file of Solana's command line, or an export of Phantom. It is kept in the volume's \
                folder, sealed under the volume's seed; the 24 words do not bring it back.

                EXAMPLES
                  cairn aleph account import ~/.config/solana/id.json
                  cairn aleph account import key.hex --chain ETH
                """)

        @Argument(help: "The file with the key; - is standard input.", completion: .file())
        var file: String
        @Flag(help: "Forget a key that was imported before.")
        var replace = false
        @OptionGroup var identity: IdentityOptions

        func run() throws {
            try identity.requireNoKey("give the file without --key")
            try Output.result(
                AlephArguments.text(
                    try identity.identity().choose(importing: file, replaces: replace),
                    isJSON: false))
        }
    }
}

struct AlephBalanceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "balance", abstract: "Show the tokens and credits of an account.",
        discussion: """
            EXAMPLES
              cairn aleph balance
              cairn aleph balance 7e5pxK83ceXb2iWXBizF1U8MdL7C5VcVBBXpDWaYo3x1 --json
            """)

    @Argument(help: "An address; the volume's account if none is given.")
    var address: String?
    @Flag(help: "Print JSON.")
    var json = false
    @OptionGroup var identity: IdentityOptions
    @OptionGroup var nodes: NodeOptions

    func run() throws {
        let address = try identity.identity().address(address)
        try Output.result(
            AlephMoney(try nodes.session()).balance(of: address, isJSON: json))
    }
}

struct AlephCostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cost",
        abstract: "Show what storing a file would cost, in tokens to hold and in credits.",
        discussion: """
            EXAMPLES
              cairn aleph cost photo.jpg
              cairn aleph cost 100M
            """)

    @Argument(help: "A file, or a size such as 25M.", completion: .file())
    var file: String
    @OptionGroup var identity: IdentityOptions
    @OptionGroup var nodes: NodeOptions

    func run() throws {
        try Output.result(
            AlephMoney(try nodes.session()).cost(
                of: file, for: try identity.identity().account()))
    }
}
