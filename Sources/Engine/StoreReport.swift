// SPDX-License-Identifier: Apache-2.0
//
// A store's failure as the volume shows it: an error for the operation, a line for `.cairn/errors`,
// a word for the status.

import Stores

extension Volume {
    /// Notes a store's failure and gives the error a file operation shows for it.
    func reportStore(_ error: StoreError) -> FileError {
        let sentence = error.description
        let result: FileError =
            switch error {
            case .full: .noSpace
            case .paymentRequired, .unpaid, .quotaExceeded: .quotaExceeded
            case .readOnly: .readOnly
            default: .inputOutput
            }
        errors.add(.store, "\(sentence); \(error.advice)")
        if result == .noSpace { counters.roomFailed(sentence) }
        counters.storeFailed(error)
        return result
    }
}

extension StoreError {
    /// What a person can do about it, for the line in `.cairn/errors`.
    fileprivate var advice: String {
        switch self {
        case .missing, .missingPad, .corrupt, .corruptPad:
            "restore it from a backup of the store; all that does not need it can be read"
        case .unreachable, .busy: "it is asked again"
        case .full, .quotaExceeded: "make room there, and it goes on by itself"
        case .paymentRequired: "pay it, and it goes on by itself"
        case .unpaid: "fill the wallet or raise the limit, and it goes on by itself"
        case .readOnly: "see who may write there; it is tried again"
        case .refused: "set right what it names; it is tried again"
        case .notAStore: "see that its path and its disk are there; it is looked for again"
        case .newerFormat: "use a newer version of this program"
        case .tooLarge: "see what else keeps its bytes there"
        }
    }
}
