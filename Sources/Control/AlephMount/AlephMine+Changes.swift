// SPDX-License-Identifier: Apache-2.0
//
// What programs do to names in `me/`: all of it happens on this machine, and at once.

import Aleph
import AlephProtocol
import Engine
import Glibc
import JSON
import Namespace
import Primitives
import Threading

extension AlephMine {
    // MARK: Making and opening

    /// Makes an empty file.
    func create(
        _ name: AlephOwnName, mode: UInt32, _ patience: Patience?
    ) throws(FileError) {
        try requireTaken(name)
        let standing = own(name)
        if let standing, !standing.record.isGone { throw .exists }
        if standing == nil, try entry(name, nil, patience) != nil { throw .exists }
        // What was there a moment ago is changed by what comes: its message, and what it was.
        var record =
            standing?.record
            ?? AlephRecord(number: staging.number(), part: name.part, name: name.name)
        record.isGone = false
        record.envelope = nil
        record.mode = mode & 0o777
        record.modified = .now()
        let staged = try local { () throws(SystemError) in try staging.make(staging.number()) }
        record.body = staged.number
        var own = AlephOwn(record: record, staged: staged)
        own.isDirty = true
        own.generation = (standing?.generation ?? 0) + 1
        try insert(own)
    }

    /// A file to be written. What the network has is copied first, unless it is cut off anyway.
    func open(
        _ name: AlephOwnName, truncates: Bool, _ patience: Patience?
    ) throws(FileError) -> any WritableForeignContent {
        let good = wholeText(name)
        for _ in 0..<AlephMine.openAttempts {
            let number = try localCopy(of: name, isEmpty: truncates, patience)
            if let good { state.withLock { $0.owns[number]?.good = good } }
            let staged = state.withLock { state -> AlephStaged? in
                guard let own = state.owns[number], let staged = own.staged, !own.isHandedOver
                else { return nil }
                state.owns[number]?.writers += 1
                return staged
            }
            // The network may be getting it since, or have got it, so that the bytes here were let
            // go.
            if let staged { return AlephWriter(mine: self, number: number, staged) }
        }
        throw .stale
    }

    /// A text that would be lost if what is written over it is none.
    private func wholeText(_ name: AlephOwnName) -> [UInt8]? {
        guard name.part != .files, !isLocal(name.name), let own = own(name), own.isDirty,
            own.checked == own.generation, own.failure == nil
        else { return nil }
        return own.staged?.bytes(limit: AlephMine.viewLimit)
    }

    /// The number of a name that has bytes here which nobody else reads.
    ///
    /// - Parameter isEmpty: whether they are to be none.
    func localCopy(
        of name: AlephOwnName, isEmpty: Bool, _ patience: Patience?
    ) throws(FileError) -> UInt64 {
        for _ in 0..<AlephMine.copyAttempts {
            if let number = try copied(name, isEmpty: isEmpty, patience) { return number }
        }
        throw .stale
    }

    /// One attempt of `localCopy`; nil if somebody else opened, wrote or published it meanwhile.
    private func copied(
        _ name: AlephOwnName, isEmpty: Bool, _ patience: Patience?
    ) throws(FileError) -> UInt64? {
        let standing = own(name)
        if let standing, let staged = standing.staged, !standing.isHandedOver {
            if isEmpty, staged.size > 0 {
                try write(standing.record.number) { () throws(SystemError) in
                    try staged.truncate(to: 0)
                }
            }
            return standing.record.number
        }
        let known = try entry(name, standing?.record.target, patience)
        guard standing?.staged != nil || standing?.view != nil || known != nil else {
            throw .notFound
        }
        let source: AlephSource? =
            isEmpty ? nil : try bytes(standing, known, patience)
        let staged = try self.copy(of: source, patience)
        var record =
            standing?.record
            ?? AlephRecord(number: staging.number(), part: name.part, name: name.name)
        if standing == nil { adoptFacts(of: known, into: &record) }
        if record.base == nil, record.part == .aggregates { record.base = AlephMine.value(known) }
        record.body = staged.number
        record.size = nil
        var own = standing ?? AlephOwn(record: record)
        own.record = record
        own.staged = staged
        own.isDirty = standing?.isDirty ?? false
        if isEmpty {
            own.record.envelope = nil
            own.isDirty = true
            own.generation += 1
        }
        var isPlaced = false
        // Who writes to what was copied, or has a copy too, would lose what is not in this one.
        defer { if !isPlaced { staging.removeBody(staged.number) } }
        isPlaced = try insert(own, inPlaceOf: standing)
        return isPlaced ? record.number : nil
    }

