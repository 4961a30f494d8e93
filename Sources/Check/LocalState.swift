// SPDX-License-Identifier: Apache-2.0
//
// The local state as a check sees it: one fixed view of the database, the arena, and the key that
// opens inline content. Nothing is written through it but what a start would write as well: the
// database's log is taken in, and its schema brought up.

import Blocks
import Cryptography
import Engine
import Metadata
import Namespace

/// The open state folder of one volume.
final class LocalState {
    let database: MetadataDatabase
    let snapshot: MetadataSnapshot
    /// Nil when the arena does not open, or was never made.
    let arena: Arena?
    /// Why there is no arena, if that is damage.
    let arenaProblem: String?
    /// Nil when the volume has no salt for it yet.
    let sealer: LocalSealer?
    /// Slots that the arena's file has.
    let slotCount: UInt64

    /// - Throws: what the database says when it does not open.
    init(_ target: CheckTarget) throws(MetadataError) {
        database = try MetadataDatabase(
            path: target.stateFolder + "/meta.db", creates: false)
        snapshot = try database.snapshot()
        sealer = try Self.sealer(target, snapshot)
        let (arena, problem) = try Self.arena(target, snapshot)
        var (count, failure): (UInt64, String?) = (0, problem)
        do {
            count = try arena?.slotCount() ?? 0
        } catch {
            failure = "\(error)"
        }
        self.arena = arena
        arenaProblem = failure
        slotCount = count
    }

    /// Ends the view, so that something else may open the folder.
    func close() {
        snapshot.close()
        // Everything was committed before: there is nothing a failure could lose.
        try? database.close()
    }

    private static func sealer(
        _ target: CheckTarget, _ snapshot: MetadataSnapshot
    ) throws(MetadataError) -> LocalSealer? {
        guard let salt = try snapshot.value("inline-salt"),
            salt.count >= VolumeKeys.minimumSaltSize
        else { return nil }
        // It fails for a key of a wrong size only, which this is not.
        return try? LocalSealer(key: target.keys.localKey(salt: salt))
    }

    private static func arena(
        _ target: CheckTarget, _ snapshot: MetadataSnapshot
    ) throws(MetadataError) -> (Arena?, String?) {
        guard let salt = try snapshot.value("arena-salt"),
            salt.count >= VolumeKeys.minimumSaltSize
        else { return (nil, nil) }
        let path = target.stateFolder + "/arena"
        do {
            // Opening would make a new one, and hide that the old one is gone.
            guard try Arena.identifier(ofFileAt: path) != nil else {
                return (nil, "its file is gone, or empty")
            }
            return (
                try Arena(
                    path: path, key: target.keys.localKey(salt: salt),
                    budget: target.cacheBudget), nil
            )
        } catch {
            if error == .locked { throw .inUse }
            return (nil, "\(error)")
        }
    }
}

/// From inodes to paths, as the database has them.
struct PathNamer {
    private let snapshot: MetadataSnapshot
    /// The inode of a mount's root.
    static let root: UInt64 = 1
    /// What stands for the hard-link table among directories.
    static let hardLinkTable: UInt64 = 0
    private var known: Set<UInt64> = []

    init(_ snapshot: MetadataSnapshot) { self.snapshot = snapshot }

    /// Where the inode is; by its number when no path leads there.
    func place(of ino: UInt64) -> Finding.Place {
        // A row on the way that cannot be read is a finding of its own; this one has no path then.
        guard let path = try? path(of: ino) else { return .inode(ino) }
        return .path(path)
    }

    /// Where a name is.
    func place(of name: [UInt8], in parent: UInt64) -> Finding.Place {
        guard let path = try? path(of: parent) else {
            return .path([UInt8(ascii: "?"), slash] + name)
        }
        return .path(path.isEmpty ? name : path + [slash] + name)
    }

    private let slash = UInt8(ascii: "/")

    private func path(of ino: UInt64) throws(MetadataError) -> [UInt8]? {
        var names: [[UInt8]] = []
        var current = ino
        while current != Self.root {
            guard names.count < CheckLimits.depth, let row = try snapshot.inode(current),
                let name = try snapshot.name(parent: row.parent, cookie: row.cookie)
            else { return nil }
            names.append(name)
            current = row.parent
        }
        return Array(names.reversed().joined(separator: [slash]))
    }

    /// Whether the directories above lead to the root.
    mutating func leadsToRoot(_ row: InodeRow) throws(MetadataError) -> Bool {
        var passed: [UInt64] = []
        var current = row.ino
        var parent = row.parent
        while current != Self.root, !known.contains(current) {
            passed.append(current)
            guard passed.count < CheckLimits.ancestors, parent != current,
                let above = try snapshot.inode(parent), above.kind == .directory
            else { return false }
            current = above.ino
            parent = above.parent
        }
        if known.count + passed.count > CheckLimits.knownDirectories { known = [] }
        known.formUnion(passed.prefix(CheckLimits.knownDirectories))
        return true
    }
}
