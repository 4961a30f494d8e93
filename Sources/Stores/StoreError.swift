// SPDX-License-Identifier: Apache-2.0
//
// What can go wrong at a store, in words that every store shares. No errno and no HTTP status
// passes this line: a store translates its own into these.

package import Primitives
package import Scratchpads

/// Why a store did not do what it was asked.
///
/// The cases name causes, so that the caller can act: ask again, ask elsewhere, make room, or tell
/// the person. Texts are fixed sentences plus, at most, what the person named themself (a path).
package enum StoreError: Error, Equatable, Sendable {
    /// It answered, and has no such chunk.
    case missing(Digest)
    /// It answered, and has no such pad, where one was needed.
    case missingPad
    /// Bytes came, but not the ones this digest names. They are never handed on.
    case corrupt(wanted: Digest, got: Digest)
    /// A record rests there that is damaged, or is another pad's. It is never handed on.
    case corruptPad(PadAddress)
    /// No answer, or none that can be trusted. `retryAfter` is the store's own hint, if it gave
    /// one.
    case unreachable(retryAfter: Duration?)
    /// It answered, and wants to be asked less often. `retryAfter` is its own hint, if it gave one.
    case busy(retryAfter: Duration?)
    /// It answered, and will not: permission, or a rule of its own. The text says which.
    case refused(String)
    /// It has no room left.
    case full
    /// It has room, and this account or place may use no more of it.
    case quotaExceeded
    /// It wants to be paid first.
    case paymentRequired
    /// It wants more than there is, or than may be spent; the text says how much.
    case unpaid(String)
    /// It can be read, not written.
    case readOnly
    /// There is no store of Cairn's at this place; the text says what is there instead.
    case notAStore(String)
    /// A newer version of Cairn wrote what was found; `found` is above `supported`.
    case newerFormat(found: UInt64, supported: UInt64)
    /// The chunk is larger than `StoreLimits.maximumChunkSize`, or the record larger than
    /// `PadRecord.maximumSize`.
    case tooLarge

    /// Whether the same call may succeed later without anybody doing anything.
    ///
    /// A full store is not transient: somebody has to make room. Nor is a missing chunk: what a
    /// store once acknowledged, it has.
    package var isTransient: Bool {
        switch self {
        case .unreachable, .busy: true
        default: false
        }
    }

    /// Whether the store is away: nothing there can be asked, and that may end by itself.
    package var isAbsence: Bool {
        switch self {
        case .unreachable, .notAStore: true
        default: false
        }
    }
}

extension StoreError: CustomStringConvertible {
    /// One sentence for a person.
    package var description: String {
        switch self {
        case .missing(let digest): "the store does not have chunk \(digest.hex)"
        case .missingPad: "the store does not have this pad"
        case .corrupt(let wanted, let got):
            "the store's bytes for chunk \(wanted.hex) are damaged: they are \(got.hex)"
        case .corruptPad(let address): "the store's record of pad \(address.hex) is damaged"
        case .unreachable: "the store does not answer"
        case .busy: "the store wants to be asked less often"
        case .refused(let reason): "the store refuses: \(reason)"
        case .full: "the store has no room left"
        case .quotaExceeded: "the store's quota is used up"
        case .paymentRequired: "the store wants to be paid first"
        case .unpaid(let reason): reason
        case .readOnly: "the store is read-only"
        case .notAStore(let reason): "this is not a store: \(reason)"
        case .newerFormat(let found, let supported):
            "a newer version wrote this: format \(found), this version reads up to \(supported)"
        case .tooLarge: "this is larger than a store takes"
        }
    }
}
