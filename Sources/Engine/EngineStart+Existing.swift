// SPDX-License-Identifier: Apache-2.0
//
// A volume that is taken up again from its state folder. It runs whatever the store says, and
// whether it says anything: what is wrong with the store's root is a line in the log of errors.

import Metadata
import Namespace
import Scratchpads
import Stores
import Synchronization
import Threading

extension EngineStarter {
    /// How long a start waits for the store's root: enough for a store that is well, little enough
    /// for one that is not. A later answer is judged when it comes.
    static let rootPatience = Duration.seconds(1)

    func existing() throws(EngineStartError) -> Engine {
        let metadata = try openDatabase()
        let (volumeID, stored, pendingRoot) = try wrap { () throws(MetadataError) in
            try metadata.write { (reader) throws(MetadataError) in
                (
                    try reader.value("volume-id"), try HeadStorage.load(reader),
                    try reader.value("pending-root")
                )
            }
        }
        guard let volumeID else {
            throw .state("it holds no volume: run `cairn init` or `cairn recover`")
        }
        guard volumeID == configuration.keys.volumeID else {
            throw .state("it belongs to another volume than this phrase")
        }
        let head = try whole(
            stored ?? Publisher.Head(revision: 0, change: 0, hardLinks: nil, revisionLog: nil),
            metadata)
        // A record that does not decode was never put: this machine wrote it whole or not at all.
        let pending = pendingRoot.flatMap { try? PadRecord(decoding: $0) }
        let engine = try assemble(metadata, head: head, unanswered: pending)
        engine.watch.start(
            StoreWatch.Hooks(
                judge: { [weak engine] in
                    guard let engine else { return true }
                    return self.judge(self.answer(), head.revision, engine)
                },
                isBack: { [weak engine] in engine?.hurry() }))
        engine.watch.waitForJudgement(atMost: EngineStarter.rootPatience)
        return engine
    }

    /// The head, if every change up to its own was given out once.
    ///
    /// Where the count of changes is behind it, as earlier versions could leave it after a commit
    /// that a full disk had refused, others may have the same numbers and be in no revision. Then
    /// all that this machine has ever changed is published anew: what is on the store already
    /// costs little.
    private func whole(
        _ head: Publisher.Head, _ metadata: MetadataDatabase
    ) throws(EngineStartError) -> Publisher.Head {
        try wrap { () throws(MetadataError) in
            let count = try metadata.write { (reader) throws(MetadataError) in
                UInt64(bitPattern: try reader.integer("change") ?? 0)
            }
            if head.change <= count { return head }
            var begun = head
            begun.change = 0
            let changed = begun
            try metadata.write(frees: true) { (writer) throws(MetadataError) in
                // Above all that rows have, so that their numbers are not given out again.
                let highest = max(try writer.highestChange(), head.change)
                try writer.setInteger("change", Int64(bitPattern: highest))
                try HeadStorage.save(changed, writer)
            }
            try metadata.commit()
            try metadata.syncLog()
            return changed
        }
    }

    private func answer() -> Result<PadRecord?, EngineStartError> {
        Result { () throws(EngineStartError) in try rootRecord() }
    }

    /// Says what is wrong with the store's root, and publishes nothing over another machine's.
    ///
    /// - Returns: false if the store is away, and its root not yet known.
    private func judge(
        _ answer: Result<PadRecord?, EngineStartError>, _ revision: UInt64,
        _ engine: Engine
    ) -> Bool {
        let errors = engine.volume.errors
        switch answer {
        case .failure(.damagedRoot(let reason)):
            errors.add(.root, "the store's root pad is damaged: \(reason)")
        case .failure(.store(let error)):
            // The log has room for the first of these only, not for one each second.
            if engine.volume.counters.storeError != error {
                errors.add(.root, "the store's root pad could not be had: \(error)")
            }
            engine.volume.counters.storeFailed(error)
            return !error.isAbsence
        case .failure: break
        case .success(nil) where revision > 0:
            errors.add(
                .root,
                "the store has no root pad, although this machine has published revision "
                    + "\(revision): the next publication puts one there")
        case .success(nil): break
        case .success(.some(let record)):
            if !engine.publisher.isOwn(record) {
                engine.publisher.halt(at: record.counter)
            } else if record.counter < revision {
                errors.add(
                    .root,
                    "rollback: the store offers revision \(record.counter), this machine has seen "
                        + "\(revision)")
            }
        }
        engine.volume.counters.storeAnswered()
        return true
    }
}
