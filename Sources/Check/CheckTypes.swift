// SPDX-License-Identifier: Apache-2.0
//
// What a check is told, what it tells, and its limits.

package import Namespace
package import Stores

/// Every limit of a check.
package enum CheckLimits {
    /// Chunks that the store is asked about together.
    package static let chunkBatch = 1024
    /// Calls to the store at the same time.
    package static let storeThreads = 8
    /// Directories that are held open on the way down. A path the kernel takes has at most 2048.
    package static let depth = 4096
    /// Steps up from an inode to the root; the engine makes no deeper tree.
    package static let ancestors = 100_000
    /// Directories known to lead to the root, kept so that each is not walked up again.
    package static let knownDirectories = 65_536
    /// Files with several names that are remembered, some 64 MiB of them. Of a volume that has more
    /// it is not said which links lead to nothing.
    package static let linkedFiles = 1 << 22
    /// Damaged directories, pads and files that one run mends; the rest is for the next run.
    package static let repairs = 100_000
    /// Looks at the store of one run that mends: each may show what the one before could not reach.
    package static let passes = 64
    /// Rows and chunks between two reports of progress.
    package static let progressStep: UInt64 = 1024
}

/// The volume that a check is about, as it is on this machine.
package struct CheckTarget: Sendable {
    /// The volume's keys.
    package var keys: VolumeKeys
    /// The volume's own state folder; locked by the caller for as long as it is looked at.
    package var stateFolder: String
    /// Most bytes of the arena, as the volume is configured.
    package var cacheBudget: UInt64

    /// - Parameters: as the properties.
    package init(keys: VolumeKeys, stateFolder: String, cacheBudget: UInt64) {
        self.keys = keys
        self.stateFolder = stateFolder
        self.cacheBudget = cacheBudget
    }
}

/// Where the volume rests.
package struct CheckStores: Sendable {
    /// Where chunks rest.
    package var chunks: any ChunkStore
    /// Where pads rest.
    package var pads: any PadStore

    /// - Parameters: as the properties.
    package init(chunks: any ChunkStore, pads: any PadStore) {
        self.chunks = chunks
        self.pads = pads
    }
}

/// How far a check is.
package struct CheckProgress: Equatable, Sendable {
    /// What it looks at.
    package enum Stage: Sendable {
        case database, names, content, blocks, store
    }

    /// What it looks at.
    package var stage: Stage
    /// Rows, or on the store files.
    package var count: UInt64 = 0
    /// Blocks, or chunks on the store.
    package var amount: UInt64 = 0
}

/// Why a check could not be done. Damage is no reason: that is what it finds.
package enum CheckError: Error, Equatable, Sendable {
    /// The store does not answer, or refuses.
    case store(StoreError)
    /// The local state is in use, its disk is full, or failed otherwise; the text says how.
    case state(String)
    /// What was mended could not be published; the text says why.
    case unpublished(String)
}

/// Where a check tells what it finds and how far it is.
package struct CheckReport {
    /// Called with each finding, as it is found.
    package var found: (Finding) -> Void
    /// Called every now and then.
    package var progress: (CheckProgress) -> Void

    /// - Parameters: as the properties.
    package init(
        found: @escaping (Finding) -> Void,
        progress: @escaping (CheckProgress) -> Void = { _ in }
    ) {
        self.found = found
        self.progress = progress
    }
}

/// Counts what was looked at, and reports it now and then. Of one thread.
final class Meter {
    private let report: CheckReport
    private var progress = CheckProgress(stage: .database)

    init(_ report: CheckReport) { self.report = report }

    /// Another part begins.
    func begin(_ stage: CheckProgress.Stage) {
        progress = CheckProgress(stage: stage)
        report.progress(progress)
    }

    /// One more row or file.
    func step() {
        progress.count += 1
        if progress.count % CheckLimits.progressStep == 0 { report.progress(progress) }
    }

    /// More bytes or chunks.
    func add(_ amount: UInt64) {
        let step = CheckLimits.progressStep
        let before = progress.amount / step
        progress.amount += amount
        if progress.amount / step != before { report.progress(progress) }
    }
}
