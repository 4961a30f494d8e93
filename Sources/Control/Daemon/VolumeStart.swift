// SPDX-License-Identifier: Apache-2.0
//
// From a folder, its settings and its seed to a running engine.

package import Cryptography
package import Engine
import Namespace
package import RemoteStores
import Stores

/// Starts the engine of a volume.
package struct VolumeStart: Sendable {
    /// The volume's folder, whose lock the caller holds for the engine's life.
    package var folder: VolumeFolder
    /// Its settings.
    package var configuration: VolumeConfiguration
    /// The store it rests on.
    package var store: StoreURL
    /// Where its pads rest, if not there.
    package var pads: StoreURL?
    /// What this mount wants otherwise.
    package var settings = MountSettings()
    /// Whether this is a mount, which shows other trees beside the volume's.
    package var isMount = false

    /// - Throws: `invalidConfiguration` when the configuration names no store.
    package init(
        folder: VolumeFolder, configuration: VolumeConfiguration
    ) throws(CommandFailure) {
        self.folder = folder
        self.configuration = configuration
        // Not a relative path: what a file names must not depend on who reads it, and where.
        guard configuration.store.contains(":") || configuration.store.hasPrefix("/") else {
            throw Self.unusable(folder, "“\(configuration.store)” is no store")
        }
        do {
            store = try StoreText.parse(configuration.store)
            pads = try configuration.pads.map { (text) throws(CommandFailure) in
                try StoreText.parse(text)
            }
        } catch {
            throw Self.unusable(folder, error.sentence)
        }
    }

    private static func unusable(_ folder: VolumeFolder, _ problem: String) -> CommandFailure {
        CommandFailure(
            .invalidConfiguration, "“\(folder.configuration)”: \(problem)",
            advice: "mend its line “store = …”: a URL such as file:///mnt/nas/cairn")
    }

    /// The seed of the volume, from its key file.
    ///
    /// - Parameter passphrase: where to get it from, asked for only when the key is sealed.
    package static func seed(
        of folder: VolumeFolder, passphrase: SecretInput.Source
    ) throws(CommandFailure) -> SecretBytes {
        try ProcessSettings.protectMemory()
        let file = try KeyFile.read(from: folder)
        let secret: SecretBytes? =
            file.isSealed ? try SecretInput.passphrase(from: passphrase, repeats: false) : nil
        do {
            return try file.seed(passphrase: secret)
        } catch {
            throw error.asFailure(folder.keyFile)
        }
    }

    /// Most bytes that files and pads may have together; the mount's word before the volume's.
    var quota: UInt64? { settings.quota ?? configuration.quota }

    /// Starts the engine.
    ///
    /// - Parameters:
    ///   - mode: how the state comes to be; `create` also makes the store.
    /// - Throws: the sentence for whatever went wrong.
    package func start(_ mode: StartMode, seed: SecretBytes) throws(CommandFailure) -> Engine {
        let keys = VolumeKeys(seed: seed)
        guard keys.volumeID == configuration.volumeID else {
            throw CommandFailure(
                .invalidConfiguration,
                "the key file of “\(folder.name)” belongs to another volume than its configuration",
                advice: "“cairn recover \(folder.name)” makes it again from the phrase")
        }
        let stores = try openStores(create: mode == .create, seed)
        var engine = EngineConfiguration(
            stateFolder: folder.path, chunks: stores.chunks, pads: stores.pads, keys: keys)
        engine.compression = configuration.compression
        engine.cacheBudget = settings.cache ?? configuration.cache
        engine.quota = quota
        engine.inlineLimit = Int(configuration.inlineLimit)
        engine.deviceName = configuration.device
        engine.publishDelay = configuration.publishDelay
        if let interval = configuration.publishInterval {
            // The first change after a revision waits so long, and takes all others with it.
            engine.publishDelay = interval
            engine.publishCeiling = interval
            // Pads on such a store cost a change of it each.
            if configuration.pads == nil { engine.padDelay = interval }
        }
        engine.downloadLimit = settings.downloadLimit
        engine.readDeadline = configuration.readDeadline
        engine.fsyncIsRemote = settings.fsyncIsRemote
        engine.accessTimes = settings.accessTimes
        engine.isReadOnly = settings.isReadOnly
        if isMount,
            let aleph = try AlephMount.tree(of: folder, settings, seed, cache: engine.cacheBudget)
        {
            engine.trees = [aleph]
        }
        try folder.forgetLeft()
        do {
            return try Engine.start(engine, mode: mode)
        } catch {
            throw failure(error)
        }
    }

    private func openStores(
        create: Bool, _ seed: SecretBytes
    ) throws(CommandFailure) -> OpenedStores {
        do {
            let budget = try configuration.spendingLimit.map { (limit) throws(StoreError) in
                try SpendingBudget(limit: limit, path: folder.path + "/spent")
            }
            let limits = StoreSettings(
                uploadLimit: settings.uploadLimit, downloadLimit: settings.downloadLimit)
            return try StoreText.open(
                store, create: create, settings: limits, pads: pads, budget: budget,
                known: KnownStores(path: folder.path + "/known-stores"), seed: seed)
        } catch let error as StoreError {
            throw StoreText.failure(error, store)
        } catch let error as CommandFailure {
            throw error
        } catch {
            throw CommandFailure(.failure, "the stores cannot be opened")
        }
    }

    private func failure(_ error: EngineStartError) -> CommandFailure {
        switch error {
        case .noVolumeOnStore:
            CommandFailure(
                .noSuchVolume, "the store “\(store.text)” has no volume of this phrase",
                advice: "is it the right store, and the right phrase?")
        case .damagedRoot(let problem):
            CommandFailure(
                .damaged, "the volume on “\(store.text)” is damaged: \(problem)",
                advice: "restore the store from its backup")
        case .store(let error):
            StoreText.failure(error, store)
        case .state(let problem):
            CommandFailure(
                .damaged, "the local state of “\(folder.name)” cannot be used: \(problem)",
                advice:
                    "see that its disk is well, and try again; “cairn recover” in another state"
                    + " folder (--state) takes up what is on the store, and nothing here is lost")
        case .newerState(let schema):
            CommandFailure(
                .failure,
                "a newer cairn wrote the local state of “\(folder.name)” (schema \(schema))",
                advice: "nothing is damaged: mount it with that version, or a later one")
        case .noRoom:
            CommandFailure(
                .failure, "the disk that “\(folder.path)” is on has no room left",
                advice: "nothing is damaged: make room there, then try again")
        case .alreadyExists:
            CommandFailure(
                .volumeExists, "the store “\(store.text)” has a volume of this phrase already",
                advice: "“cairn recover” brings it to this machine")
        }
    }
}
