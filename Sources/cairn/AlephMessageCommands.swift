// SPDX-License-Identifier: Apache-2.0
//
// `cairn aleph query`, `messages`, `send`, `inbox`, `pin` and `cid`.

import ArgumentParser
import Control

struct AlephQueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Search the values of an aggregate.",
        discussion: """
            The network has no such queries: the aggregate's signed messages are fetched, \
            checked, and \
            evaluated here. Operators of --where: $eq $ne $gt $gte $lt $lte $in $nin $exists \
            $regex \
            $not on a field, $and $or $nor on conditions. A field may lead inwards by dots.

            EXAMPLES
              cairn aleph query users --sort -createdAt,name --limit 10
              cairn aleph query users --where '{"age":{"$gt":25,"$lte":60}}' --json
              cairn aleph query users --where '{"$or":[{"city":"Oslo"},{"n":1}]}'
              cairn aleph query users --where '{"name":{"$regex":"^a"}}' --paths
              cairn aleph query users --where '{"email":{"$exists":true}}'
            """)

    @Argument(help: "The aggregate's key.")
    var aggregate: String
    @Option(help: ArgumentHelp("Whose aggregate; else the volume's account.", valueName: "address"))
    var owner: String?
    @Option(name: .customLong("where"), help: ArgumentHelp("A filter, in JSON.", valueName: "json"))
    var filter: String?
    // Whatever follows is its value: the value begins with a dash where the order is descending.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Fields to sort by; -field from the greatest.", valueName: "fields"))
    var sort: String?
    @Option(help: ArgumentHelp("The most results.", valueName: "count"))
    var limit: Int?
    @Flag(help: "Print one JSON object a line.")
    var json = false
    @Flag(help: "Print the path below a mount's aleph folder.")
    var paths = false
    @OptionGroup var identity: IdentityOptions
    @OptionGroup var nodes: NodeOptions

    func run() throws {
        let owner = try identity.identity().address(owner)
        var question = AggregateQuestion(owner: owner, key: aggregate)
        question.filter = filter
        question.order = sort
        question.limit = try AlephArguments.limit(limit)
        let rows = try question.rows(try nodes.session())
        try Output.result(
            question.text(rows, AlephArguments.output(isJSON: json, isPaths: paths)))
    }
}

struct AlephMessagesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "messages",
        abstract: "List messages, the newest first.",
        discussion: """
            A message must have all tags and metadata that are given. Each is checked here: what \
            is not \
            as its sender signed it is not shown.

            EXAMPLES
              cairn aleph messages --tag photo --tag 2026
              cairn aleph messages --type STORE --metadata language=en --json
              cairn aleph messages --owner ADDRESS --paths
              cairn aleph messages --since 2026-11-01 --limit 50
            """)

    @Option(help: ArgumentHelp("A tag; may be given several times.", valueName: "tag"))
    var tag: [String] = []
    @Option(
        help: ArgumentHelp("A field and its value; may be given several times.", valueName: "a=b"))
    var metadata: [String] = []
    @Option(help: ArgumentHelp("To whom they belong.", valueName: "address"))
    var owner: [String] = []
    @Option(help: ArgumentHelp("POST, AGGREGATE, STORE or FORGET.", valueName: "type"))
    var type: [String] = []
    @Option(help: ArgumentHelp("The application's name for its messages.", valueName: "channel"))
    var channel: [String] = []
    @Option(help: ArgumentHelp("The earliest time: 2026-11-21, with T08:30:00Z, or seconds."))
    var since: String?
    @Option(help: ArgumentHelp("The time by which they were sent."))
    var until: String?
    @Option(help: ArgumentHelp("The most results.", valueName: "count"))
    var limit: Int?
    @Flag(help: "Print one JSON object a line.")
    var json = false
    @Flag(help: "Print paths below a mount's aleph folder.")
    var paths = false
    @OptionGroup var nodes: NodeOptions

    func run() throws {
        var question = try AlephArguments.question(
            tags: tag, owners: owner, types: type, channels: channel, metadata: metadata,
            since: since, until: until)
        question.limit = try AlephArguments.limit(limit)
        let output = AlephArguments.output(isJSON: json, isPaths: paths)
        let passedOver = try question.run(try nodes.session()) { message throws(CommandFailure) in
            try Output.result(MessageQuestion.line(message, output))
        }
        if passedOver > 0 {
            Output.note(
                passedOver == 1
                    ? "cairn: 1 message could not be checked, and is not shown.\n"
                    : "cairn: \(passedOver) messages could not be checked, and are not shown.\n")
        }
    }
}

