// SPDX-License-Identifier: Apache-2.0
//
// `cairn init` and `cairn recover`: a volume comes to this machine, new or from its phrase.
//
// Invariants:
// - the phrase is shown once, after everything that could fail has been done, and before the volume
//   counts as made: a volume whose phrase nobody saw does not stay;
// - what goes wrong leaves no folder behind, and never touches a volume that is complete. But where
//   the store wants money on an account that the seed makes, the seed stays, so that there is such
//   an account to pay to: the same command goes on with it.

import Aleph
package import Compression
package import Cryptography
import Engine
import Namespace
import RemoteStores

/// Makes volumes, or brings them back.
package struct VolumeCreation: Sendable {
    /// How long the first publication may take.
    private static let finishTime = Duration.seconds(60)

    /// Where this machine keeps its volumes.
    package var state: StateFolder
    /// What the volume is to be called here.
    package var name: VolumeName
    /// `--store`; nil for the folder store beside the state folder.
    package var store: String?
    /// `--pads`; nil for the store itself.
    package var pads: String?
    /// `--spending-limit`, in the smallest unit of the store's token; nil for none.
    package var spendingLimit: String?
    /// `--publish-interval`; nil for none.
    package var publishInterval: Duration?
    /// Where a passphrase for the key file comes from; nil for none.
    package var passphrase: SecretInput.Source?
    /// Brotli quality of new chunks; nil for what suits the store.
    package var compression: BrotliQuality?
    /// `--inline-limit`; nil for the default.
    package var inlineLimit: UInt64?
    /// `--cache`; nil for the default.
    package var cache: UInt64?
    /// `--quota`; nil for none.
    package var quota: UInt64?
    /// `--device`; nil for the machine's name.
    package var device: String?

    /// The necessary parts.
    package init(state: StateFolder, name: VolumeName) {
        self.state = state
        self.name = name
    }

    /// Makes a new volume.
    ///
    /// - Parameter show: shows the 24 words. When it throws, the volume is not made.
    /// - Returns: the accounts that the volume's stores belong to, where they do.
    @discardableResult
    package func create(
        show: (String) throws(CommandFailure) -> Void
    ) throws(CommandFailure) -> [String] {
        let seed = try waitingSeed() ?? SecretBytes(randomCount: VolumeKeys.seedSize)
        return try make(.create, seed, show: show)
    }

    /// Brings a volume back from its phrase; of one that is here and lacks a key that opens, the
    /// key alone.
    ///
    /// - Returns: false when it was only the key.
    @discardableResult
    package func recover(_ phrase: RecoveryPhrase) throws(CommandFailure) -> Bool {
        let folder = state.volume(name)
        if folder.isComplete {
            try recoverKey(phrase.entropy, folder)
            return false
        }
        guard !folder.isWaiting else {
            throw CommandFailure(
                .volumeExists, "a new volume “\(name)” waits for money on its account",
                advice: "choose another name, or remove “\(folder.waitingKeyFile)” if nothing was"
                    + " paid")
        }
        _ = try make(.recover, phrase.entropy) { _ in }
        return true
    }

    /// Writes the key file of a volume that is here, and nothing else: what is not on the store
    /// stays. A key that opens by itself is never replaced.
    private func recoverKey(
        _ seed: SecretBytes, _ folder: VolumeFolder
    ) throws(CommandFailure) {
        try ProcessSettings.protectMemory()
        let volumeID = try VolumeConfiguration.read(from: folder).volumeID
        guard VolumeKeys(seed: seed).volumeID == volumeID, !opens(folder, volumeID) else {
            throw standing(folder)
        }
        let key = try keyFile(seed)
        let lock = try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        try key.write(to: folder)
    }

    /// Whether the key file opens without a passphrase, and is the volume's.
    private func opens(_ folder: VolumeFolder, _ volumeID: [UInt8]) -> Bool {
        do {
            let file = try KeyFile.read(from: folder)
            guard !file.isSealed else { return false }
            return VolumeKeys(seed: try file.seed(passphrase: nil)).volumeID == volumeID
        } catch {
            // Missing, damaged, or not to be read: what it is made again for.
            return false
        }
    }

    private func make(
        _ mode: StartMode, _ seed: SecretBytes, show: (String) throws(CommandFailure) -> Void
    ) throws(CommandFailure) -> [String] {
        try ProcessSettings.protectMemory()
        var configuration = try configuration(seed)
        let accounts = try settle(&configuration, seed)
        // Asked for before anything is made.
        let key = try keyFile(seed)
        let folder = state.volume(name)
        guard !folder.isComplete else { throw standing(folder) }
        if store == nil, mode == .create { try makeStandardStore() }
        try folder.make()
        let lock = try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        // Between the first look and the lock, somebody may have been faster.
        guard !folder.isComplete else { throw standing(folder) }
        try folder.clear()
        do {
            let start = try VolumeStart(folder: folder, configuration: configuration)
            let last = try start.start(mode, seed: seed).stop(finishing: Self.finishTime)
            if last.uncommitted == nil { folder.noteLeft(StatusText.left(by: last)) }
            try key.write(to: folder)
            try show(RecoveryPhrase(entropy: seed).words)
            try configuration.write(to: folder)
        } catch {
            if mode == .create, error.code == .storeFull, let account = accounts.first {
                throw try waiting(for: error, folder, key, account)
            }
            if folder.isWaiting { try folder.clear() } else { try folder.remove() }
            throw error
        }
        try folder.removeWaitingKey()
        return accounts
    }

    // MARK: Stores

    /// Settles the stores as the volume writes them down, with what is asked of them once.
    ///
    /// - Returns: the accounts that they belong to.
    private func settle(
        _ configuration: inout VolumeConfiguration, _ seed: SecretBytes
    ) throws(CommandFailure) -> [String] {
        let store = try settled(configuration.store, seed, hasOtherPads: configuration.pads != nil)
        configuration.store = store.text
        var urls = [store]
        if let pads = configuration.pads {
            let url = try settled(pads, seed, hasOtherPads: false)
            configuration.pads = url.text
            urls.append(url)
        }
        return urls.compactMap { url in
            if case .aleph(let address) = url { address.account } else { nil }
        }
    }

    private func settled(
        _ text: String, _ seed: SecretBytes, hasOtherPads: Bool
    ) throws(CommandFailure) -> StoreURL {
        let url = try StoreText.parse(text)
        do {
            return try StoreFactory.settled(url, hasOtherPads: hasOtherPads, seed: seed)
        } catch {
            throw StoreText.failure(error, url)
        }
    }

    // MARK: Money

    /// The seed of a volume that waits for money.
    private func waitingSeed() throws(CommandFailure) -> SecretBytes? {
        let folder = state.volume(name)
        guard folder.isWaiting else { return nil }
        let file = try KeyFile.read(at: folder.waitingKeyFile)
        let secret: SecretBytes? =
            file.isSealed
            ? try SecretInput.passphrase(from: passphrase ?? .terminal, repeats: false) : nil
        do {
            return try file.seed(passphrase: secret)
        } catch {
            throw error.asFailure(folder.waitingKeyFile)
        }
    }

    /// Keeps the seed, and with it the account.
    private func waiting(
        for error: CommandFailure, _ folder: VolumeFolder, _ key: KeyFile, _ account: String
    ) throws(CommandFailure) -> CommandFailure {
        try folder.clear()
        try key.write(at: folder.waitingKeyFile)
        return CommandFailure(
            error.code, error.sentence,
            advice: "pay to the account \(account), then give the same command again: it keeps this"
                + " account")
    }

    private func standing(_ folder: VolumeFolder) -> CommandFailure {
        CommandFailure(
            .volumeExists, "there is a volume “\(name)” in “\(state.path)” already",
            advice: "choose another name, or remove “\(folder.path)” if nothing in it is needed")
    }

    private func configuration(_ seed: SecretBytes) throws(CommandFailure) -> VolumeConfiguration {
        let text = store ?? state.standardStore(of: name)
        let url = try StoreText.parse(text)
        if case .folder(path: let path) = url,
            path == state.path || path.hasPrefix(state.path + "/")
        {
            throw CommandFailure(
                .usage, "the store “\(path)” is inside the state folder",
                advice: "put it elsewhere: who deletes the local state would delete the only copy")
        }
        let device = device ?? Environment.hostName
        var configuration = VolumeConfiguration(
            volumeID: VolumeKeys(seed: seed).volumeID, store: url.text, device: device)
        configuration.compression = compression ?? Self.compression(for: url)
        if let pads { configuration.pads = try StoreText.parse(pads).text }
        configuration.publishInterval = publishInterval
        if let spendingLimit {
            guard let limit = TokenAmount(spendingLimit) else {
                throw CommandFailure(
                    .usage, "“\(spendingLimit)” is no sum",
                    advice: "write a whole number of the token's smallest unit")
            }
            configuration.spendingLimit = limit
        }
        if let inlineLimit { configuration.inlineLimit = inlineLimit }
        if let cache { configuration.cache = cache }
        configuration.quota = quota
        // What was just put together must be readable again: the options are checked by reading it.
        do {
            return try VolumeConfiguration(text: Array(configuration.text.utf8))
        } catch {
            throw CommandFailure(.usage, "these options make no sense: \(error.problem)")
        }
    }

    /// On the Autonomi network equal files meet at equal addresses only if they are compressed as
    /// its own clients do.
    private static func compression(for url: StoreURL) -> BrotliQuality {
        if case .autonomi = url { .autonomi } else { .fast }
    }

    private func keyFile(_ seed: SecretBytes) throws(CommandFailure) -> KeyFile {
        guard let passphrase else { return KeyFile(seed: seed) }
        let secret = try SecretInput.passphrase(from: passphrase, repeats: true)
        do {
            return try KeyFile(seed: seed, passphrase: secret)
        } catch {
            throw error.asFailure(state.volume(name).keyFile)
        }
    }

    /// The folder above the standard store; the store itself makes the rest.
    private func makeStandardStore() throws(CommandFailure) {
        let folder = state.path + "-store"
        do {
            try Files.makeDirectories(folder, mode: 0o700)
        } catch {
            throw CommandFailure(
                .storeUnusable, "the folder “\(folder)” for the store cannot be made", error,
                advice: "give another place with --store")
        }
    }
}

extension VolumeCreation {
    /// Sets the compression by its name.
    package mutating func setCompression(_ name: String) throws(CommandFailure) {
        guard let quality = BrotliQuality(name: name) else {
            throw CommandFailure(
                .usage, "there is no compression “\(name)”", advice: "use fast or autonomi")
        }
        compression = quality
    }
}
