// SPDX-License-Identifier: Apache-2.0
//
// What the C library keeps of freed memory, of which chunks are most.

internal import CLinux

/// The process's heap as a whole.
package enum HeapMemory {
    /// Gives freed memory back to the system.
    ///
    /// The C library keeps what was freed for the next who needs as much, which makes chunk after
    /// chunk cheap and would stay when the work is done. Takes some milliseconds of a heap that has
    /// much to give, in which other threads may wait for memory: for every few seconds, and not
    /// after each chunk.
    package static func giveBack() {
        cairn_trim_heap()
    }
}
