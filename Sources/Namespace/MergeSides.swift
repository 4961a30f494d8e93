// SPDX-License-Identifier: Apache-2.0
//
// The three states a merge starts from, and the renames that happened between them.
//
// A rename is seen as an inode that left one name and came to another. If the other side still has
// that inode, its entry is moved along, and base's too: from then on the merge sees one name with
// three states, and a change on the other side follows the file. Where a move would fall on
// something the other side made or changed, nothing is moved: then the rename is a removal and a
// creation, which loses nothing either.

/// Three sorted states of one directory.
struct MergeSides {
    private(set) var base: [Entry]
    private(set) var ours: [Entry]
    private(set) var theirs: [Entry]

    /// A chain of renames can need one round for each link; longer ones are left as they are.
    private static let maximumRounds = 8

    init(base: [Entry], ours: [Entry], theirs: [Entry]) {
        self.base = base
        self.ours = ours
        self.theirs = theirs
    }

    /// Whether any of the three has this name.
    func hasName(_ name: [UInt8]) -> Bool {
        base.entry(named: name) != nil || ours.entry(named: name) != nil
            || theirs.entry(named: name) != nil
    }

    /// Visits every name of any side once, in order.
    func forEachName(_ body: (MergeSlot) -> Void) {
        var (inBase, inOurs, inTheirs) = (0, 0, 0)
        while true {
            var name = inBase < base.count ? base[inBase].name : nil
            if inOurs < ours.count { name = Self.first(name, ours[inOurs].name) }
            if inTheirs < theirs.count { name = Self.first(name, theirs[inTheirs].name) }
            guard let name else { return }
            body(
                MergeSlot(
                    name: name, base: Self.take(name, from: base, at: &inBase),
                    ours: Self.take(name, from: ours, at: &inOurs),
                    theirs: Self.take(name, from: theirs, at: &inTheirs)))
        }
    }

    private static func first(_ left: [UInt8]?, _ right: [UInt8]) -> [UInt8] {
        guard let left else { return right }
        return bytesPrecede(right, left) ? right : left
    }

    /// The next entry of a side if it has this name.
    private static func take(
        _ name: [UInt8], from side: [Entry], at index: inout Int
    ) -> Entry? {
        guard index < side.count, side[index].name == name else { return nil }
        index += 1
        return side[index - 1]
    }

    /// Brings renamed inodes under one name on all sides; theirs' if both renamed one.
    mutating func followRenames() {
        var moves = plannedMoves()
        for round in 0... {
            let possible = moves.filter { isPossible($0.value, among: moves) }
            if possible.count == moves.count { break }
            if round == Self.maximumRounds { return }
            moves = possible
        }
        guard !moves.isEmpty else { return }
        let targets = Set(moves.values.map(\.target))
        let wasThere = (base, ours, theirs)
        base = Self.moved(base, by: moves, from: \.inBase, targets) { _ in true }
        // What a rename fell upon is gone on that side; the other's copy of it was unchanged.
        let isOld = { (entry: Entry) in wasThere.0.entry(named: entry.name) == entry }
        ours = Self.moved(ours, by: moves, from: \.inOurs, targets, dropping: isOld)
        theirs = Self.moved(theirs, by: moves, from: \.inTheirs, targets, dropping: isOld)
    }

    /// One inode, and its name on each side.
    private struct Move {
        let inBase: [UInt8]
        let inOurs: [UInt8]
        let inTheirs: [UInt8]
        let target: [UInt8]
    }

    private func plannedMoves() -> [UInt64: Move] {
        let byOurs = Self.renames(from: base, to: ours)
        let byTheirs = Self.renames(from: base, to: theirs)
        var moves: [UInt64: Move] = [:]
        for (ino, rename) in byOurs.merging(byTheirs, uniquingKeysWith: { first, _ in first }) {
            let here = byOurs[ino]?.to ?? Self.stays(rename.from, ino, in: ours)
            let there = byTheirs[ino]?.to ?? Self.stays(rename.from, ino, in: theirs)
            guard let here, let there else { continue }
            moves[ino] = Move(
                inBase: rename.from, inOurs: here, inTheirs: there,
                target: byTheirs[ino] == nil ? here : there)
        }
        return moves
    }

