// SPDX-License-Identifier: Apache-2.0
//
// Names against inodes: that each leads to the other, and that they count alike.

import Metadata
import Namespace

extension LocalCheck {
    /// Walks all inodes and all names.
    func checkNames(_ state: LocalState) throws(CheckError) {
        meter.begin(.names)
        let snapshot = state.snapshot
        var namer = PathNamer(snapshot)
        try reading { () throws(MetadataError) in
            let isWhole = try Self.isWhole(snapshot)
            try snapshot.forEachInode { (facts) throws(MetadataError) in
                meter.step()
                guard facts.exists else { return }  // Found by its names below.
                guard let row = facts.row else {
                    return report.found(Finding(namer.place(of: facts.ino), .inodeRow, .recover))
                }
                // Something that was open when the daemon died: the next start removes it.
                if row.linkCount == 0 && facts.nameCount == 0 { return }
                for problem in try Self.problems(row, facts, snapshot, isWhole: isWhole, &namer) {
                    report.found(Finding(namer.place(of: row.ino), problem, .recover))
                }
            }
        }
        try reading { () throws(MetadataError) in
            try snapshot.forEachName { (name) throws(MetadataError) in
                meter.step()
                for problem in Self.problems(name) {
                    let place = namer.place(of: name.name, in: name.parent)
                    report.found(
                        Finding(
                            name.parent == PathNamer.hardLinkTable
                                ? namer.place(of: name.ino) : place, problem, .recover))
                }
            }
        }
    }

    /// Whether every directory's names are here, so that link counts can be compared.
    private static func isWhole(_ snapshot: MetadataSnapshot) throws(MetadataError) -> Bool {
        try snapshot.unloadedDirectoryCount() == 0
    }

    private static func problems(
        _ row: InodeRow, _ facts: InodeFacts, _ snapshot: MetadataSnapshot, isWhole: Bool,
        _ namer: inout PathNamer
    ) throws(MetadataError) -> [Problem] {
        if row.ino == PathNamer.root { return [] }
        var problems: [Problem] = []
        if facts.nameCount == 0 && (isWhole || !row.isHardLinked) {
            problems.append(.nameless)
        } else if row.kind == .directory {
            problems += directoryProblems(row, facts)
            if try !namer.leadsToRoot(row) { problems.append(.unreachable) }
        } else {
            let isExact = isWhole || !row.isHardLinked
            let wanted = facts.nameCount
            if isExact ? UInt64(row.linkCount) != wanted : UInt64(row.linkCount) < wanted {
                problems.append(.linkCount(found: UInt64(row.linkCount), wanted: wanted))
            }
        }
        if facts.nameCount > 0, !row.isHardLinked, try !ownsItsName(row, snapshot) {
            problems.append(.lostName)
        }
        return problems
    }

    private static func directoryProblems(_ row: InodeRow, _ facts: InodeFacts) -> [Problem] {
        var problems: [Problem] = []
        if facts.nameCount > 1 { problems.append(.linkCount(found: 1, wanted: facts.nameCount)) }
        guard row.isLoaded else { return problems }
        // A directory counts itself, its name, and each child's way up.
        let wanted = 2 + facts.childDirectoryCount
        if UInt64(row.linkCount) != wanted {
            problems.append(.linkCount(found: UInt64(row.linkCount), wanted: wanted))
        }
        if row.size != facts.entryCount {
            problems.append(.entryCount(found: row.size, wanted: facts.entryCount))
        }
        return problems
    }

    private static func ownsItsName(
        _ row: InodeRow, _ snapshot: MetadataSnapshot
    ) throws(MetadataError) -> Bool {
        guard let name = try snapshot.name(parent: row.parent, cookie: row.cookie) else {
            return false
        }
        return try snapshot.dentry(parent: row.parent, name: name)?.ino == row.ino
    }

    private static func problems(_ name: NameFacts) -> [Problem] {
        var problems: [Problem] = []
        if name.parent == PathNamer.hardLinkTable {
            if name.inodeKind == nil { problems.append(.danglingName) }
            if name.name != Entry.hardLinkName(of: name.ino) { problems.append(.invalidName) }
            return problems
        }
        if name.parentKind != .directory { problems.append(.nameWithoutDirectory) }
        if !Entry.isValidName(name.name) { problems.append(.invalidName) }
        guard let kind = name.inodeKind else { return problems + [.danglingName] }
        if kind != name.kind { problems.append(.kind) }
        return problems
    }
}
