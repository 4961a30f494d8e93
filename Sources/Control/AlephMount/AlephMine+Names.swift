// SPDX-License-Identifier: Apache-2.0
//
// Names in `me/` that go and move, and what is told of them besides their bytes.

import Aleph
import AlephProtocol
import Engine
import JSON
import Namespace
import Primitives
import Threading

extension AlephMine {
    /// Removes a name. The network is told after a moment.
    func remove(_ name: AlephOwnName, _ patience: Patience?) throws(FileError) {
        let standing = own(name)
        if standing?.record.isGone == true { throw .notFound }
        let known = try entry(name, standing?.record.target, patience)
        guard standing != nil || known != nil else { throw .notFound }
        try leave(name, standing, known, for: AlephMine.removalDelay)
    }

    /// A name loses what it has: what the network knows of it is to be taken back, unless
    /// something comes in its place within `time`.
    func leave(
        _ name: AlephOwnName, _ standing: AlephOwn?, _ known: AlephEntry?, for time: Duration
    ) throws(FileError) {
        guard known != nil || standing?.isPublishing == true else {
            if let standing { forgetOwn(standing, keepsBody: false) }
            return
        }
        var record =
            standing?.record
            ?? AlephRecord(number: staging.number(), part: name.part, name: name.name)
        if standing == nil { adoptFacts(of: known, into: &record) }
        let body = record.body
        record.body = nil
        record.envelope = nil
        record.isGone = true
        record.isRetold = false
        if record.base == nil, name.part == .aggregates { record.base = AlephMine.value(known) }
        var gone = AlephOwn(record: record)
        gone.generation = (standing?.generation ?? 0) + 1
        gone.due = .now + time
        try insert(gone)
        if let body { staging.removeBody(body) }
        wake()
    }

    /// Gives what a name has to another name of the same directory.
    func rename(
        _ name: AlephOwnName, to newName: AlephOwnName, _ mode: RenameMode, _ patience: Patience?
    ) throws(FileError) {
        guard mode != .exchange else { throw .invalid }
        guard name.part == newName.part else { throw .crossDevice }
        try requireTaken(newName)
        let target = own(newName)
        let replaced = try entry(newName, target?.record.target, patience)
        let isThere = target.map { !$0.record.isGone } ?? (replaced != nil)
        if mode == .noReplace, isThere { throw .exists }
        let before = own(name)
        if before?.record.isGone == true { throw .notFound }
        let known = try entry(name, before?.record.target, patience)
        let number = try localCopy(of: name, isEmpty: false, patience)
        guard let source = own(name), let staged = source.staged else { throw .notFound }
        let isLocal = isLocal(newName.name)
        if !isLocal, newName.part != .files, staged.size > 0, try !isText(staged, newName.part) {
            unname(source)
            try setAside(
                moved(source, to: newName, number, nil, nil))
            throw .invalid
        }
        let moved = moved(source, to: newName, number, target, replaced)
        if let target, target.record.number != number { forgetOwn(target, keepsBody: false) }
        unname(source)
        try insert(moved)
        if let known {
            // What it stood for stays behind, for what comes there next.
            let time = isLocal ? AlephMine.parkingTime : AlephMine.removalDelay
            let isSamePost =
                newName.part == .posts && source.record.target != nil
                && moved.record.target == source.record.target
            if !isSamePost { try leave(name, nil, known, for: time) }
        }
        wake()
    }

    /// What a file is under its new name: its bytes, and what the name stood for.
    private func moved(
        _ source: AlephOwn, to newName: AlephOwnName, _ number: UInt64, _ target: AlephOwn?,
        _ replaced: AlephEntry?
    ) -> AlephOwn {
        var moved = source
        var record = AlephRecord(number: number, part: newName.part, name: newName.name)
        record.body = source.record.body
        record.size = source.staged?.size
        record.mode = source.record.mode
        record.modified = source.record.modified
        record.tags = target?.record.tags
        record.metadata = target?.record.metadata
        if !isLocal(newName.name) {
            record.target = target?.record.target ?? source.record.target
            if case .post(_, let hash)? = replaced?.path { record.target = record.target ?? hash }
            if newName.part == .aggregates {
                record.base = target?.record.base ?? AlephMine.value(replaced)
            }
        }
        moved.record = record
        moved.isDirty = true
        moved.generation += 1
        moved.failure = nil
        moved.due = nil
        if isReady(moved) { moved.due = .now + AlephMine.delay }
        return moved
    }

