// SPDX-License-Identifier: Apache-2.0
//
// Clearing set-user-id and set-group-id when an ordinary user changes a file's bytes. The kernel
// leaves this to us (HANDLE_KILLPRIV_V2, see `ConnectionTerms`), and says who must lose them only
// in flags that libfuse 3.14 drops: so whoever is not root counts.

import Engine
import Namespace

/// Parts of a file's mode.
enum FileMode {
    /// Everything but the kind.
    static let permissions: UInt32 = 0o7777
    /// Somebody may run it.
    static let execution: UInt32 = 0o111
    /// Runs with its owner's or group's rights.
    static let privileges: UInt32 = 0o6000
}

extension Call {
    /// Clears a file's set-user-id and set-group-id, if it has them and the caller is not root.
    ///
    /// - Parameter ino: the engine's number of a file whose bytes are about to change.
    /// - Throws: what the engine throws; nothing was changed then.
    func dropPrivileges(of ino: UInt64) throws(FileError) {
        guard context.user != 0 else { return }
        let status = try engine.status(of: ino, context)
        guard status.attributes.mode & FileMode.privileges != 0 else { return }
        var change = AttributeChange()
        change.clearsPrivileges = true
        _ = try engine.setAttributes(of: ino, change, context)
    }
}
