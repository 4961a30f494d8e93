// SPDX-License-Identifier: Apache-2.0
//
// The promises of a place that keeps scratchpads.

package import Scratchpads

/// What came of offering a record.
package enum PadPutOutcome: Equatable, Sendable {
    /// The record stands now, or stood already, byte for byte.
    case accepted
    /// Another record stands, and not an older one: this one. The offered record was not kept.
    case standing(PadRecord)
}

/// A place that keeps, of each pad, the record with the highest counter it was ever offered.
///
/// Calls block like those of a `ChunkStore`, and may be made from many threads and processes.
package protocol PadStore: Sendable {
    /// The standing record of a pad, its signature verified; nil if there is none.
    ///
    /// - Throws: `corruptPad` if what rests there is damaged or is not this pad's; `newerFormat` if
    ///   this version cannot tell; `refused`, `unreachable`.
    func get(_ address: PadAddress) throws(StoreError) -> PadRecord?

    /// Offers a record, which stands if its counter is larger than that of the one that stood.
    ///
    /// Compared and replaced as one step: of several that are offered at once, the one with the
    /// highest counter stands in the end. When this returns `accepted`, the record is durable.
    ///
    /// A store verifies the signature of what is offered. One that can be damaged from outside (a
    /// folder) verifies what stands as well; a damaged record has no counter to compare with, so it
    /// is replaced by any genuine one. A record of a newer format is not damaged, and stays.
    ///
    /// - Throws: `refused` if the signature is not the owner's; `newerFormat`, `tooLarge`, `full`,
    ///   `paymentRequired`, `readOnly`, `unreachable`.
    func put(_ record: PadRecord) throws(StoreError) -> PadPutOutcome
}
