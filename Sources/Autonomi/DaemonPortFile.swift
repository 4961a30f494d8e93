// SPDX-License-Identifier: Apache-2.0
//
// Where a running daemon says that it listens.

/// The file in which the network's daemon leaves its ports.
///
/// Two lines: the port of the REST interface, then that of another one that Cairn does not use.
///
/// - Source: docs/decisions/0017-autonomi-network.md.
package enum DaemonPortFile {
    /// The most bytes of it that are looked at.
    package static let maximumSize = 256

    /// The port of the REST interface where the daemon has no other: what its own clients try.
    package static let standardPort: UInt16 = 8082

    /// Its place below the folder for a user's data.
    package static let relativePath = "ant/daemon.port"

    /// The folders to look in, best first: `$XDG_DATA_HOME`, or what stands for it.
    ///
    /// - Parameters:
    ///   - dataHome: `$XDG_DATA_HOME`; one that is no absolute path does not count.
    ///   - home: `$HOME`.
    /// - Source: XDG Base Directory Specification.
    package static func path(dataHome: String?, home: String?) -> String? {
        if let dataHome, dataHome.utf8.first == UInt8(ascii: "/") {
            return dataHome + "/" + relativePath
        }
        guard let home, home.utf8.first == UInt8(ascii: "/") else { return nil }
        return home + "/.local/share/" + relativePath
    }

    /// The REST port that the file's content names; nil if it names none.
    package static func port(in content: [UInt8]) -> UInt16? {
        guard content.count <= maximumSize else { return nil }
        let line = content.prefix { $0 != 0x0A && $0 != 0x0D }
        let digits = line.filter { $0 != 0x20 && $0 != 0x09 }
        guard !digits.isEmpty, digits.allSatisfy({ (0x30...0x39).contains($0) }),
            let port = UInt16(String(decoding: digits, as: UTF8.self)), port > 0
        else { return nil }
        return port
    }
}
