// SPDX-License-Identifier: Apache-2.0
//
// What a volume has spent on a network, and what it may. Kept in a file of the volume's state
// folder, so that a restart forgets nothing.
//
// Invariants:
// - `spent` is on the disk before what it pays for is asked for, and goes down only by a sum that
//   certainly was not paid: a crash may count a sum that was not spent, never forget one that was.
// - A sum that would pass the limit is not spent.

internal import Glibc
internal import Primitives
package import Stores

/// The purse of one volume.
package final class SpendingBudget: Sendable {
    /// The most bytes of the file.
    private static let fileSize = 64

    /// The most that may be spent in all; nil for no limit.
    package let limit: TokenAmount?
    private let path: String
    private let state: Lock<TokenAmount>

    /// The purse whose file is at `path`; there is none before the first spending.
    ///
    /// - Throws: `refused` if the file is there and cannot be read: to begin at nothing again
    ///   would spend twice what was allowed.
    package init(limit: TokenAmount?, path: String) throws(StoreError) {
        self.limit = limit
        self.path = path
        do throws(SystemError) {
            // SAFETY: the text is lent for the call.
            let file = OpenFile(
                descriptor: try retrying { unsafe open(path, O_RDONLY | O_CLOEXEC) })
            let text = String(decoding: try file.read(size: Self.fileSize), as: UTF8.self)
            let digits = text.prefix { $0 != "\n" }
            guard let spent = TokenAmount(String(digits)) else {
                throw SystemError(code: EILSEQ)
            }
            state = Lock(spent)
        } catch {
            guard error.code == ENOENT else {
                throw .refused("the record of what was spent cannot be read")
            }
            state = Lock(.zero)
        }
    }

    /// What was spent so far.
    package var spent: TokenAmount { state.withLock { $0 } }

    /// Sets a sum aside for what is about to be paid.
    ///
    /// - Returns: what `spent` went up by, for `giveBack`.
    /// - Throws: `unpaid` above the limit; `refused` if it cannot be written down.
    package func spend(_ amount: TokenAmount) throws(StoreError) -> TokenAmount {
        if amount == .zero { return .zero }
        return try state.withLock { (spent) throws(StoreError) in
            let next = spent + amount
            if let limit, next > limit {
                throw .unpaid(
                    "the volume's spending limit of \(limit.tokens) tokens is reached:"
                        + " \(spent.tokens) are spent, and the next chunk costs \(amount.tokens)")
            }
            do throws(SystemError) {
                try write(next)
            } catch {
                throw .refused("what is spent cannot be written down")
            }
            defer { spent = next }
            return next - spent
        }
    }

    /// Takes back a sum that was set aside, and was not paid.
    ///
    /// - Parameter amount: what `spend` returned.
    package func giveBack(_ amount: TokenAmount) {
        if amount == .zero { return }
        state.withLock { spent in
            let next = spent - amount
            // What cannot be written down stays counted: too much is on the safe side.
            guard (try? write(next)) != nil else { return }
            spent = next
        }
    }

    private func write(_ amount: TokenAmount) throws(SystemError) {
        let new = path + ".new"
        let flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC
        // SAFETY: the text is lent for the call.
        let file = OpenFile(descriptor: try retrying { unsafe open(new, flags, 0o600) })
        let text = Array((amount.text + "\n").utf8)
        try file.write(text.span)
        try file.syncContent()
        try file.close()
        // SAFETY: both texts are lent for the call.
        guard unsafe rename(new, path) == 0 else { throw .last }
    }
}
