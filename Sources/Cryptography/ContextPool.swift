// SPDX-License-Identifier: Apache-2.0
//
// libcrypto's contexts, used again instead of made anew for every call.
//
// Invariants:
// - A context in `idle` is in nobody's hands; one that is lent is in one thread's hands.
// - `idle` never holds more than `idleLimit`.

internal import Primitives

/// Contexts of one kind.
///
/// Making a context and keying it costs more than the work on a kilobyte. `lend` takes one lock
/// for a few instructions before and after, and none while the context is used.
final class ContextPool: Sendable {
    /// The most contexts kept for later: as many as threads ever use one at a time.
    static let idleLimit = 64

    private let make: @Sendable () -> Context
    private let free: @Sendable (Context) -> Void
    private let idle = Lock<[Context]>([])

    /// An empty pool.
    ///
    /// - Parameters:
    ///   - make: makes a context, ready to be lent.
    ///   - free: wipes a context and gives its memory back.
    init(make: @escaping @Sendable () -> Context, free: @escaping @Sendable (Context) -> Void) {
        self.make = make
        self.free = free
    }

    deinit {
        let contexts = idle.withLock { $0 }
        for context in contexts {
            free(context)
        }
    }

    /// Lends a context to `body`, which has it alone.
    func lend<R>(_ body: (Context) -> R) -> R {
        let context = idle.withLock { $0.popLast() } ?? make()
        let result = body(context)
        let isKept = idle.withLock { contexts in
            guard contexts.count < Self.idleLimit else { return false }
            contexts.append(context)
            return true
        }
        if !isKept {
            free(context)
        }
        return result
    }
}

/// A context of libcrypto.
///
/// `@unchecked Sendable` because a pool hands it to one thread at a time, and libcrypto binds
/// contexts to no thread.
@safe
struct Context: @unchecked Sendable {
    /// The library's object.
    let pointer: OpaquePointer
}
