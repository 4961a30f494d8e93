// SPDX-License-Identifier: Apache-2.0
//
// A listing that is interrupted while names come and go, and goes on from where it was.

import Engine
import TestSupport
import Namespace

extension ModelRun {
    /// Most operations between two parts of one listing.
    private static let pauseLimit = 12

    /// Lists a directory in parts. What stayed must come once; nothing comes that never was.
    func listing() throws {
        let id = anyDirectory()
        let ino = tree[id].ino
        note("listing of \(ino) begins")
        var stayed = tree[id].children
        var everThere = Set(stayed.keys)
        var found: [[UInt8]: Int] = [:]
        var offset: UInt64 = 0
        depth += 1
        defer { depth -= 1 }
        while try listPart(ino, &offset, &found) {
            for _ in 0..<Int.random(in: 0...ModelRun.pauseLimit, using: &dice) {
                try advance()
                guard let children = tree.nodes[id]?.children else { return }
                // A name that was taken away and given again is another entry.
                stayed = stayed.filter { children[$0.key] == $0.value }
                everThere.formUnion(children.keys)
            }
            guard tree[id].links > 0 else { return }
        }
        for name in stayed.keys where found[name] != 1 {
            throw fail("a name was listed \(found[name] ?? 0) times in \(ino)", inode: ino)
        }
        if !everThere.isSuperset(of: found.keys) {
            throw fail("a name was listed in \(ino) that never was", inode: ino)
        }
    }

    /// Some more entries. The position is all that is kept in between, as by telldir and seekdir.
    ///
    /// - Returns: false at the end.
    private func listPart(
        _ ino: UInt64, _ offset: inout UInt64, _ found: inout [[UInt8]: Int]
    ) throws -> Bool {
        let most = Int.random(in: 1...6, using: &dice)
        let from = offset
        var count = 0
        var last = from
        var names: [[UInt8]] = []
        let withStatus = Bool.random(using: &dice)
        try expect("lists \(ino) from \(from)", nil) { () throws(FileError) in
            count = 0
            names = []
            let handle = try engine.openDirectory(ino, context).handle
            defer { engine.releaseDirectory(handle) }
            try engine.readDirectory(
                handle, ino: ino, from: from, withStatus: withStatus, context
            ) { entry in
                if count == most { return false }
                count += 1
                last = entry.nextOffset
                names.append(entry.name)
                return true
            }
        }
        offset = last
        for name in names where name != Array(".".utf8) && name != Array("..".utf8) {
            found[name, default: 0] += 1
        }
        return count == most
    }
}
