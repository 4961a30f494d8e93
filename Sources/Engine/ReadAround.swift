// SPDX-License-Identifier: Apache-2.0
//
// Whether what lies around a small read is worth being read from the disk with it. Pure: it is told
// of reads, and says yes or no.
//
// Small reads at places in no order cost the disk's delay each. Where they come close together (a
// database, an archive's index, a program that is paged in) it is quicker to read a stretch at
// once; where they are spread over more than they will ever cover, that would be in vain. Nobody
// knows beforehand: so a stretch is read around each of them until too much was, and again for each
// read that found its bytes there.
//
// Invariants:
// 1. A file that is opened for a few reads is read around none of them.
// 2. Of a reader whose reads never meet, no more than `credit` stretches are read in vain.

/// Follows the small reads of one open file that the disk has on this machine.
struct ReadAround: Sendable {
    /// Bytes of a read at most for this to be asked: of larger ones `ReadAhead` and the kernel see
    /// to what comes next.
    static let readLimit = 64 << 10
    /// Bytes that are read at once, from a multiple of them on: a millisecond of a disk that reads
    /// 1 GB/s, and as much as sixteen of its delays.
    static let stretch: UInt64 = 1 << 20
    /// Reads that have waited for the disk before one is read around.
    static let proof = 16
    /// Stretches read before any read met one: 64 MiB.
    static let credit = 64
    /// Stretches that each read earns that finds its bytes in memory. Of places that are all
    /// equally likely, 4 goes on to the end of a file of 512 MiB.
    static let earned = 4

    private var waits = 0
    private var hits = 0
    private var stretches = 0

    /// Notes a read.
    ///
    /// - Parameter waited: it had to be read from the disk.
    /// - Returns: whether the stretch around it is to be read.
    mutating func note(waited: Bool) -> Bool {
        guard waited else {
            if stretches > 0 { hits += 1 }
            return false
        }
        waits += 1
        guard waits > ReadAround.proof,
            stretches < ReadAround.credit + hits * ReadAround.earned
        else { return false }
        stretches += 1
        return true
    }
}
