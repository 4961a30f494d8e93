// SPDX-License-Identifier: Apache-2.0
//
// One file's description, for people and for programs. Pure.

import Namespace
import Primitives

extension FileReport {
    /// Lines of a label and a value, then the chunks' addresses.
    package func lines(path: String) -> String {
        var rows: [(String, String)] = [
            ("path", path),
            ("kind", kindName),
            ("form", form),
            ("state", state),
            ("size", "\(size) bytes"),
            ("inode", String(ino)),
            ("links", String(linkCount)),
        ]
        if let pad {
            rows += [
                ("address", pad.address),
                ("owner", pad.address),
                ("counter", String(pad.counter)),
                ("encoding", String(pad.encoding)),
            ]
        }
        for map in maps {
            rows.append(("data map", "at \(map.offset), \(map.size) bytes"))
            rows.append(("", Hex.encode(map.encoded)))
        }
        if chunkCount > 0 { rows.append(("chunks", String(chunkCount))) }
        for address in chunkAddresses { rows.append(("", address)) }
        let shown = UInt64(chunkAddresses.count)
        if chunkCount > shown { rows.append(("", "and \(chunkCount - shown) more")) }
        return StatusText.table(rows)
    }

    /// The same for programs.
    package func json(path: String) -> JSONText {
        var members: [(String, JSONText)] = [
            ("path", .string(path)),
            ("kind", .string(kindName)),
            ("form", .string(form)),
            ("state", .string(state)),
            ("size", .count(size)),
            ("inode", .count(ino)),
            ("links", .count(UInt64(linkCount))),
            ("allocated", .count(allocated)),
        ]
        if let pad {
            members += [
                ("address", .string(pad.address)),
                ("owner", .string(pad.address)),
                ("counter", .count(pad.counter)),
                ("encoding", .count(pad.encoding)),
            ]
        }
        let maps = maps.map { map in
            JSONText.object([
                ("offset", .count(map.offset)), ("size", .count(map.size)),
                ("msgpack", .string(Hex.encode(map.encoded))),
            ])
        }
        members += [
            ("dataMaps", .list(maps)),
            ("chunkCount", .count(chunkCount)),
            ("chunks", .list(chunkAddresses.map(JSONText.string))),
        ]
        return .object(members)
    }

    private var kindName: String {
        switch kind {
        case .regular: "file"
        case .directory: "folder"
        case .symlink: "symlink"
        case .fifo: "pipe"
        case .socket: "socket"
        case .characterDevice: "character device"
        case .blockDevice: "block device"
        }
    }
}
