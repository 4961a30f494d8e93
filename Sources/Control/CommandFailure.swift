// SPDX-License-Identifier: Apache-2.0
//
// What a person reads when a command fails. One plain sentence, then what to do about it.

/// A failure as a person sees it: a sentence, an advice, and the exit code.
///
/// The sentence may name paths and volumes the person typed; never a key, a phrase or a passphrase.
package struct CommandFailure: Error, Equatable, Sendable {
    /// For scripts.
    package let code: ExitCode
    /// What is wrong, without a full stop.
    package let sentence: String
    /// What to do about it, without a full stop, or a question; empty where there is nothing to
    /// add.
    package let advice: String

    /// - Parameters: as the properties.
    package init(_ code: ExitCode, _ sentence: String, advice: String = "") {
        self.code = code
        self.sentence = sentence
        self.advice = advice
    }

    /// The lines for standard error: `cairn: sentence.`, then the advice, indented.
    package var rendered: String {
        let head = "cairn: \(sentence).\n"
        let end = advice.utf8.last == UInt8(ascii: "?") ? "" : "."
        return advice.isEmpty ? head : head + "       \(advice)\(end)\n"
    }

    /// A failed system call on something the person named.
    package init(_ code: ExitCode, _ what: String, _ error: SystemError, advice: String = "") {
        self.init(code, "\(what): \(error.reason)", advice: advice)
    }
}
