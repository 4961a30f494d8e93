// SPDX-License-Identifier: Apache-2.0
//
// A volume's status for programs. A member, once there, keeps its name and meaning. Pure.

package import Engine

extension StatusText {
    /// The status of one volume.
    ///
    /// - Parameters:
    ///   - status: nil when no daemon runs.
    ///   - idle: what is known then.
    package static func json(
        volume: VolumeName, store: String, status: DaemonStatus?, idle: IdleVolume = IdleVolume()
    ) -> JSONText {
        var members: [(String, JSONText)] = [
            ("volume", .string(volume.text)),
            ("store", .string(store)),
            ("mounted", .flag(status?.phase == .serving)),
            ("running", .flag(status != nil)),
        ]
        if let status {
            members += [
                ("mountPoint", .string(status.mountPoint)),
                ("subdirectory", .string(status.subdirectory)),
                ("readOnly", .flag(status.isReadOnly)),
                ("pid", .integer(Int64(status.process))),
                ("startedAt", .integer(status.startedAt)),
                ("peakMemoryBytes", .count(status.peakMemory)),
                ("ioUring", .flag(status.usesRing)),
            ]
            members += self.members(of: status.engine)
        } else {
            members += [
                ("left", idle.left.map { .string($0) } ?? .nothing),
                ("deadMounts", .list(idle.deadMounts.map { .string($0) })),
            ]
        }
        return .object(members)
    }

    /// The engine's part of a status.
    package static func members(of state: EngineStatus) -> [(String, JSONText)] {
        [
            ("revision", .count(state.revision)),
            ("halted", state.halted.isEmpty ? .nothing : .string(state.halted)),
            ("unpublishedChanges", .flag(state.hasUnpublishedChanges)),
            ("dirtyBytes", .count(state.dirtyBytes)),
            ("dirtyFiles", .integer(Int64(state.dirtyFiles))),
            ("pendingPads", .integer(Int64(state.pendingPads))),
            ("pendingForeign", .integer(Int64(state.pendingForeign))),
            ("pendingChunks", .integer(Int64(state.pendingChunks))),
            ("cacheUsedBytes", .count(state.cacheUsed)),
            ("cacheBudgetBytes", .count(state.cacheBudget)),
            ("fileCount", .count(state.fileCount)),
            ("byteCount", .count(state.byteCount)),
            ("quotaBytes", state.quota > 0 ? .count(state.quota) : .nothing),
            ("chunksStored", .count(state.chunksStored)),
            ("bytesStored", .count(state.bytesStored)),
            ("chunksFetched", .count(state.chunksFetched)),
            ("bytesFetched", .count(state.bytesFetched)),
            ("storeCalls", .count(state.storeCalls)),
            ("storeFailures", .count(state.storeFailures)),
            ("storeSentBytes", .count(state.storeSentBytes)),
            ("storeReceivedBytes", .count(state.storeReceivedBytes)),
            ("storeOperations", state.storeMetrics.json),
            ("storeAnsweredAt", .integer(state.storeAnsweredAt)),
            ("offlineSince", .integer(state.offlineSince)),
            ("storeFailure", state.storeFailure.isEmpty ? .nothing : .string(state.storeFailure)),
            ("requests", .count(state.requests)),
            ("openHandles", .integer(Int64(state.openHandles))),
            ("conflicts", .integer(Int64(state.conflicts))),
            ("errors", .integer(Int64(state.errors))),
        ]
    }
}