struct AlephSendCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send a file that only one account can read.",
        discussion: """
            A Solana address is enough to send to; of an Ethereum account the public key is \
            needed, \
            which “cairn aleph account show” prints. Everybody sees who sent how much to whom, \
            and when.

            EXAMPLE
              cairn aleph send --to 7e5pxK83ceXb2iWXBizF1U8MdL7C5VcVBBXpDWaYo3x1 letter.pdf
            """)

    @Option(help: ArgumentHelp("The reader: a Solana address, or a public key.", valueName: "key"))
    var to: String
    @Argument(help: "The file.", completion: .file())
    var file: String
    @OptionGroup var storing: StoringOptions
    @OptionGroup var identity: IdentityOptions
    @OptionGroup var nodes: NodeOptions

    func run() throws {
        let plan = try storing.plan()
        try identity.publish(over: nodes) { speaker throws(CommandFailure) in
            try AlephArguments.send(file, to: to, plan: plan, by: speaker)
        }
    }
}

struct AlephInboxCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inbox",
        abstract: "List what was sent to the account, or write one letter to standard output.",
        discussion: """
            EXAMPLES
              cairn aleph inbox
              cairn aleph inbox HASH > letter.pdf
            """)

    @Argument(help: "The message of one letter.")
    var hash: String?
    @Option(help: ArgumentHelp("The most letters.", valueName: "count"))
    var limit: Int?
    @Flag(help: "Print one JSON object a line.")
    var json = false
    @OptionGroup var identity: IdentityOptions
    @OptionGroup var nodes: NodeOptions

    func run() throws {
        let letters = AlephLetters(try nodes.session(), try identity.identity().account())
        if let hash {
            let (_, bytes) = try letters.open(try AlephArguments.hash(hash))
            return try Output.result(bytes: bytes)
        }
        try letters.list(limit: try AlephArguments.limit(limit)) { letter throws(CommandFailure) in
            try Output.result(AlephArguments.line(letter, isJSON: json))
        }
    }
}

struct AlephPinCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pin",
        abstract: "Have the network keep a file of IPFS.",
        discussion: """
            The network fetches it from IPFS, which may take minutes; nothing is uploaded from \
            here. The command waits for that for two minutes; the network goes on, also if you \
            end it.

            EXAMPLE
              cairn aleph pin QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH
            """)

    @Argument(help: "The file's CID.")
    var cid: String
    @Flag(help: "Pay with credits, instead of by holding tokens.")
    var credit = false
    @OptionGroup var identity: IdentityOptions
    @OptionGroup var nodes: NodeOptions

    func run() throws {
        try identity.publish(over: nodes) { speaker throws(CommandFailure) in
            try AlephArguments.pin(cid, isCredit: credit, by: speaker) { message in
                Output.note(
                    "cairn: the network looks for the file in IPFS, and goes on if you end this"
                        + " (message \(message)).\n")
            }
        }
    }
}

struct AlephCIDCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cid",
        abstract: "Print the CID that files would have in IPFS; nothing is uploaded.",
        discussion: """
            EXAMPLE
              cairn aleph cid photo.jpg
            """)

    @Argument(help: "Files.", completion: .file())
    var files: [String]
    @Flag(help: "As “ipfs add --cid-version=1” names them.")
    var version1 = false

    func run() throws {
        for file in files {
            let cid = try AlephArguments.cid(of: file, isVersion1: version1)
            try Output.result(files.count == 1 ? "\(cid)\n" : "\(cid)  \(file)\n")
        }
    }
}
