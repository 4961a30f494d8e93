// SPDX-License-Identifier: Apache-2.0
//
// Where this machine keeps its volumes: `STATE/volumes/NAME`, each a folder of its own.

import Glibc

/// The folder that holds the local state of all volumes of one user.
package struct StateFolder: Sendable, Equatable {
    /// Its absolute path.
    package let path: String

    /// The state folder a command uses: `--state`, else $CAIRN_STATE, else $XDG_DATA_HOME/cairn,
    /// else ~/.local/share/cairn. It is not made here.
    ///
    /// - Parameter given: the value of `--state`.
    /// - Throws: exit code `usage` when there is no home directory to put it in.
    package init(_ given: String?) throws(CommandFailure) {
        if let given = given ?? Environment.value("CAIRN_STATE") {
            path = try Self.absolute(given)
        } else if let data = Environment.value("XDG_DATA_HOME"), data.hasPrefix("/") {
            // The XDG specification: a relative path is to be ignored.
            path = data + "/cairn"
        } else if let home = Environment.home {
            path = home + "/.local/share/cairn"
        } else {
            throw CommandFailure(
                .usage, "there is no home directory to keep the state in",
                advice: "give a folder with --state or in $CAIRN_STATE")
        }
    }

    /// A path that no longer depends on the current directory.
    package static func absolute(_ path: String) throws(CommandFailure) -> String {
        var path = path
        if !path.hasPrefix("/") {
            do {
                path = try Environment.currentDirectory() + "/" + path
            } catch {
                throw CommandFailure(.unusablePath, "the current directory cannot be used", error)
            }
        }
        var parts: [Substring] = []
        for part in path.split(separator: "/") where part != "." {
            // `..` stays: after a symlink it would not mean the folder written before it.
            parts.append(part)
        }
        return "/" + parts.joined(separator: "/")
    }

    /// The folder of one volume, which need not exist.
    package func volume(_ name: VolumeName) -> VolumeFolder {
        VolumeFolder(path: path + "/volumes/" + name.text, name: name)
    }

    /// Where a volume rests that was made without `--store`: beside the state, never inside it, so
    /// that who deletes the local state does not delete the only copy.
    package func standardStore(of name: VolumeName) -> String {
        "file://" + path + "-store/" + name.text
    }

    /// All volumes whose making was finished, by name.
    package func volumes() throws(CommandFailure) -> [VolumeFolder] {
        let folder = path + "/volumes"
        let entries: [(name: [UInt8], ino: UInt64)]
        do {
            entries = try Files.names(in: try Descriptor.open(folder, O_RDONLY | O_DIRECTORY))
        } catch {
            if error.code == ENOENT { return [] }
            throw CommandFailure(.failure, "the state folder “\(path)” cannot be read", error)
        }
        var found: [VolumeName] = []
        for entry in entries {
            do {
                found.append(try VolumeName(String(decoding: entry.name, as: UTF8.self)))
            } catch {
                // Somebody else's file: no volume of ours has such a name.
                continue
            }
        }
        return found.sorted().map(volume).filter(\.isComplete)
    }

    /// The one volume a command means when none is named.
    ///
    /// - Throws: `noSuchVolume` when there is none, `usage` when there are several and no `home`.
    package func onlyVolume() throws(CommandFailure) -> VolumeFolder {
        let all = try volumes()
        if let standard = all.first(where: { $0.name == .standard }) { return standard }
        guard let first = all.first else {
            throw CommandFailure(
                .noSuchVolume, "there is no volume in “\(path)”",
                advice: "make one with “cairn init”, or get one back with “cairn recover”")
        }
        guard all.count == 1 else {
            let names = all.map(\.name.text).joined(separator: ", ")
            throw CommandFailure(
                .usage, "there are several volumes: \(names)", advice: "name the one you mean")
        }
        return first
    }
}
