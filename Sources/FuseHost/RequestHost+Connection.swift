// SPDX-License-Identifier: Apache-2.0
//
// The beginning of a connection.

import CFuse

extension RequestHost {
    /// Answers the kernel's offer.
    ///
    /// The device's read-ahead is raised first, because the kernel takes the smaller of what the
    /// device has when the answer arrives and what the answer says. Only root may; for others the
    /// device keeps the kernel's default, and long reads take more round trips.
    func begin(_ offer: cfuse_connection) -> cfuse_connection {
        let kibibytes = MountOptions.transferSize >> 10
        let mount = MountTable.current().mount(at: options.mountPoint)
        if mount?.connection?.setReadAhead(kibibytes: kibibytes) != true {
            options.log(.debug, "the device's read-ahead stays at the kernel's default")
        }
        let mayBeByRing = options.usesRing && offer.init_flags & CFUSE_INIT_OVER_IO_URING != 0
        let share = mayBeByRing ? Int(cfuse_ring_share()) : 0
        let answer = ConnectionTerms.answer(to: offer, options, ringShare: share)
        note(
            gathersWrites: answer.wanted & CFUSE_CAP_WRITEBACK_CACHE != 0,
            kernelWaits: ConnectionTerms.kernelWaits(ringShare: share))
        options.log(
            .debug,
            "FUSE protocol \(offer.protocol_major).\(offer.protocol_minor), offered "
                + String(offer.capable, radix: 16) + ", taken " + String(answer.wanted, radix: 16))
        return answer
    }
}
