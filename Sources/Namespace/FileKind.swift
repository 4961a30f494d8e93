// SPDX-License-Identifier: Apache-2.0
//
// What sort of thing an inode is. The raw values are written into pages: they never change.

/// The seven POSIX kinds of file.
///
/// Source: docs/format.md §7; the raw values are Cairn's own, not those of `st_mode`.
package enum FileKind: UInt8, Sendable, Hashable, CaseIterable {
    case regular = 1
    case directory = 2
    case symlink = 3
    case fifo = 4
    case socket = 5
    case characterDevice = 6
    case blockDevice = 7

    /// Whether the kind is one that `Body.special` may carry: no bytes, only a device number.
    package var isSpecial: Bool {
        switch self {
        case .fifo, .socket, .characterDevice, .blockDevice: true
        case .regular, .directory, .symlink: false
        }
    }
}
