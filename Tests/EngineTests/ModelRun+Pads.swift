// SPDX-License-Identifier: Apache-2.0
//
// Whose pad is whose: the model of identities that belong to names (docs/SEMANTICS.md, "Pads").

import Namespace
import TestSupport

@testable import Engine

extension ModelRun {
    var seconds: Int64 { Timestamp.now().seconds }

    private func isPadFile(_ id: Int) -> Bool {
        tree[id].isPad && tree[id].kind == .regular
    }

    /// Asks the engine for the identities that are not known. What has none is local.
    ///
    /// - Returns: whether it had one of which a publication may have known nothing.
    func learnIdentities() throws -> Bool {
        var isNew = false
        for id in tree.named({ $0.isPad && $0.kind == .regular && $0.identity == .unknown }) {
            tree[id].identity = try TreeComparison.identity(of: tree[id].ino, volume)
            if tree[id].identity != .none { isNew = true }
        }
        return isNew
    }

    /// Leaves the identity at the name that the pad is about to lose.
    func park(_ id: Int, _ name: [UInt8], _ parent: Int, mover: Int?) {
        guard isPadFile(id), tree[id].identity != .none else { return }
        let key = ModelParking.Name(directory: tree[parent].ino, name: name)
        tree.parked.park(tree[id].identity, at: key, mover: mover, now: seconds)
        tree[id].identity = .none
    }

    func movePad(
        _ id: Int, _ name: [UInt8], _ parent: Int, _ target: Int?, _ newName: [UInt8],
        _ newParent: Int
    ) {
        guard isPadFile(id) else { return }
        if ModelRun.isTemporary(newName) {
            park(id, name, parent, mover: id)
            return
        }
        if let target, tree[target].identity != .none {
            tree[id].identity = tree[target].identity
            return
        }
        let key = ModelParking.Name(directory: tree[newParent].ino, name: newName)
        if let parked = tree.parked.take(key, now: seconds) {
            tree[id].identity = parked
        } else if tree[id].identity == .none {
            tree[id].identity = .unknown
        }
    }

    /// Two pads that change places leave their identities where they are. A pad that changes places
    /// with something else goes there as if nothing stood there.
    func exchangePads(
        _ one: (id: Int, name: [UInt8], parent: Int), _ other: (id: Int, name: [UInt8], parent: Int)
    ) {
        if isPadFile(one.id) && isPadFile(other.id) {
            let identity = tree[one.id].identity
            tree[one.id].identity = tree[other.id].identity
            tree[other.id].identity = identity
            return
        }
        movePad(one.id, one.name, one.parent, nil, other.name, other.parent)
        movePad(other.id, other.name, other.parent, nil, one.name, one.parent)
    }

    /// Takes over an identity that only the engine knows yet.
    func learnIdentity(_ id: Int) throws {
        guard isPadFile(id), tree[id].links > 0 else { return }
        let found = try TreeComparison.identity(of: tree[id].ino, volume)
        if tree[id].identity == .unknown {
            if found != .none { tree[id].identity = found }
        } else if tree[id].identity != found {
            throw fail(
                "inode \(tree[id].ino) is the pad \(found), not \(tree[id].identity)",
                inode: tree[id].ino)
        }
    }

    /// The content type of a pad, signed with it.
    func setEncoding() throws {
        guard let id = pick(tree.named { $0.kind == .regular }) else { return }
        if tree[id].identity == .unknown { return }
        let ino = tree[id].ino
        let name = Array("user.cairn.encoding".utf8)
        let value = UInt64.random(in: 0...3, using: &dice)
        guard case .known(let address, let standing) = tree[id].identity else {
            try expect("encoding of \(ino)", .notSupported) { () throws(FileError) in
                try engine.setExtendedAttribute(
                    name, of: ino, to: Array("\(value)".utf8), .any, context)
            }
            return
        }
        try expect("encoding \(value) of \(ino)", nil) { () throws(FileError) in
            try engine.setExtendedAttribute(
                name, of: ino, to: Array("\(value)".utf8), .any, context)
        }
        tree[id].identity = .known(address: address, encoding: value)
        if value != standing { try settle(id, .changed) }
    }
}
