// SPDX-License-Identifier: Apache-2.0
//
// An option that takes a text and need not be given: most of them are.

import ArgumentParser

extension Option where Value == String? {
    /// An optional text.
    ///
    /// - Parameters:
    ///   - words: what it is for, a sentence.
    ///   - value: what stands for the text in the usage.
    ///   - discussion: more, where a sentence is not enough.
    ///   - completion: what a shell offers.
    init(
        _ words: String, value: String, discussion: String = "",
        completion: CompletionKind? = nil
    ) {
        self.init(
            help: ArgumentHelp(words, discussion: discussion, valueName: value),
            completion: completion)
    }
}
