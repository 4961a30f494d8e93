// SPDX-License-Identifier: Apache-2.0
//
// A whole check: this machine, then the store, then what can be mended, then the store once more,
// until nothing more can be.

/// What a check of one volume does, in which order.
package struct CheckRun {
    /// The volume.
    package var target: CheckTarget
    /// Where it rests; nil when the store is not to be looked at.
    package var stores: CheckStores?
    /// How the store is checked. `repairs` mends the local state too, `usesLocalState` is needed
    /// for anything local.
    package var options = StoreCheckOptions()
    /// Told of each finding, once.
    package var report: CheckReport
    /// Starts the volume's engine, waits until it has published, and stops it. Called with nothing
    /// of the state folder open.
    package var publish: () throws(CheckError) -> Void

    /// - Parameters: as the properties.
    package init(
        _ target: CheckTarget, report: CheckReport,
        publish: @escaping () throws(CheckError) -> Void
    ) {
        self.target = target
        self.report = report
        self.publish = publish
    }

    /// Runs all of it.
    ///
    /// - Throws: why it could not be done; damage is found, not thrown.
    package func run() throws(CheckError) {
        if options.usesLocalState {
            try LocalCheck(target, repairs: options.repairs, report: report).run()
        }
        guard let stores else { return }
        guard options.repairs else {
            _ = try StoreCheck(target, stores, options, report: report).run()
            return
        }
        try repair(stores)
    }

    /// Mends until a look at the store finds nothing more to mend: behind a page that was lost,
    /// more may be.
    private func repair(_ stores: CheckStores) throws(CheckError) {
        var mended: [Finding] = []
        var last = RepairPlan()
        for _ in 0..<CheckLimits.passes {
            let held = Held()
            let holding = CheckReport(
                found: { finding in
                    // What is mended already is said at once; the rest may be by the end.
                    if finding.remedy.isDone || !held.take(finding) { report.found(finding) }
                }, progress: report.progress)
            let plan = try StoreCheck(target, stores, options, report: holding).run()
            if plan.isEmpty || plan == last {
                return conclude(mended, left: held.findings)
            }
            let room = CheckLimits.repairs - min(mended.count, CheckLimits.repairs)
            mended += held.findings.filter { $0.remedy == .repairable }.prefix(room)
            last = plan
            try Repair(target).run(plan)
            try publish()
        }
        conclude(mended, left: [])
    }

    /// Says what is not damaged any more, and what still is.
    private func conclude(_ mended: [Finding], left: [Finding]) {
        let places = Set(left.map { $0.place })
        for finding in mended where !places.contains(finding.place) {
            report.found(Finding(finding.place, finding.problem, .repaired))
        }
        for finding in left { report.found(finding) }
    }

    /// Findings kept for later, as many as a run mends.
    private final class Held {
        private(set) var findings: [Finding] = []

        func take(_ finding: Finding) -> Bool {
            guard findings.count < CheckLimits.repairs else { return false }
            findings.append(finding)
            return true
        }
    }
}
