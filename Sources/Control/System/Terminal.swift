// SPDX-License-Identifier: Apache-2.0
//
// The terminal that a person may sit at.

import Glibc

/// What is known of a terminal.
package enum Terminal {
    /// The width where nobody says another, in columns.
    package static let defaultWidth = 80
    /// The narrowest and the widest that is believed.
    package static let widths = 10...1000

    /// Columns of the terminal that standard error is, as it is now: people change it.
    package static var errorWidth: Int { width(of: STDERR_FILENO) }
    /// Columns of the terminal that standard output is.
    package static var outputWidth: Int { width(of: STDOUT_FILENO) }

    /// Whether a person sees standard output.
    package static var isOutputWatched: Bool { isatty(STDOUT_FILENO) == 1 }

    private static func width(of descriptor: Int32) -> Int {
        var size = winsize()
        // SAFETY: the request writes a `winsize`, and `size` is one, for the time of the call.
        guard unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return defaultWidth
        }
        return min(max(Int(size.ws_col), widths.lowerBound), widths.upperBound)
    }
}
