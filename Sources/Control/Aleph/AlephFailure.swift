// SPDX-License-Identifier: Apache-2.0
//
// What failures of Aleph Cloud mean to a person.

package import Aleph
package import AlephProtocol

extension CommandFailure {
    /// The sentence for a failure of the network.
    package init(_ error: AlephError) {
        let sentence = "Aleph Cloud: \(error)"
        switch error {
        case .paymentRequired(let shortage):
            let way =
                shortage.unit == .aleph
                ? "pay with --credit, for which the account needs credits,"
                : "buy credits for the account,"
            self.init(
                .storeFull, sentence, advice: way + " or store small files with --unpaid")
        case .rejected(let rejection) where rejection.isQuota:
            self.init(
                .storeFull, sentence,
                advice: "“cairn aleph balance” shows what the account has")
        case .unreachable, .busy:
            self.init(.storeUnusable, sentence, advice: "try again later, or name a --node")
        case .stillPending:
            // A second message would be paid for like the first.
            self.init(
                .storeUnusable, sentence,
                advice: "it goes on by itself; the same command again makes another message")
        case .notFound, .forgotten: self.init(.notOnNetwork, sentence)
        case .untrue, .malformedAnswer:
            self.init(.damaged, sentence, advice: "ask another node with --node")
        case .invalid: self.init(.usage, sentence)
        case .tooLarge, .refused, .rejected: self.init(.storeUnusable, sentence)
        case .sourceFailed: self.init(.unusablePath, sentence)
        case .cancelled: self.init(.failure, sentence)
        }
    }

    /// The sentence for a message that cannot be.
    package init(_ error: AlephProtocolError) {
        self.init(.usage, "Aleph Cloud: \(error)")
    }
}
