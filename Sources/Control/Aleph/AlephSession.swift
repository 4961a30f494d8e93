// SPDX-License-Identifier: Apache-2.0
//
// A command's way to Aleph Cloud: through which nodes, and as whom.

package import Aleph
package import AlephProtocol
import Cryptography
import Glibc
import HTTP

/// Nodes and account of one command.
package struct AlephSession: Sendable {
    /// Names nodes, with blanks between, for commands that are not told any.
    package static let nodesVariable = "CAIRN_ALEPH_NODES"
    /// Requests of one command at once.
    package static let connectionLimit = 16

    /// The network.
    package let client: AlephClient
    private let http: HTTPClient

    /// The most nodes that can be named.
    package static let nodeLimit = AlephNodeAddress.maximumCount

    /// Whether a text is the address of a node.
    package static func isNode(_ text: String) -> Bool {
        (try? AlephNodeAddress(text)) != nil  // Why not is said by who asks.
    }

    /// The nodes that the environment names.
    package static var namedNodes: [String] {
        Environment.value(nodesVariable)?.split(separator: " ").map(String.init) ?? []
    }

    /// Opens nothing yet.
    ///
    /// - Parameters:
    ///   - nodes: addresses; those of the environment, else public ones, if empty.
    ///   - connections: requests at once.
    ///   - patience: how long and how often nodes are asked.
    package init(
        nodes: [String], connections: Int = AlephSession.connectionLimit,
        patience: AlephPatience = AlephPatience()
    ) throws(CommandFailure) {
        let named = nodes.isEmpty ? AlephSession.namedNodes : nodes
        guard named.count <= AlephNodeAddress.maximumCount else {
            throw CommandFailure(
                .usage, "at most \(AlephNodeAddress.maximumCount) nodes can be named")
        }
        var addresses: [AlephNodeAddress] = []
        for name in named {
            do {
                addresses.append(try AlephNodeAddress(name))
            } catch {
                throw CommandFailure(
                    .usage, "“\(name)” is no node", advice: "write it as https://host:port")
            }
        }
        http = HTTPClient(
            HTTPClient.Configuration(
                userAgent: "cairn/\(Version.text)",
                connectionLimit: connections))
        client = AlephClient(
            nodes: addresses.isEmpty ? AlephNodeAddress.publicNodes : addresses,
            over: AlephHTTPTransport(http), patience: patience)
    }

    /// Ends what is under way, and asks nothing more.
    package func stop() { http.stop() }

    /// Runs a request of the network; its failure becomes a sentence.
    package func run<Result>(
        _ body: (AlephClient) throws(AlephError) -> Result
    ) throws(CommandFailure) -> Result {
        do {
            return try body(client)
        } catch {
            throw CommandFailure(error)
        }
    }
}

/// Who publishes, and through which nodes.
package struct AlephSpeaker: Sendable {
    let account: AlephAccount
    let session: AlephSession

    /// - Parameters:
    ///   - account: who signs.
    ///   - session: the way to the network.
    package init(_ account: AlephAccount, over session: AlephSession) {
        self.account = account
        self.session = session
    }
}

/// As whom a command speaks.
package struct AlephIdentity: Sendable {
    /// Where this machine keeps its volumes.
    package let state: StateFolder
    /// The volume whose account it is; nil for the only one.
    package var volume: String?
    /// A file with a key, instead of a volume's account; `-` is standard input.
    package var keyFile: String?
    /// The chain of that key.
    package var chain: AlephChain
    /// Where a passphrase comes from, if the volume's key is sealed.
    package var passphrase = SecretInput.Source.terminal

    /// - Parameters: as the properties.
    package init(
        state: StateFolder, volume: String?, keyFile: String?, chain: AlephChain,
        passphrase: SecretInput.Source
    ) {
        self.state = state
        self.volume = volume
        self.keyFile = keyFile
        self.chain = chain
        self.passphrase = passphrase
    }

    /// The volume's folder.
    package func folder() throws(CommandFailure) -> VolumeFolder {
        try VolumeTarget(volume, in: state).folder
    }

    /// The account.
    package func account() throws(CommandFailure) -> AlephAccount {
        if let keyFile {
            let key = try AlephIdentity.key(from: keyFile)
            do {
                return try AlephAccount(secret: key.secret, chain: chain)
            } catch {
                throw CommandFailure(error)
            }
        }
        let folder = try folder()
        let seed = try VolumeStart.seed(of: folder, passphrase: passphrase)
        return try AlephAccountFile.read(from: folder, seed: seed).account(seed: seed)
    }

    /// The address that was given, or that of the account.
    ///
    /// - Throws: also for a text that is no address.
    package func address(_ given: String?) throws(CommandFailure) -> String {
        guard let given else { return try account().address }
        guard let address = AlephAddress(given) else {
            throw CommandFailure(
                .usage, "“\(given.prefix(100))” is no address",
                advice: "an address is one of Solana, or 0x and 40 hexadecimal digits")
        }
        return address.text
    }

    /// Chooses the account of the volume.
    ///
    /// - Parameter importing: a file with its key; nil takes the one the seed makes.
    package func choose(
        importing: String?, replaces: Bool
    ) throws(CommandFailure) -> AlephAccount {
        let folder = try folder()
        let seed = try VolumeStart.seed(of: folder, passphrase: passphrase)
        let choice: AlephAccountFile =
            if let importing {
                .imported(chain, try AlephIdentity.key(from: importing).secret)
            } else {
                .derived(chain)
            }
        // Made before it is kept: what makes no account is no choice.
        let account = try choice.account(seed: seed)
        try choice.write(to: folder, seed: seed, replaces: replaces)
        return account
    }

    private static func key(from path: String) throws(CommandFailure) -> AccountKeyText {
        try ProcessSettings.protectMemory()
        var bytes: [UInt8]
        do {
            let file =
                path == "-"
                ? try Descriptor.open("/dev/stdin", O_RDONLY)
                : try Descriptor.open(path, O_RDONLY)
            bytes = try file.readAll(limit: AccountKeyText.maximumSize)
        } catch {
            throw CommandFailure(.unusablePath, "the key file “\(path)” cannot be read", error)
        }
        defer { Wiping.wipe(&bytes) }
        do {
            return try AccountKeyText(bytes)
        } catch {
            throw CommandFailure(
                .usage, "“\(path)” holds no account's key",
                advice: "it is 32 raw bytes, or their hex, or a key file of Solana's, or an"
                    + " export of Phantom's")
        }
    }
}
