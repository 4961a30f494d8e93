// SPDX-License-Identifier: Apache-2.0
//
// Folders of the tests.

import Glibc

@testable import FuseHost

enum TemporaryFolder {
    /// A new folder, its path resolved; nil when there is none to be had.
    static func make() -> String? {
        var template = Array("/tmp/cairn-fusehost-XXXXXX".utf8CString)
        // SAFETY: mkdtemp writes into the template, which is ours and ends with a zero.
        return unsafe template.withUnsafeMutableBufferPointer { text in
            guard let start = text.baseAddress, unsafe mkdtemp(start) != nil else { return nil }
            return unsafe SystemFile.resolved(String(cString: start))
        }
    }

    /// An empty file.
    static func makeFile(_ path: String) {
        // SAFETY: the path is alive for the call.
        close(unsafe open(path, O_CREAT | O_WRONLY, 0o600))
    }

    /// Removes a folder and the files in it.
    static func remove(_ path: String) {
        for name in SystemFile.names(in: path) ?? [] {
            // SAFETY: the path is alive for the call.
            unsafe unlink("\(path)/\(name)")
        }
        // SAFETY: as above.
        unsafe rmdir(path)
    }
}
