// SPDX-License-Identifier: Apache-2.0
//
// A function that one part leaves with another, to be called when something happens, or is asked.

import Primitives

/// A function that is set when its owner is there, and called from any thread.
package final class Handler<Argument, Answer>: Sendable {
    /// Kept in a structure, not as it is: where generic code hands a closure on by reference, as a
    /// lock's does, each look at it wraps the one that is kept once more. Its calls then pass
    /// through as many wraps as there were looks, and never get rid of them.
    private struct Function: Sendable {
        let call: @Sendable (Argument) -> Answer
    }
    /// A leaf: the function is called without it.
    private let function = Lock<Function?>(nil)

    /// Calls nothing until something is set.
    package init() {}

    /// Has `call` called from now on, and what was set before no more; nil for nothing.
    package func set(_ call: (@Sendable (Argument) -> Answer)?) {
        let function = call.map { Function(call: $0) }
        self.function.withLock { $0 = function }
    }

    /// Calls what is set; nil if nothing is.
    @discardableResult
    package func callAsFunction(_ argument: Argument) -> Answer? {
        function.withLock { $0 }?.call(argument)
    }
}

extension Handler where Argument == Void {
    /// Calls what is set; nil if nothing is.
    @discardableResult
    package func callAsFunction() -> Answer? {
        callAsFunction(())
    }
}

/// A function that is told of something.
package typealias Listener<Argument> = Handler<Argument, Void>
