// SPDX-License-Identifier: Apache-2.0
//
// What can be done with one pad, whatever scheme signs it and whoever made it.

/// The power over one pad: to read it, and where there is a key, to write it.
package protocol PadCapability: Sendable {
    /// The pad.
    var address: PadAddress { get }
    /// Whether `seal` makes records. If not, it always throws `noKey`.
    var isWritable: Bool { get }
    /// The most bytes of content that can be sealed.
    var maximumPlaintextSize: Int { get }

    /// The content of a record, after its signature was found to be the owner's.
    ///
    /// - Throws: `foreignPad`, `badSignature`, `cannotOpen`.
    func open(_ record: PadRecord) throws(ScratchpadError) -> [UInt8]

    /// Seals and signs one state of the pad, by the rules of `WriteCapability.seal`.
    ///
    /// - Throws: `tooLarge`, `noKey`.
    func seal(
        _ plain: Span<UInt8>, encoding: UInt64, counter: UInt64
    ) throws(ScratchpadError) -> PadRecord
}
