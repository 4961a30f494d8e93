// SPDX-License-Identifier: Apache-2.0
//
// `cairn init` and `cairn recover`.

import ArgumentParser
import Control

/// What a volume is made with, new or again.
struct VolumeOptions: ParsableArguments {
    @Argument(help: "The volume's name on this machine; “home” if none is given.")
    var name: String?

    @Option("The same as the argument.", value: "name")
    var volume: String?

    @Option(
        "Where the volume rests: a folder, as file:///path or a path, or a network store.",
        value: "url",
        discussion: """
            Without it, a folder beside the state folder: STATE-store/NAME. On S3: \
            s3://BUCKET/PREFIX?endpoint=https://HOST&region=NAME, with keys from the \
            environment, ~/.aws (&profile=NAME) or a file (&credentials=FILE). On Autonomi: \
            autonomi://127.0.0.1:8082, by the network's daemon. On Aleph Cloud: aleph://NODE, \
            paid from an account that the volume's seed makes, or from one whose key is in a \
            file (&key=FILE); &payment=hold pays with tokens instead of credits.
            """)
    var store: String?

    @Option(
        "Where scratchpads and revisions rest, for a store that has no room for them.", value: "url"
    )
    var pads: String?

    @Option("The most that may be spent on chunks, in the token's smallest unit.", value: "sum")
    var spendingLimit: String?

    @Option(
        "The least time between two revisions that nobody asked for, such as 1h.", value: "time")
    var publishInterval: String?

    @Flag(help: "Seal the key file with a passphrase, asked for at the terminal.")
    var passphrase = false

    @Option(
        "Seal the key file with the first line of this file; - is standard input.", value: "file",
        completion: .file())
    var passphraseFile: String?

    @Option("Most bytes of the local cache, such as 10G.", value: "size")
    var cache: String?

    @Option("Most bytes that files and pads may have together, such as 100G.", value: "size")
    var quota: String?

    @Option("This machine's name in the volume's history.", value: "name")
    var device: String?

    func creation(in state: StateFolder) throws -> VolumeCreation {
        if let name, let volume, name != volume {
            throw CommandFailure(.usage, "two names are given, “\(name)” and “\(volume)”")
        }
        let name = try (name ?? volume).map { try VolumeName($0) } ?? .standard
        var creation = VolumeCreation(state: state, name: name)
        creation.store = store
        creation.device = device
        creation.pads = pads
        creation.spendingLimit = spendingLimit
        if let publishInterval {
            guard let interval = DurationText.parse(publishInterval) else {
                throw CommandFailure(
                    .usage, "“\(publishInterval)” is no time", advice: "write 30m or 12h")
            }
            creation.publishInterval = interval
        }
        if let passphraseFile {
            creation.passphrase = .file(passphraseFile)
        } else if passphrase {
            creation.passphrase = .terminal
        }
        creation.cache = try Self.size(cache)
        creation.quota = try Self.size(quota)
        return creation
    }

    static func size(_ text: String?) throws -> UInt64? {
        guard let text else { return nil }
        guard let size = SizeText.parse(text) else {
            throw CommandFailure(.usage, "“\(text)” is no size", advice: "write 512M or 10G")
        }
        return size
    }
}

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a new volume, and print its recovery phrase.",
        discussion: """
            The 24 words are printed alone on standard output, once, and never again. Who has them \
            has the volume; who loses them, and this machine, has lost it.

            EXAMPLES
              cairn init
              cairn init work --store file:///mnt/nas/cairn --passphrase
              cairn init box --store /srv/cairn --cache 2G > phrase.txt
            """)

    @OptionGroup var volume: VolumeOptions
    @OptionGroup var state: StateOptions

    @Option(
        "“fast”, or “autonomi”: as Autonomi's own clients compress, three to six times slower.",
        value: "kind",
        discussion: "Without it, “autonomi” on an Autonomi store, and “fast” elsewhere.",
        completion: .list(["fast", "autonomi"]))
    var compression: String?

    @Option("Files up to this size live inside their folder's page; at most 64K.", value: "size")
    var inlineLimit: String?

    func run() throws {
        var creation = try volume.creation(in: try state.folder())
        creation.inlineLimit = try VolumeOptions.size(inlineLimit)
        if let compression { try creation.setCompression(compression) }
        let accounts = try creation.create { words throws(CommandFailure) in
            try Output.result(words + "\n")
        }
        Output.note(
            """
            cairn: the volume “\(creation.name)” is made. Its 24 words were printed once: write them
                   down on paper. Mount it with: cairn mount \(creation.name) DIR

            """)
        for account in Set(accounts).sorted() {
            Output.note(
                """
                cairn: it rests on Aleph Cloud, with the account \(account).
                       What is stored there stays while it can pay: see “cairn aleph balance”.

                """)
        }
    }
}

struct RecoverCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Bring a volume to this machine from its recovery phrase.",
        discussion: """
            The phrase is read from standard input, or from a file; never from an argument, where \
            other users could see it. Only the volume's head is fetched: folders and files come \
            when somebody looks at them. Of a volume that is on this machine and lacks its key, or \
            the passphrase of it, only the key file is made again.

            EXAMPLES
              cairn recover home --store file:///mnt/nas/cairn
              cairn recover home --store /srv/cairn --phrase-file phrase.txt
            """)

    @OptionGroup var volume: VolumeOptions
    @OptionGroup var state: StateOptions

    @Option(
        "A file with the 24 words; else they are read from standard input.", value: "file",
        completion: .file())
    var phraseFile: String?

    func run() throws {
        let creation = try volume.creation(in: try state.folder())
        let readsPhrase = phraseFile == nil || phraseFile == "-"
        if readsPhrase, volume.passphraseFile == "-" {
            throw CommandFailure(
                .usage, "standard input cannot be both the phrase and the passphrase",
                advice: "give one of them in a file")
        }
        guard try creation.recover(try SecretInput.phrase(from: phraseFile)) else {
            return Output.note("cairn: the key file of “\(creation.name)” is made again.\n")
        }
        Output.note(
            """
            cairn: the volume “\(creation.name)” is on this machine.
                   Mount it with: cairn mount \(creation.name) DIR

            """)
    }
}
