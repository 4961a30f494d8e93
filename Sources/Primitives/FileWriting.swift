// SPDX-License-Identifier: Apache-2.0
//
// How content is handed to the kernel.

/// What writing to a file does best.
package enum FileWriting {
    /// Most bytes of one call.
    ///
    /// The kernel keeps what one call writes in pieces of memory as large as the call, and large
    /// ones come from memory that nobody used for long. In a virtual machine that memory is not
    /// there before it is touched: measured on one, calls of 64 KiB write 4 GiB a second, calls of
    /// 128 KiB and more 0.3. Where all memory is there, large calls gain a fifth at most.
    package static let callSize = 64 * 1024
}
