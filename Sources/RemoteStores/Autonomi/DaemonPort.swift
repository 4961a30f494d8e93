// SPDX-License-Identifier: Apache-2.0
//
// Finds the port that a running daemon has written down.

internal import Autonomi
internal import Glibc

/// The file with the daemon's ports, as this process's user has it.
enum DaemonPort {
    /// Where the file is; nil where the environment names no folder for a user's data.
    static var standardFile: String? {
        DaemonPortFile.path(dataHome: variable("XDG_DATA_HOME"), home: variable("HOME"))
    }

    /// The port that the file names. No file, or one that cannot be read, is a daemon that never
    /// said where it listens.
    static func read(_ path: String) -> UInt16? {
        // SAFETY: the text is lent for the call.
        guard let descriptor = try? retrying({ unsafe open(path, O_RDONLY | O_CLOEXEC) }) else {
            return nil
        }
        let file = OpenFile(descriptor: descriptor)
        guard let content = try? file.read(size: DaemonPortFile.maximumSize) else { return nil }
        return DaemonPortFile.port(in: content)
    }

    private static func variable(_ name: String) -> String? {
        // SAFETY: the variable's text is copied at once, and this program changes no variables.
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe String(cString: text)
    }
}
