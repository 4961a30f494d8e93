// SPDX-License-Identifier: Apache-2.0
//
// `cairn check`: what of a volume is damaged, on this machine and on its store.

import Check
import Cryptography
import Engine
import Namespace
import RemoteStores

/// Checks one volume.
package struct VolumeCheck {
    /// Where this machine keeps its volumes.
    package var state: StateFolder
    /// The store is looked at too.
    package var checksStore = false
    /// Every chunk is fetched and decrypted.
    package var readsChunks = false
    /// What can be mended is.
    package var repairs = false
    /// Where a passphrase comes from, if the key is sealed.
    package var passphrase = SecretInput.Source.terminal
    /// Told of each finding, in one line without its end.
    package var found: (String) -> Void = { _ in }
    /// Told how far it is, in one line for a terminal.
    package var progress: (String) -> Void = { _ in }

    /// - Parameter state: where this machine keeps its volumes.
    package init(state: StateFolder) { self.state = state }

    /// Runs the check.
    ///
    /// - Parameter text: which volume, as `VolumeTarget` takes it.
    /// - Throws: `damageFound` when something is damaged at the end; `stateInUse` for what needs
    ///   the local state of a mounted volume; else why it could not be done.
    package func run(_ text: String?) throws(CommandFailure) {
        let target = try VolumeTarget(text, in: state)
        let isMounted = target.status != nil
        if isMounted { try requireStoreOnly(target.folder) }
        let configuration = try VolumeConfiguration.read(from: target.folder)
        let start = try VolumeStart(folder: target.folder, configuration: configuration)
        let seed = try VolumeStart.seed(of: target.folder, passphrase: passphrase)
        let lock = isMounted ? nil : try target.folder.lock()
        defer { withExtendedLifetime(lock) {} }
        // What is repaired is yet to be published.
        if repairs { try target.folder.forgetLeft() }
        let tally = Tally()
        let report = CheckReport(
            found: { finding in
                if finding.remedy.isDone { tally.mended += 1 } else { tally.damaged += 1 }
                found(finding.line)
            }, progress: { progress($0.line) })
        var run = CheckRun(
            CheckTarget(
                keys: VolumeKeys(seed: seed), stateFolder: target.folder.path,
                cacheBudget: configuration.cache),
            report: report, publish: { () throws(CheckError) in try Self.publish(start, seed) })
        if checksStore {
            let opened = try StoreText.open(
                start.store, create: false, pads: start.pads, seed: seed)
            run.stores = CheckStores(chunks: opened.chunks, pads: opened.pads)
        }
        run.options.readsChunks = readsChunks
        run.options.repairs = repairs
        run.options.usesLocalState = !isMounted
        do {
            try run.run()
        } catch {
            throw failure(error, start)
        }
        if tally.damaged > 0 { throw damage(tally.damaged, target.folder) }
    }

    private final class Tally {
        var damaged: UInt64 = 0
        var mended: UInt64 = 0
    }

    private func requireStoreOnly(_ folder: VolumeFolder) throws(CommandFailure) {
        let advice = "“cairn unmount \(folder.name)” first"
        guard checksStore else {
            throw CommandFailure(
                .stateInUse,
                "the volume “\(folder.name)” is mounted, and its local state in use",
                advice: advice + "; --store checks the store of a mounted volume too")
        }
        guard repairs else { return }
        throw CommandFailure(
            .stateInUse, "the volume “\(folder.name)” is mounted, and cannot be repaired",
            advice: advice)
    }

    /// Has an engine publish what was marked.
    private static func publish(
        _ start: VolumeStart, _ seed: SecretBytes
    ) throws(CheckError) {
        let engine: Engine
        do {
            engine = try start.start(.existing, seed: seed)
        } catch {
            throw .state(error.sentence)
        }
        let outcome = engine.synchronizeRemotely(timeout: nil)
        let last = engine.stop(finishing: nil)
        if let changes = last.uncommitted { throw .state(Daemon.lost(changes).sentence) }
        start.folder.noteLeft(StatusText.left(by: last))
        switch outcome {
        case .published: return
        case .failed(let sentence): throw .unpublished(sentence)
        case .timedOut: throw .unpublished("the time is up")
        }
    }

    private func failure(_ error: CheckError, _ start: VolumeStart) -> CommandFailure {
        switch error {
        case .store(let error): StoreText.failure(error, start.store)
        case .state(let words):
            CommandFailure(
                .failure, "the local state of “\(start.folder.name)” cannot be checked: \(words)")
        case .unpublished(let words):
            CommandFailure(
                .unpublished, "what was repaired is not on the store yet: \(words)",
                advice: "it goes out when the volume is mounted and the store takes it")
        }
    }

    private func damage(_ count: UInt64, _ folder: VolumeFolder) -> CommandFailure {
        CommandFailure(
            .damageFound,
            "\(StatusText.count(count, "thing")) in “\(folder.name)” \(count == 1 ? "is" : "are")"
                + " damaged", advice: "each has a line above, which says what can be done")
    }
}

extension CheckProgress {
    /// One line for a terminal.
    fileprivate var line: String {
        switch stage {
        case .database: "cairn: the database …"
        case .names: "cairn: names: \(count)"
        case .content: "cairn: small files: \(count)"
        case .blocks: "cairn: cached blocks: \(amount)"
        case .store: "cairn: the store: \(count) files, \(amount) chunks"
        }
    }
}
