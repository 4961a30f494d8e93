// SPDX-License-Identifier: Apache-2.0
//
// What a command and a daemon say to each other over the control socket. docs/DEVELOPMENT.md has
// the bytes. Pure values; their coding is in `ControlMessage+Coding.swift`.
//
// One connection is one request, any number of `progress`, and one last reply.

package import Engine

/// What a command asks of a daemon.
package enum ControlRequest: Equatable, Sendable {
    /// How is it?
    case status
    /// Bring everything to the store and publish it, with progress. Nil waits as long as it takes.
    case sync(timeout: Duration?)
    /// What is at this path, counted from the volume's own root?
    case describe(path: [UInt8])
    /// Bring everything to the store, then unmount and end. Refused while programs use the mount.
    case unmount(timeout: Duration?)
    /// Unmount and end at once; what is not on the store stays here, for the next mount.
    case unmountNow
    /// Do something with public data.
    case publicData(PublicDataRequest)
    /// Take in or give out a pad of the older Autonomi network.
    case padTransfer(PadTransferRequest)
}

/// What a daemon answers.
package enum ControlReply: Equatable, Sendable {
    /// Not done yet.
    case progress(DaemonStatus)
    /// It is done; how things are now.
    case done(DaemonStatus)
    /// The answer to `describe`.
    case description(FileReport)
    /// What came of a task with public data.
    case publicData(PublicDataReport)
    /// What came of a pad that was taken in or given out.
    case padTransfer(PadTransferReport)
    /// It was not done.
    case failed(CommandFailure)
}

/// A daemon's condition at one moment.
package struct DaemonStatus: Equatable, Sendable {
    /// What the daemon is busy with.
    package enum Phase: UInt8, Sendable {
        /// Mounted and serving.
        case serving = 1
        /// No longer mounted; bringing to the store what it can before it ends.
        case finishing = 2
    }

    /// Its process id.
    package var process: Int32
    /// What it is busy with.
    package var phase: Phase
    /// Absolute path of the mount point.
    package var mountPoint: String
    /// The folder of the volume that is shown as root; empty for all.
    package var subdirectory: String
    /// The device number of the mounted filesystem, as stat(2) tells it; 0 where it is not known.
    package var device: UInt64
    /// Nothing can be changed.
    package var isReadOnly: Bool
    /// Seconds since 1970 of its start.
    package var startedAt: Int64
    /// The most memory it ever had, in bytes.
    package var peakMemory: UInt64
    /// The kernel's requests come by io_uring, not by the device.
    package var usesRing: Bool
    /// The engine's condition.
    package var engine: EngineStatus

    /// - Parameters: as the properties.
    package init(
        process: Int32, phase: Phase, mountPoint: String, subdirectory: String, device: UInt64,
        isReadOnly: Bool, startedAt: Int64, peakMemory: UInt64, usesRing: Bool,
        engine: EngineStatus
    ) {
        self.process = process
        self.phase = phase
        self.mountPoint = mountPoint
        self.subdirectory = subdirectory
        self.device = device
        self.isReadOnly = isReadOnly
        self.startedAt = startedAt
        self.peakMemory = peakMemory
        self.usesRing = usesRing
        self.engine = engine
    }
}

/// The limits both ends keep to.
package enum ControlLimits {
    /// The version of the protocol; first in every message.
    package static let version: UInt8 = 7
    /// Most bytes of a request: of one that brings a pad.
    package static let requestSize = PadTransferRequest.recordSize + (8 << 10)
    /// Most bytes of a reply.
    package static let replySize = 16 << 20
    /// Most bytes of a path, name or sentence.
    package static let textSize = 4096
    /// Most chunk addresses in a description; the rest of a larger file's are left out.
    package static let addressCount = 100_000
    /// Most data maps in a description.
    package static let dataMapCount = 1000
    /// Most bytes of one data map in a description.
    package static let dataMapSize = 1 << 20
    /// How long a daemon waits for a request, and a command for the first reply.
    package static let patience = Duration.seconds(10)
    /// Connections served at once; more are closed unanswered.
    package static let connectionCount = 16
}
