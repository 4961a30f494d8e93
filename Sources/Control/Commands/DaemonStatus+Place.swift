// SPDX-License-Identifier: Apache-2.0
//
// Whether what stands at a daemon's mount point is its volume: somebody may have mounted something
// else over it, or taken it away while programs use it.

import Glibc

extension DaemonStatus {
    /// How often a daemon is asked whether it has noticed that its mount was taken away, and how
    /// many microseconds lie between.
    private static let noticeLooks = 100
    private static let noticeStep: UInt32 = 20_000

    /// Refuses a directory that was opened at the mount point and is not of the volume.
    func requireRoot(_ root: borrowing Descriptor, of name: VolumeName) throws(CommandFailure) {
        let facts: FileFacts
        do {
            facts = try FileFacts.of(root)
        } catch {
            throw CommandFailure(.mountPointUnusable, "“\(mountPoint)” cannot be used", error)
        }
        guard device != 0, facts.filesystem != device else { return }
        throw displacement(of: name) ?? covered(name)
    }

    /// Why the volume is not to be met at the mount point; nil if it is.
    func displacement(of name: VolumeName) -> CommandFailure? {
        switch MountPoint.standing(of: device, at: mountPoint) {
        case .inPlace: nil
        case .covered: covered(name)
        case .gone:
            CommandFailure(
                .mountPointUnusable,
                "the volume “\(name)” is no longer mounted at “\(mountPoint)”, but its daemon "
                    + "still serves programs",
                advice: "end them, or end it with: cairn unmount \(name) --now")
        }
    }

    private func covered(_ name: VolumeName) -> CommandFailure {
        CommandFailure(
            .mountPointUnusable,
            "something else is mounted over the volume “\(name)” at “\(mountPoint)”",
            advice: "unmount that first")
    }

    /// Whether its mount was just unmounted from outside, and it is ending.
    func isEnding(_ folder: VolumeFolder) throws(CommandFailure) -> Bool {
        guard MountPoint.standing(of: device, at: mountPoint) == .gone else { return false }
        for _ in 0..<Self.noticeLooks {
            let now = try ControlClient.status(of: folder)
            guard now?.phase == .serving else { return true }
            usleep(Self.noticeStep)
        }
        return false
    }
}