    /// A file in the staging folder with these bytes; none is left there if they cannot be had.
    private func copy(
        of source: AlephSource?, _ patience: Patience?
    ) throws(FileError) -> AlephStaged {
        let staged = try local { () throws(SystemError) in try staging.make(staging.number()) }
        guard let source else { return staged }
        do throws(FileError) {
            let isWhole = try local { () throws(SystemError) in try staged.copy(from: source) }
            if isWhole { return staged }
            if patience?.isInterrupted == true { throw FileError.interrupted }
            trouble.report("the bytes of a file that is to be changed cannot be read")
            throw FileError.inputOutput
        } catch {
            staging.removeBody(staged.number)
            throw error
        }
    }

    func bytes(
        _ standing: AlephOwn?, _ known: AlephEntry?, _ patience: Patience?
    ) throws(FileError) -> AlephSource? {
        if let staged = standing?.staged { return staged.source }
        if let text = standing?.view ?? known?.text { return AlephSource(text) }
        guard let known, let surroundings else { throw .notFound }
        return try surroundings.source(known, patience)
    }

    /// What a name of the network's takes along when it is changed here.
    func adoptFacts(of known: AlephEntry?, into record: inout AlephRecord) {
        guard let known else { return }
        if let mode = known.mode { record.mode = mode }
        record.modified = Timestamp(
            seconds: Int64(known.modified),
            nanoseconds: UInt32(known.modified.truncatingRemainder(dividingBy: 1) * 1e9))
        if case .post(_, let hash) = known.path { record.target = hash }
    }

    /// An aggregate's value as its file shows it.
    static func value(_ known: AlephEntry?) -> JSONObject {
        // It was made here, and is JSON.
        known?.text.flatMap { try? JSONValue(parsing: $0).object } ?? JSONObject()
    }

    // MARK: Bytes

    /// Changes bytes of a number. Its record on the disk says before that they are not whole, and
    /// have no message: a start after a crash would take the half of them for what was closed.
    ///
    /// - Throws: what `body` does, and what keeps the record from the disk.
    func write(
        _ number: UInt64, _ body: () throws(SystemError) -> Void
    ) throws(FileError) {
        try noteWrite(number)
        try local(body)
        // What was sent between may lack them.
        try noteWrite(number)
    }

    private func noteWrite(_ number: UInt64) throws(FileError) {
        let isToldWhole = state.withLock { state in
            guard var own = state.owns[number] else { return false }
            own.isDirty = true
            own.generation += 1
            own.failure = nil
            own.record.modified = .now()
            state.owns[number] = own
            return own.record.size != nil || own.record.envelope != nil
        }
        // Once for each time that it is opened, and published.
        guard isToldWhole else { return }
        try records.withLock { _ throws(FileError) in
            guard var record = state.withLock({ $0.owns[number]?.record }) else { return }
            record.size = nil
            record.envelope = nil
            let changed = record
            try local { () throws(SystemError) in try staging.keep(changed) }
            state.withLock { state in
                state.owns[number]?.record.size = nil
                state.owns[number]?.record.envelope = nil
            }
        }
    }

    /// What `writers` of a number write to; nil if the name is gone, and nobody will read it.
    func staged(_ number: UInt64) -> AlephStaged? { state.withLock { $0.owns[number]?.staged } }

    /// One who has it open closes it: what is no JSON is told so now.
    func finish(_ number: UInt64) throws(FileError) {
        let own = state.withLock { $0.owns[number] }
        guard let own, own.isDirty, own.checked != own.generation, !isLocal(own.record.name),
            let staged = own.staged
        else { return }
        guard own.record.part != .files else {
            state.withLock { $0.owns[number]?.checked = own.generation }
            return
        }
        // Many programs make a file, close it, and write it later: nothing is no text yet.
        if staged.size == 0 { return }
        guard try isText(staged, own.record.part) else {
            try setAside(own)
            throw .invalid
        }
        state.withLock { $0.owns[number]?.checked = own.generation }
    }

