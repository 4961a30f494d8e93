// SPDX-License-Identifier: Apache-2.0
//
// A function that one part leaves with another, to be called when something happens.

import Primitives

/// A function that is set when its owner is there, and called from any thread.
package final class Listener<Argument>: Sendable {
    /// Kept in a structure, not as it is: where generic code hands a closure on by reference, as a
    /// lock's does, each look at it wraps the one that is kept once more. Its calls then pass
    /// through as many wraps as there were looks, and never get rid of them.
    private struct Function: Sendable {
        let call: @Sendable (Argument) -> Void
    }
    /// A leaf: the function is called without it.
    private let function = Lock<Function?>(nil)

    /// Calls nothing until something is set.
    package init() {}

    /// Has `call` called from now on, and what was set before no more; nil for nothing.
    package func set(_ call: (@Sendable (Argument) -> Void)?) {
        let function = call.map { Function(call: $0) }
        self.function.withLock { $0 = function }
    }

    /// Calls what is set, if anything is.
    package func callAsFunction(_ argument: Argument) {
        function.withLock { $0 }?.call(argument)
    }
}

extension Listener<Void> {
    /// Calls what is set, if anything is.
    package func callAsFunction() {
        callAsFunction(())
    }
}
