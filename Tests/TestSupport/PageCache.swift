// SPDX-License-Identifier: Apache-2.0
//
// What the system holds of a file in its memory.

import Foundation

package enum PageCache {
    /// Has the system forget what it holds of a file, as far as that is on the disk. A file that
    /// is not there has nothing to be forgotten.
    package static func drop(_ path: String) {
        // SAFETY: the path is lent for the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
        close(descriptor)
    }
}