    /// Nobody has it open any more: soon it is published.
    func close(_ number: UInt64) {
        let closed = state.withLock { state -> AlephOwn? in
            guard var own = state.owns[number] else { return nil }
            own.writers -= 1
            if own.writers == 0 {
                own.record.size = own.staged?.size
                if own.isDirty, isReady(own) { own.due = .now + AlephMine.delay }
            }
            state.owns[number] = own
            return own
        }
        keep(number)
        if let closed, closed.isSettled, !isLocal(closed.record.name), let staged = closed.staged {
            // It was published while it was open, or only opened.
            let text =
                closed.record.part == .files ? nil : staged.bytes(limit: AlephMine.viewLimit)
            settle(closed, text: text, file: closed.published)
        }
        wake()
    }

    /// Whether what was written can become what it stands for.
    func isReady(_ own: AlephOwn) -> Bool {
        guard own.isDirty, own.writers == 0, !isLocal(own.record.name), own.failure == nil else {
            return false
        }
        return own.record.part == .files || own.staged?.size ?? 0 > 0
    }

    /// Whether bytes are a text that can be published.
    func isText(
        _ staged: AlephStaged, _ part: AlephPath.Part
    ) throws(FileError) -> Bool {
        guard staged.size <= UInt64(AlephMine.textLimit) else {
            trouble.report(
                "a text of \(staged.size) bytes is larger than the \(AlephMine.textLimit) that a"
                    + " message may have")
            throw .tooLarge
        }
        guard let bytes = staged.bytes(limit: AlephMine.textLimit) else { throw .inputOutput }
        // Why it is none does not matter; the line in `.cairn/errors` says where to look.
        guard let value = try? JSONValue(parsing: bytes) else { return false }
        return part == .posts || value.object != nil
    }

    /// Keeps a text that is none under a name that says so; the name has again what it had.
    func setAside(_ own: AlephOwn) throws(FileError) {
        let what = own.record.part == .posts ? "JSON" : "a JSON object"
        trouble.report(
            "a text in me/\(own.record.part.rawValue) is not \(what), and is not published: it is"
                + " kept beside it with the suffix “\(AlephMine.rejectedSuffix)”")
        let aside = AlephOwnName(
            part: own.record.part, name: own.record.name + AlephMine.rejectedSuffix)
        drop(aside)
        var record = AlephRecord(number: staging.number(), part: aside.part, name: aside.name)
        record.body = own.record.body
        record.size = own.staged?.size
        var kept = AlephOwn(record: record, staged: own.staged)
        kept.isDirty = true
        // First, so that the bytes are somebody's at each moment.
        try insert(kept)
        forgetOwn(own, keepsBody: true)
        if let good = own.good {
            try putBack(good, own)
        } else if let target = own.record.target {
            var standing = AlephRecord(
                number: staging.number(), part: own.record.part, name: own.record.name)
            standing.target = target
            if "\(target).json" != standing.name { try insert(AlephOwn(record: standing)) }
        }
        surroundings?.changed(own.name)
        surroundings?.changed(aside)
    }

    /// Gives a name again the text that it had before somebody wrote over it.
    private func putBack(_ text: [UInt8], _ own: AlephOwn) throws(FileError) {
        let staged = try local { () throws(SystemError) in
            let staged = try staging.make(staging.number())
            try staged.write(text.span, at: 0)
            return staged
        }
        var record = AlephRecord(
            number: staging.number(), part: own.record.part, name: own.record.name)
        record.target = own.record.target
        record.base = own.record.base
        record.body = staged.number
        record.size = staged.size
        var again = AlephOwn(record: record, staged: staged)
        again.isDirty = true
        again.due = .now + AlephMine.delay
        try insert(again)
        wake()
    }

    // MARK: Parts

    func entry(
        _ name: AlephOwnName, _ target: ItemHash?, _ patience: Patience?
    ) throws(FileError) -> AlephEntry? {
        if isLocal(name.name) { return nil }
        guard let surroundings else { return nil }
        return try surroundings.entry(name, target, patience)
    }

    func requireTaken(_ name: AlephOwnName) throws(FileError) {
        guard takes(name.name, in: name.part) else {
            trouble.report(
                name.part == .files
                    ? "a name with “%” is not one that files have here"
                    : name.name.hasPrefix(AlephEntry.hiddenKeyStart)
                        ? "names that begin with “\(AlephEntry.hiddenKeyStart)” are those of"
                            + " volumes' pads"
                        : "names in me/\(name.part.rawValue) end in “.json”")
            throw .invalid
        }
    }
}