    /// Whether each side has room for the inode at every name it was brought to. Of two new names
    /// only one is the target; both are asked, so that it does not matter whose is.
    private func isPossible(_ move: Move, among moves: [UInt64: Move]) -> Bool {
        let sides = [(ours, \Move.inOurs), (theirs, \Move.inTheirs)]
        return [move.inOurs, move.inTheirs].allSatisfy { goal in
            goal == move.inBase
                || sides.allSatisfy { side, position in
                    move[keyPath: position] == goal
                        || hasRoom(at: goal, in: side, position, among: moves)
                }
        }
    }

    /// Whether nothing stands there, or what moves away, or what the rename fell upon unchanged.
    private func hasRoom(
        at goal: [UInt8], in side: [Entry], _ position: KeyPath<Move, [UInt8]>,
        among moves: [UInt64: Move]
    ) -> Bool {
        guard let standing = side.entry(named: goal) else { return true }
        if let other = moves[standing.ino], other[keyPath: position] == goal {
            return other.target != goal
        }
        return base.entry(named: goal) == standing
    }

    /// The inodes that have another name in `side` than in `base`.
    ///
    /// Links share their number with others, and a pad belongs to its name: both are left out, and
    /// so is a number that occurs twice.
    private static func renames(
        from base: [Entry], to side: [Entry]
    ) -> [UInt64: (from: [UInt8], to: [UInt8])] {
        var departed: [Entry] = []
        var arrived: [Entry] = []
        let pair = MergeSides(base: base, ours: side, theirs: [])
        pair.forEachName { slot in
            guard slot.base?.ino != slot.ours?.ino else { return }
            if let entry = slot.base, entry.canBeFollowed { departed.append(entry) }
            if let entry = slot.ours, entry.canBeFollowed { arrived.append(entry) }
        }
        guard !departed.isEmpty, !arrived.isEmpty else { return [:] }
        let goals = Dictionary(grouping: arrived, by: \.ino)
        var renames: [UInt64: (from: [UInt8], to: [UInt8])] = [:]
        for (ino, entries) in Dictionary(grouping: departed, by: \.ino) where entries.count == 1 {
            guard let goal = goals[ino], goal.count == 1, goal[0].kind == entries[0].kind else {
                continue
            }
            renames[ino] = (entries[0].name, goal[0].name)
        }
        return renames
    }

    /// `name`, if the inode is still there.
    private static func stays(_ name: [UInt8], _ ino: UInt64, in side: [Entry]) -> [UInt8]? {
        guard let entry = side.entry(named: name), entry.ino == ino, entry.canBeFollowed else {
            return nil
        }
        return name
    }

    /// One side with its inodes moved, and what stood at their targets dropped.
    private static func moved(
        _ side: [Entry], by moves: [UInt64: Move], from position: KeyPath<Move, [UInt8]>,
        _ targets: Set<[UInt8]>, dropping isOld: (Entry) -> Bool
    ) -> [Entry] {
        var result: [Entry] = []
        result.reserveCapacity(side.count)
        for var entry in side {
            if let move = moves[entry.ino], move[keyPath: position] == entry.name {
                entry.name = move.target
            } else if targets.contains(entry.name), isOld(entry) {
                continue
            }
            result.append(entry)
        }
        return result.sorted { bytesPrecede($0.name, $1.name) }
    }
}

extension Entry {
    fileprivate var canBeFollowed: Bool {
        switch body {
        case .link, .pad: false
        case .regular, .directory, .symlink, .special: true
        }
    }
}

extension [Entry] {
    /// The entry of this name in a sorted run.
    func entry(named name: [UInt8]) -> Entry? {
        let index = partitionPoint { bytesPrecede($0.name, name) }
        return index < count && self[index].name == name ? self[index] : nil
    }
}
