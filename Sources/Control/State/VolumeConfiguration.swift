// SPDX-License-Identifier: Apache-2.0
//
// A volume's settings on this machine, and the text they are kept as. Pure: it reads no file.
//
// The text: lines of `key = value`; `#` begins a comment line. The first setting is `version`. What
// is not understood is an error that names its line: a setting silently ignored is a setting lost.

package import Compression
package import RemoteStores

/// What a volume is, besides its seed: where it rests, and how it is run here.
package struct VolumeConfiguration: Equatable, Sendable {
    /// The version of the text; others are refused.
    package static let version = 1
    /// The most bytes of a configuration file.
    package static let maximumSize = 65_536

    /// The volume's id, which its seed gives: a key file of another volume is noticed.
    package var volumeID: [UInt8]
    /// Where chunks rest, and pads unless `pads` says otherwise.
    package var store: String
    /// Where pads rest; nil for the store itself.
    package var pads: String?
    /// The most that may be spent on chunks, in the smallest unit of the store's token; nil for no
    /// limit, and no account of it.
    package var spendingLimit: TokenAmount?
    /// The least time between two revisions that nobody asked for; nil for none but
    /// `publishDelay`. For stores where each costs.
    package var publishInterval: Duration?
    /// Brotli quality of new chunks.
    package var compression = BrotliQuality.fast
    /// Files up to this many bytes live in their directory's page.
    package var inlineLimit: UInt64 = 16_384
    /// Most bytes of the local cache.
    package var cache: UInt64 = 10 << 30
    /// Most bytes that files and pads may have together; nil for no limit.
    package var quota: UInt64?
    /// This machine's name in the revisions it publishes.
    package var device: String
    /// Quiet time before changes are published.
    package var publishDelay = Duration.seconds(5)
    /// How long a read waits for the store before it fails.
    package var readDeadline = Duration.seconds(30)
    /// How long a daemon that is told to end works on what is not on the store yet.
    package var finishTime = Duration.seconds(60)

    /// Bytes of a volume's id.
    package static let volumeIDSize = 16
    /// What `inline-limit` may be.
    package static let inlineLimits: ClosedRange<UInt64> = 0...65_536
    /// What `cache` may be: at least 64 MiB, or flushing could not get ahead of writing.
    package static let cacheLimits: ClosedRange<UInt64> = (64 << 20)...(1 << 46)
    /// What `quota` may be: at least 1 MiB, at most what one file may have.
    package static let quotas: ClosedRange<UInt64> = (1 << 20)...(1 << 63 - 1)
    /// What `publish-delay` may be.
    package static let publishDelays = Duration.milliseconds(100)...Duration.seconds(3600)
    /// What `publish-interval` may be.
    package static let publishIntervals = Duration.seconds(1)...DurationText.longest
    /// What `read-deadline` may be.
    package static let readDeadlines = Duration.seconds(1)...Duration.seconds(3600)
    /// What `finish-time` may be.
    package static let finishTimes = Duration.zero...DurationText.longest
    /// Most bytes of a device's name.
    package static let deviceNameLimit = 64

    /// The necessary settings; the rest has defaults.
    package init(volumeID: [UInt8], store: String, device: String) {
        self.volumeID = volumeID
        self.store = store
        self.device = device
    }
}

extension BrotliQuality {
    /// The quality a configuration or an option names.
    package init?(name: String) {
        switch name {
        case "fast": self = .fast
        case "autonomi": self = .autonomi
        default: return nil
        }
    }

    /// Its name in a configuration.
    package var name: String {
        switch self {
        case .fast: "fast"
        case .autonomi: "autonomi"
        }
    }
}
