// SPDX-License-Identifier: Apache-2.0
//
// Changes of what is kept for publishing: pages, touched names, conflicts; and of the settings.

package import Namespace

extension MetadataWriter {
    /// Sets the root page of a directory; nil forgets it.
    package borrowing func setPage(
        _ directory: UInt64, _ reference: PageReference?
    ) throws(MetadataError) {
        guard let reference else {
            let change = try core.writes.inodes.deletePage.begin()
            change.bind(1, directory)
            return try change.run()
        }
        try core.requireRoom()
        let change = try core.writes.publishing.setPage.begin()
        change.bind(1, directory)
        try change.bind(2, reference.stored)
        try change.run()
    }

    /// Sets all leaf pages of a directory.
    ///
    /// - Throws: `.sqlite` if two begin with the same name.
    package borrowing func replaceLeaves(
        _ directory: UInt64, _ leaves: [LeafRow]
    ) throws(MetadataError) {
        if !leaves.isEmpty { try core.requireRoom(for: leaves.count * 512) }
        let removal = try core.writes.inodes.deleteLeaves.begin()
        removal.bind(1, directory)
        try removal.run()
        for leaf in leaves {
            let change = try core.writes.publishing.insertLeaf.begin()
            change.bind(1, directory)
            try change.bind(2, leaf.first)
            try change.bind(3, leaf.reference.stored)
            change.bind(4, leaf.entryCount)
            try change.run()
        }
    }

    /// Marks a name as one to publish. A name that is marked already takes the larger number.
    ///
    /// - Parameter sequence: the engine's count of changes, below 2^63.
    package borrowing func touch(
        _ directory: UInt64, _ name: [UInt8], _ sequence: UInt64
    ) throws(MetadataError) {
        try core.requireRoom()
        let change = try core.writes.publishing.touch.begin()
        change.bind(1, directory)
        try change.bind(2, name)
        change.bind(3, sequence)
        try change.run()
    }

    /// Forgets the marks of names that were touched last at or before a sequence number: they are
    /// published. Names touched since keep theirs. Leaf pages that only marks have kept go too.
    package borrowing func clearTouched(upTo sequence: UInt64) throws(MetadataError) {
        let publishing = core.writes.publishing
        for statement in [publishing.clearRemovedLeaves, publishing.clearTouched] {
            let change = try statement.begin()
            change.bind(1, Int64(clamping: sequence))
            try change.run()
        }
    }

    /// Adds a conflict to the list people see; `number` of the row is not looked at.
    ///
    /// - Returns: the number it was given.
    @discardableResult
    package borrowing func addConflict(_ row: ConflictRow) throws(MetadataError) -> UInt64 {
        try core.requireRoom()
        let change = try core.writes.publishing.addConflict.begin()
        change.bind(1, row.directory)
        try change.bind(2, row.keptName)
        try change.bind(3, row.conflictName)
        change.bind(4, row.noticed.seconds)
        change.bind(5, Int64(row.noticed.nanoseconds))
        return try change.runGivingRow()
    }

    /// Takes a conflict off the list.
    package borrowing func removeConflict(_ number: UInt64) throws(MetadataError) {
        let change = try core.writes.publishing.removeConflict.begin()
        change.bind(1, number)
        try change.run()
    }

    /// Sets a setting to bytes; nil forgets it.
    ///
    /// - Parameter key: any text, but not one that begins with `metadata.`.
    package borrowing func setValue(_ key: String, _ value: [UInt8]?) throws(MetadataError) {
        precondition(!key.hasPrefix(WriterCore.ownKeyPrefix), "a key of the database's own")
        guard let value else {
            let change = try core.writes.publishing.removeSetting.begin()
            try change.bind(1, Array(key.utf8))
            return try change.run()
        }
        try core.requireRoom(for: value.count)
        let change = try core.writes.publishing.setSetting.begin()
        try change.bind(1, Array(key.utf8))
        try change.bind(2, value)
        try change.run()
    }

    /// Sets a setting to a number.
    ///
    /// - Parameter key: any text, but not one that begins with `metadata.`.
    package borrowing func setInteger(_ key: String, _ value: Int64) throws(MetadataError) {
        precondition(!key.hasPrefix(WriterCore.ownKeyPrefix), "a key of the database's own")
        try core.requireRoom()
        try core.setInteger(key, value)
    }
}
