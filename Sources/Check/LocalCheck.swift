// SPDX-License-Identifier: Apache-2.0
//
// The check of this machine's state: the database file, the rows against each other, and everything
// sealed against its seal. LocalCheck+Names.swift and LocalCheck+Content.swift have the parts.
//
// It reads each table once, in the order of its key, and keeps nothing but a bit for each slot of
// the arena: the memory it takes does not grow with the volume.

import Blocks
import Engine
import Metadata
import Namespace

/// Looks at the local state of one volume, which nobody else uses meanwhile.
package struct LocalCheck {
    let target: CheckTarget
    let report: CheckReport
    /// Damaged copies of what the store has are forgotten.
    let repairs: Bool
    let meter: Meter

    /// - Parameters:
    ///   - target: the volume.
    ///   - repairs: forget damaged copies of what the store has.
    ///   - report: told of each finding.
    package init(_ target: CheckTarget, repairs: Bool = false, report: CheckReport) {
        self.target = target
        self.repairs = repairs
        self.report = report
        meter = Meter(report)
    }

    /// Runs the check.
    ///
    /// - Throws: `state` when it could not be done; damage is found, not thrown.
    package func run() throws(CheckError) {
        let state: LocalState
        do {
            state = try LocalState(target)
        } catch {
            return try met(error)
        }
        defer { state.close() }
        try checkDatabase(state)
        guard try checkSettings(state) else { return }
        try checkNames(state)
        try checkContent(state)
        try checkBlocks(state)
    }

    // MARK: Parts

    private func checkDatabase(_ state: LocalState) throws(CheckError) {
        meter.begin(.database)
        try reading { () throws(MetadataError) in
            for line in try state.snapshot.structuralProblems() {
                report.found(Finding(.volume, .database(line), .recover))
            }
        }
        if let problem = state.arenaProblem {
            report.found(Finding(.volume, .cacheUnusable(problem), .lostHere))
        }
    }

    /// - Returns: false when the state is of another volume: nothing more can be said of it.
    private func checkSettings(_ state: LocalState) throws(CheckError) -> Bool {
        let snapshot = state.snapshot
        var isOurs = true
        try reading { () throws(MetadataError) in
            isOurs = try snapshot.value("volume-id") == target.keys.volumeID
            guard isOurs else {
                return report.found(Finding(.volume, .foreignState, .recover))
            }
            for key in ["arena-salt", "inline-salt"] {
                let salt = try snapshot.value(key)
                if let salt, salt.count >= VolumeKeys.minimumSaltSize { continue }
                if try snapshot.inodeCount() <= Self.emptyCount, salt == nil { continue }
                report.found(Finding(.volume, .setting(key), .recover))
            }
            let next = UInt64(bitPattern: try snapshot.integer("next-inode") ?? 0)
            let highest = try snapshot.highestInode()
            // Taken up in steps: the stored number may lag behind only where no row is beyond it.
            if next > NamespaceLimits.maximumInode || highest > NamespaceLimits.maximumInode {
                report.found(Finding(.volume, .setting("next-inode"), .recover))
            }
            let given = UInt64(bitPattern: try snapshot.integer("change") ?? 0)
            let published = UInt64(bitPattern: try snapshot.integer("published-change") ?? 0)
            if published > given {
                report.found(Finding(.volume, .changeCount, .publishedAnew))
            }
        }
        return isOurs
    }

    /// Rows of a volume that was just made or recovered, and never opened since.
    private static let emptyCount: UInt64 = 3

    // MARK: Shared by the parts

    /// Runs one walk; damage that ends it is a finding, and the next walk goes on.
    func reading(_ body: () throws(MetadataError) -> Void) throws(CheckError) {
        do {
            try body()
        } catch {
            try met(error)
        }
    }

    func met(_ error: MetadataError) throws(CheckError) {
        switch error {
        case .corrupt(let words): report.found(Finding(.volume, .unreadableRows(words), .recover))
        case .newerSchema(let version): throw .state("a newer cairn wrote it (schema \(version))")
        case .olderSchema(let version):
            throw .state("a cairn before the first release wrote it (schema \(version))")
        case .full: throw .state("its disk is full")
        case .inUse: throw .state("another process uses it")
        case .sqlite(_, let words): throw .state(words)
        case .taken: throw .state("a recorded change adds what is there already")
        case .transactionLost, .logNotSynced, .closed: throw .state("its disk failed")
        }
    }
}
