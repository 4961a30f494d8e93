// SPDX-License-Identifier: Apache-2.0
//
// What lies around a store and does the same about each of its calls: waiting, repeating, counting.

internal import Primitives
package import Stores

/// One call of a store, as far as a layer needs to know it.
package struct StoreCall: Sendable {
    /// What is asked.
    package let operation: StoreOperation
    /// Bytes that are handed over.
    package let sent: Int

    /// Names the two.
    package init(_ operation: StoreOperation, sent: Int = 0) {
        self.operation = operation
        self.sent = sent
    }
}

/// Something to be done about every call of a store, chunks and pads alike.
///
/// Layers are stacked with `StoreLayers`; one object may lie around several stores, whose calls
/// then share its pace or its limit.
package protocol StoreLayer: Sendable {
    /// Makes a call.
    ///
    /// - Parameters:
    ///   - received: the bytes of an answer.
    ///   - body: the call; not made, or made several times, as the layer sees fit.
    func perform<Answer>(
        _ call: StoreCall, received: (Answer) -> Int,
        _ body: () throws(StoreError) -> Answer
    ) throws(StoreError) -> Answer

    /// Ends the layer's own waits, now and from now on.
    func stop()
}
