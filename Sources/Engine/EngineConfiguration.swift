// SPDX-License-Identifier: Apache-2.0
//
// Everything an engine is told at its start. It reads no files, environment or clock to find more.

package import Compression
package import Namespace
package import Stores

/// How an engine's state comes to be.
package enum StartMode: Sendable, Hashable {
    /// A new volume: the state folder must be empty; revision 1 is published at once.
    case create
    /// A volume that exists on the store: its root pad is fetched and verified, nothing else.
    case recover
    /// This state folder has been used before.
    case existing
}

/// When opening a file for reading, or listing a directory, moves its access time.
///
/// At the open, and not at each read: the kernel serves most reads from its own pages, and tells of
/// none of them. Names that it has it drops where listing them moves the time.
package enum AccessTimePolicy: Sendable, Hashable {
    /// When the access time is not after the last change, or a day old; mount(8)'s `relatime`.
    case relative
    /// Always; `strictatime`.
    case strict
    /// Never; `noatime`.
    case never
}

/// What an engine needs to run one volume.
package struct EngineConfiguration: Sendable {
    /// The volume's own state folder; locked by the caller (`Blocks.StateLock`) for the engine's
    /// life.
    package var stateFolder: String
    /// Where chunks rest.
    package var chunks: any ChunkStore
    /// Where pads rest.
    package var pads: any PadStore
    /// Everything derived from the volume's seed.
    package var keys: VolumeKeys
    /// Brotli quality of chunks written from now on.
    package var compression: BrotliQuality = .fast
    /// Most bytes of the local arena.
    package var cacheBudget: UInt64 = 10 << 30
    /// Most bytes that files and pads may have together, holes included; nil for no limit.
    package var quota: UInt64?
    /// Files up to this many bytes live inside their directory's page; at most 65 536.
    package var inlineLimit = 16_384
    /// What a small commit may keep in the journal.
    package var journal = JournalLimits()
    /// The device's name, kept in each revision it publishes.
    package var deviceName = "cairn"
    /// When chunks of a file go out while it is still being written, to stores that take them.
    package var earlyLimits = EarlyLimits()
    /// Longest time a change waits for a commit nobody asked for.
    package var commitInterval = Duration.seconds(5)
    /// Idle time after which a file's dirty blocks are flushed.
    package var flushDelay = Duration.seconds(2)
    /// A file that is written without a pause is flushed at last after this time.
    package var flushCeiling = Duration.seconds(30)
    /// Quiet time after which changes are published.
    package var publishDelay = Duration.seconds(5)
    /// Longest time a change waits for its publication.
    package var publishCeiling = Duration.seconds(60)
    /// Time after a pad's last close before it is sealed and sent: one save, one counter bump.
    package var padDelay = Duration.milliseconds(300)
    /// Bytes a second that may come from the store; nil for no limit. Nothing is fetched ahead of
    /// readers that would hold them up.
    package var downloadLimit: UInt64?
    /// How long a read waits for the store before EIO.
    package var readDeadline = Duration.seconds(30)
    /// `fsync` also waits for the store and the publication.
    package var fsyncIsRemote = false
    /// No change is accepted.
    package var isReadOnly = false
    /// When reading moves the access time.
    package var accessTimes = AccessTimePolicy.relative

    /// Trees shown in the mount's root beside `public/`, in this order; at most 126.
    package var trees: [any ForeignTree] = []

    /// The necessary parts; the rest has defaults.
    package init(
        stateFolder: String, chunks: any ChunkStore, pads: any PadStore, keys: VolumeKeys
    ) {
        self.stateFolder = stateFolder
        self.chunks = chunks
        self.pads = pads
        self.keys = keys
    }
}

/// Why an engine did not start. Each has one plain sentence at the command.
package enum EngineStartError: Error, Sendable, Equatable {
    /// The store has no root pad of this phrase.
    case noVolumeOnStore
    /// The root pad on the store is not valid, or names what does not verify.
    case damagedRoot(String)
    /// The store could not be used.
    case store(StoreError)
    /// The local database or arena could not be used.
    case state(String)
    /// A newer Cairn wrote the local database, whose schema has this number; nothing is damaged.
    case newerState(schema: Int)
    /// The disk of the local state has no room; nothing is damaged.
    case noRoom
    /// `create` found a volume there already.
    case alreadyExists
}
