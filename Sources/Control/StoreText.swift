// SPDX-License-Identifier: Apache-2.0
//
// A store as the person writes it, and what its failures mean to them.

package import Cryptography
package import RemoteStores
package import Stores

/// Reads and explains stores.
package enum StoreText {
    /// The store that `--store` names; a relative path counts from the current directory.
    package static func parse(_ text: String) throws(CommandFailure) -> StoreURL {
        let isPath = !text.contains(":") && !text.isEmpty
        let absolute = isPath ? try StateFolder.absolute(text) : text
        do {
            return try StoreURL(absolute)
        } catch {
            throw CommandFailure(
                .usage, "“\(text)” is no store: \(error)",
                advice:
                    "a store is a folder, such as file:///mnt/nas/cairn, or a place on S3, such as"
                    + " s3://bucket/cairn?endpoint=https://host, or aleph://NODE")
        }
    }

    /// Opens a store.
    ///
    /// - Parameters:
    ///   - create: make it when it is not there.
    ///   - settings: how it is used.
    ///   - pads: where the pads rest, if not there.
    ///   - budget: what may be spent; nil for no limit.
    ///   - known: remembers which stores these are.
    ///   - seed: the volume's, for stores that belong to an account.
    package static func open(
        _ url: StoreURL, create: Bool, settings: StoreSettings = StoreSettings(),
        pads: StoreURL? = nil, budget: SpendingBudget? = nil, known: KnownStores? = nil,
        seed: SecretBytes? = nil
    ) throws(CommandFailure) -> OpenedStores {
        do {
            return try StoreFactory.open(
                url, create: create, settings: settings, pads: pads, budget: budget, known: known,
                seed: seed)
        } catch {
            let failure = failure(error, url)
            guard create, case .notAStore = error, url.isFolder else { throw failure }
            throw CommandFailure(
                failure.code, failure.sentence,
                advice: "name an empty folder, or a new one in a folder that is there; is its disk"
                    + " mounted?")
        }
    }

    /// The sentence for a failure of the store at `url`.
    package static func failure(_ error: StoreError, _ url: StoreURL) -> CommandFailure {
        let sentence = "the store “\(url.text)” cannot be used: \(error)"
        return switch error {
        case .full, .quotaExceeded:
            CommandFailure(.storeFull, sentence, advice: "make room there, then try again")
        case .paymentRequired, .unpaid:
            CommandFailure(.storeFull, sentence, advice: "pay it, then try again")
        case .missing, .missingPad, .corrupt, .corruptPad:
            CommandFailure(
                .damaged, sentence,
                advice: "restore the store from its backup; the files that do not"
                    + " need that part are still readable")
        case .unreachable, .busy:
            CommandFailure(.storeUnusable, sentence, advice: "see that it is there, then try again")
        case .readOnly:
            CommandFailure(
                .storeUnusable, sentence, advice: "see who may write there, then try again")
        case .refused:
            CommandFailure(
                .storeUnusable, sentence, advice: "set right what it names, then try again")
        case .notAStore:
            CommandFailure(
                .storeUnusable, sentence,
                advice: url.isFolder
                    ? "is it the right path, and is its disk mounted? “cairn init” makes a"
                        + " new store"
                    : "is it the right address? “cairn init” makes a new store in a bucket that is"
                        + " there")
        case .newerFormat:
            CommandFailure(.storeUnusable, sentence, advice: "use a newer cairn")
        case .tooLarge:
            CommandFailure(.storeUnusable, sentence)
        }
    }
}

extension StoreURL {
    /// Whether a person finds what is wrong with it on this machine's disks.
    fileprivate var isFolder: Bool {
        if case .folder = self { true } else { false }
    }
}
