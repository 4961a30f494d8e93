// SPDX-License-Identifier: Apache-2.0
//
// The engine's and the host's errors in a person's words, with their exit codes.

package import Engine
package import FuseHost

extension FileError {
    /// A few words for a person, to stand after a colon.
    package var words: String {
        switch self {
        case .notFound: "there is no such file"
        case .exists: "the name is taken"
        case .notEmpty: "the folder is not empty"
        case .notDirectory: "it is not a folder"
        case .isDirectory: "it is a folder"
        case .nameTooLong: "a name has more than 255 bytes"
        case .tooLarge: "it would be too large"
        case .noSpace: "the local cache is full"
        case .quotaExceeded: "the volume's quota is used up, or the store takes no more"
        case .inputOutput: "the store did not give it in time, or gave what did not verify"
        case .readOnly: "it is read-only"
        case .notPermitted: "that cannot be done there"
        case .accessDenied: "permission denied"
        case .stale: "it was replaced meanwhile"
        case .invalid: "that makes no sense"
        case .noAttribute: "there is no such attribute"
        case .outOfRange: "a value is too large"
        case .noSuchExtent: "there is nothing further on"
        case .busy: "it is in use"
        case .tooManyLinks: "it has too many links"
        case .crossDevice: "the two places cannot share a file"
        case .notSupported: "that is not supported there"
        case .argumentTooLong: "a value is longer than its limit"
        case .interrupted: "it was interrupted"
        case .wouldBlock: "it needs the store"
        }
    }
}

extension RequestContext {
    /// This process's user, who waits for the store as long as this.
    package static func patient(for wait: Duration) -> RequestContext {
        let caller = ProcessIdentity.current
        return RequestContext(
            user: caller.user, group: caller.group, umask: 0,
            patience: Patience(for: wait))
    }
}

extension CommandFailure {
    /// Why a mount could not be made or served.
    package init(_ error: FuseHostError) {
        let code: ExitCode =
            switch error {
            case .noDevice, .deviceForbidden, .helperMissing, .allowOtherForbidden, .mountFailed:
                .fuseUnavailable
            case .mountPointMissing, .mountPointNotDirectory, .mountPointNotEmpty,
                .mountPointForbidden, .alreadyMounted, .deadMount:
                .mountPointUnusable
            case .badOption: .usage
            case .sessionFailed, .connectionNotReachable: .failure
            }
        // Theirs stands alone; ours goes on after “cairn: ”, and is given its full stop there.
        let sentence = error.sentence
        let isWord = sentence.dropFirst().first?.isLowercase ?? false
        let start = isWord ? sentence.prefix(1).lowercased() + sentence.dropFirst() : sentence
        self.init(code, start.hasSuffix(".") ? String(start.dropLast()) : start)
    }
}