    /// Others changed what a name stands for: it shows that, unless it is being changed here.
    func othersChanged(_ name: AlephOwnName) {
        guard let own = own(name), own.staged == nil, !own.record.isGone, !own.isPublishing else {
            return
        }
        guard own.record.part == .posts, own.record.target != nil else {
            // Not if somebody begins to change it at this moment.
            forgetOwn(own, keepsBody: false, ifIdle: true)
            return
        }
        state.withLock { state in
            state.viewBytes -= own.view?.count ?? 0
            state.owns[own.record.number]?.view = nil
        }
    }

    /// The post that a name stands for was taken back: what is being written there is a new one.
    func targetForgotten(_ name: AlephOwnName) {
        guard let own = own(name), !own.record.isGone else { return }
        guard own.staged != nil else {
            forgetOwn(own, keepsBody: false)
            return
        }
        state.withLock { $0.owns[own.record.number]?.record.target = nil }
        keep(own.record.number)
    }

    // MARK: Attributes

    /// Changes size, permissions, or time.
    func change(
        _ name: AlephOwnName, _ change: AttributeChange, _ patience: Patience?
    ) throws(FileError) {
        if let size = change.size {
            let number = try localCopy(of: name, isEmpty: size == 0, patience)
            if let staged = staged(number), staged.size != size {
                try write(number) { () throws(SystemError) in try staged.truncate(to: size) }
            }
            // truncate(2) opens nothing that would be closed.
            let isIdle = state.withLock { $0.owns[number]?.writers == 0 }
            if isIdle { try closeTruncated(number) }
        }
        guard change.mode != nil || change.modified != nil else { return }
        // Of posts and aggregates the network keeps neither.
        guard name.part == .files || own(name)?.staged != nil else { return }
        // A kernel that keeps times itself tells them again whenever it likes. They are published
        // with the bytes they belong to.
        if change.mode == nil, own(name)?.isDirty != true { return }
        try retell(name, patience) { record in
            if let mode = change.mode { record.mode = mode & 0o777 }
            switch change.modified {
            case .now: record.modified = .now()
            case .at(let time): record.modified = time
            case nil: break
            }
        }
    }

    private func closeTruncated(_ number: UInt64) throws(FileError) {
        state.withLock { $0.owns[number]?.writers += 1 }
        defer { close(number) }
        try finish(number)
    }

    /// Sets what is told of a file besides its bytes.
    func retell(
        _ name: AlephOwnName, _ patience: Patience?, _ body: (inout AlephRecord) -> Void
    ) throws(FileError) {
        let standing = own(name)
        if standing?.record.isGone == true { throw .notFound }
        if let number = standing?.record.number {
            // As it is now: who has it open may be closing it at this moment.
            let isChanged = state.withLock { state in
                guard var own = state.owns[number] else { return false }
                guard retold(&own, body) else { return false }
                state.owns[number] = own
                return true
            }
            if !isChanged { return }
            keep(number)
        } else {
            guard let known = try entry(name, nil, patience) else { throw .notFound }
            var record = AlephRecord(number: staging.number(), part: name.part, name: name.name)
            adoptFacts(of: known, into: &record)
            var own = AlephOwn(record: record)
            guard retold(&own, body) else { return }
            try insert(own)
        }
        wake()
    }

    /// Changes what is told of a name, and says whether anything became another.
    private func retold(_ own: inout AlephOwn, _ body: (inout AlephRecord) -> Void) -> Bool {
        let before = own.record.encoded
        body(&own.record)
        if own.record.encoded == before { return false }
        own.record.envelope = nil
        // What is being sent already does not have it.
        let areBytesToCome = own.staged != nil && own.isDirty && !own.isPublishing
        if !areBytesToCome, !isLocal(own.record.name), own.record.part == .files {
            own.record.isRetold = true
            own.due = .now + AlephMine.delay
            own.generation += 1
        } else if own.due != nil {
            own.due = .now + AlephMine.delay
        }
        own.failure = nil
        return true
    }
}
