// SPDX-License-Identifier: Apache-2.0
//
// The check of the store: everything that the root pad leads to. The root, the log of revisions,
// each page and each data map are fetched and verified; of chunks it is asked whether they are
// there, or, if wanted, they are fetched and decrypted too.
//
// Invariants:
// 1. Nothing is believed that its digest, seal or signature does not prove.
// 2. What it keeps does not grow with the volume: one leaf of each directory on the way down, one
//    batch of chunks, and what has a limit: what is to be mended, and the numbers of files with
//    several names.
// 3. It writes only chunks that are missing or damaged, under the address they had.
// 4. Only damage of the store is a finding. A store that does not answer ends the check.

import Compression
import Metadata
import Namespace
import Primitives
import Scratchpads
import Stores
import Threading

/// How thoroughly the store is checked.
package struct StoreCheckOptions: Sendable {
    /// Chunks are fetched and decrypted, not only asked after.
    package var readsChunks = false
    /// What is lost and still on this machine is put back.
    package var repairs = false
    /// The local state is ours, and may be looked at.
    package var usesLocalState = true

    /// The quick look that changes nothing.
    package init() {}
}

/// One look at everything on a store. Used once, by one thread.
package final class StoreCheck {
    let target: CheckTarget
    let stores: CheckStores
    let options: StoreCheckOptions
    let report: CheckReport
    let meter: Meter
    let pool = WorkerPool("cairn-check", threads: CheckLimits.storeThreads)
    private(set) var local: LocalContent?
    var plan = RepairPlan()
    var batch: [ChunkUse] = []
    var tallies: [FileTally] = []
    /// Chunks were put that the store has not made durable.
    var isUnsynced = false
    /// This machine knows the newest revision, so what it publishes replaces what is lost.
    private(set) var canRepublish = false
    /// The local state is there to look at.
    private var hasState = false
    /// The inodes in the hard-link table; nil if not all of them are known.
    var linked: Set<UInt64>? = []
    /// What is wrong with inodes of several names: said with each name.
    var linkFindings: [UInt64: [Finding]] = [:]

    /// - Parameters:
    ///   - target: the volume.
    ///   - stores: where it rests.
    ///   - options: what is to be done.
    ///   - report: told of each finding.
    package init(
        _ target: CheckTarget, _ stores: CheckStores, _ options: StoreCheckOptions,
        report: CheckReport
    ) {
        self.target = target
        self.stores = stores
        self.options = options
        self.report = report
        meter = Meter(report)
    }

    /// Runs the check.
    ///
    /// - Returns: what is still to be mended by `Repair`; empty without `options.repairs`.
    /// - Throws: `store` when the store failed; damage is found, not thrown.
    package func run() throws(CheckError) -> RepairPlan {
        defer { pool.stop() }
        let state = options.usesLocalState ? openState() : nil
        defer { state?.close() }
        hasState = state != nil
        meter.begin(.store)
        let known = state.flatMap { try? $0.snapshot.integer("revision") }.map {
            UInt64(bitPattern: $0)
        }
        guard let root = try root(known) else { return plan }
        if let state {
            local = LocalContent(state, quality: root.compression == 1 ? .autonomi : .fast)
        }
        canRepublish = known.map { $0 >= root.revision } ?? false
        if let known, root.revision < known {
            plan.forcesRoot = options.repairs
            report.found(
                Finding(.volume, .rollback(offered: root.revision, known: known), planned))
        }
        try walkTable(root.hardLinks)
        try walk(root.files, named: "files")
        try walk(root.scratchpads, named: "scratchpads")
        try flush()
        for (ino, findings) in linkFindings.sorted(by: { $0.key < $1.key }) {
            // No name led to it any more, or none that could be read.
            for finding in findings where !finding.isNamed {
                report.found(Finding(.inode(ino), finding.problem, finding.remedy))
            }
        }
        try walkLog(root.revisionLog)
        if isUnsynced { try store { () throws(StoreError) in try stores.chunks.sync() } }
        return plan
    }

    /// The state, unless it is damaged: the local check says how.
    private func openState() -> LocalState? {
        guard let state = try? LocalState(target) else { return nil }
        guard (try? state.snapshot.value("volume-id")) == target.keys.volumeID else {
            state.close()
            return nil
        }
        return state
    }

    // MARK: The root

    private func root(_ known: UInt64?) throws(CheckError) -> Root? {
        let capability = target.keys.rootPad
        let record: PadRecord?
        do {
            record = try stores.pads.get(capability.address)
        } catch {
            guard case .corruptPad = error else { throw .store(error) }
            lose(.rootDamaged("its record does not verify"), known)
            return nil
        }
        guard let record else {
            lose(.rootMissing, known)
            return nil
        }
        do {
            let root = try Root(decoding: try capability.reading.open(record))
            guard root.volumeID == target.keys.volumeID, root.revision == record.counter else {
                lose(.rootDamaged("it names another volume or revision"), known)
                return nil
            }
            return root
        } catch {
            lose(.rootDamaged("\(error)"), known)
            return nil
        }
    }

    private func lose(_ problem: Problem, _ known: UInt64?) {
        canRepublish = known != nil
        plan.forcesRoot = options.repairs && canRepublish
        report.found(Finding(.volume, problem, planned))
    }

    /// The remedy of what this machine would publish anew.
    var planned: Remedy {
        if !options.usesLocalState { return .unmounted }
        if !hasState { return .lost }
        return canRepublish ? .repairable : .elsewhere
    }

    // MARK: The log of revisions

    private func walkLog(_ newest: PageReference?) throws(CheckError) {
        var walker = RevisionWalker(newest: newest)
        var isNewest = true
        while true {
            do throws(PageWalkError<StoreError>) {
                guard try walker.next(fetch) != nil else { return }
            } catch {
                let loss = try loss(error)
                if isNewest, options.repairs, canRepublish { plan.forcesRoot = true }
                return report.found(
                    Finding(
                        .volume, .revisionLog(loss, isNewest: isNewest),
                        isNewest ? planned : .history))
            }
            isNewest = false
            meter.step()
        }
    }

    // MARK: Asking the store

    func fetch(_ digest: Digest) throws(StoreError) -> [UInt8] { try stores.chunks.get(digest) }

    /// How a page is lost.
    ///
    /// - Throws: `store` when the store failed otherwise.
    func loss(_ error: PageWalkError<StoreError>) throws(CheckError) -> Loss {
        switch error {
        case .fetch(let cause): try loss(cause)
        case .page: .damaged
        }
    }

    /// How a chunk is lost.
    ///
    /// - Throws: `store` when the store failed otherwise.
    func loss(_ error: StoreError) throws(CheckError) -> Loss {
        switch error {
        case .missing: .missing
        case .corrupt: .damaged
        default: throw .store(error)
        }
    }

    func store<R>(_ body: () throws(StoreError) -> R) throws(CheckError) -> R {
        do { return try body() } catch { throw .store(error) }
    }
}

extension Finding {
    /// It was said with a path.
    var isNamed: Bool { if case .path = place { true } else { false } }
}

/// What is to be made anew from rows and published: `Repair` does it.
package struct RepairPlan: Sendable, Equatable {
    /// Directories whose pages are lost; 0 for the hard-link table.
    package var directories: Set<UInt64> = []
    /// Pads whose records are lost, with the highest counter the published pages know.
    package var pads: [UInt64: UInt64] = [:]
    /// A new root is wanted, whatever else.
    package var forcesRoot = false

    /// True when there is nothing to do.
    package var isEmpty: Bool { directories.isEmpty && pads.isEmpty && !forcesRoot }
    /// True when the next run has to do the rest.
    var isFull: Bool { directories.count + pads.count >= CheckLimits.repairs }
}
