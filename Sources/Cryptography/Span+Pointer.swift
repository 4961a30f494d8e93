// SPDX-License-Identifier: Apache-2.0
//
// Spans as C takes them. libsodium declares its pointers as never null, also beside a size of 0.

extension Span where Element == UInt8 {
    /// Lends the address of the first byte, or of some other byte if there are none.
    @unsafe
    func withPointer<R>(_ body: (UnsafePointer<UInt8>) -> R) -> R {
        // SAFETY: lent by the caller for the call of `body`.
        unsafe withUnsafeBufferPointer { buffer in
            if let address = buffer.baseAddress {
                return unsafe body(address)
            }
            var placeholder: UInt8 = 0
            return unsafe body(&placeholder)
        }
    }
}

extension MutableSpan where Element == UInt8 {
    /// Lends the address of the first byte, or of some other byte if there are none.
    @unsafe
    mutating func withMutablePointer<R>(_ body: (UnsafeMutablePointer<UInt8>) -> R) -> R {
        // SAFETY: lent by the caller for the call of `body`.
        unsafe withUnsafeMutableBufferPointer { buffer in
            if let address = buffer.baseAddress {
                return unsafe body(address)
            }
            var placeholder: UInt8 = 0
            return unsafe body(&placeholder)
        }
    }
}
