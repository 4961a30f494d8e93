// SPDX-License-Identifier: Apache-2.0
//
// From a volume and the options of its mount to `aleph/`.

import Aleph
import AlephProtocol
import Cryptography

/// How files in `aleph/me/` are paid for.
package enum AlephPay: String, Sendable, CaseIterable {
    /// By holding tokens.
    case hold
    /// With credits.
    case credit
    /// Not at all, in IPFS, which the network lets pass for small files until 2027.
    case none

    /// The plan for each file.
    var plan: StorePlan {
        switch self {
        case .hold: StorePlan()
        case .credit: StorePlan(payment: .credit)
        case .none: StorePlan(engine: .ipfs, isUnpaid: true)
        }
    }
}

extension AlephMount {
    /// Requests of one mount at once: those who read and those who publish.
    private static let connections = 40
    /// A program waits for each answer: less is tried than by a command.
    private static let patience = AlephPatience(
        rounds: 2, firstWait: .milliseconds(300), longestWait: .seconds(5))

    /// The tree of a volume's mount; nil if it shows none.
    ///
    /// - Parameter cache: the volume's cache budget, in bytes.
    static func tree(
        of folder: VolumeFolder, _ settings: MountSettings, _ seed: SecretBytes, cache: UInt64
    ) throws(CommandFailure) -> AlephMount? {
        let isChosen = Files.exists(folder.alephAccount) || !settings.alephNodes.isEmpty
        guard settings.showsAleph ?? isChosen else { return nil }
        let account = try AlephAccountFile.read(from: folder, seed: seed).account(seed: seed)
        let session = try AlephSession(
            nodes: settings.alephNodes, connections: connections, patience: patience)
        return try AlephMount(
            session, account, folder: folder.path, cacheBudget: cache,
            plan: settings.alephPay.plan, isReadOnly: settings.isReadOnly)
    }
}
