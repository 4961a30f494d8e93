// SPDX-License-Identifier: Apache-2.0
//
// Whatever was done, and whenever it was killed: a check finds nothing wrong with what is left.

import Check
import Namespace

extension ModelRun {
    /// Checks a state folder that no engine has open.
    ///
    /// - Parameters:
    ///   - folder: its path.
    ///   - words: when this is, for a failure.
    func requireSound(_ folder: String, _ words: String) throws {
        var lines: [String] = []
        let target = CheckTarget(
            keys: VolumeKeys(seed: volume.seed), stateFolder: folder,
            cacheBudget: ModelRun.cacheBudget)
        try LocalCheck(target, report: CheckReport(found: { lines.append($0.line) })).run()
        if !lines.isEmpty { throw fail("\(words), a check finds: \(lines)") }
    }

    /// Checks everything on the store, chunk by chunk, as a machine does that has the secret alone.
    func requireSoundStore(_ words: String) throws {
        var lines: [String] = []
        let target = CheckTarget(
            keys: VolumeKeys(seed: volume.seed), stateFolder: volume.stateFolder,
            cacheBudget: ModelRun.cacheBudget)
        var options = StoreCheckOptions()
        options.readsChunks = true
        options.usesLocalState = false
        let connection = StoreConnection(volume.memory)
        let check = StoreCheck(
            target, CheckStores(chunks: connection, pads: connection), options,
            report: CheckReport(found: { lines.append($0.line) }))
        _ = try check.run()
        if !lines.isEmpty { throw fail("\(words), a check of the store finds: \(lines)") }
    }
}
