// SPDX-License-Identifier: Apache-2.0
//
// How a volume comes to run: made new, recovered from its root pad, or taken up from its state
// folder.

import Blocks
import Cryptography
import Glibc
import Metadata
import Namespace
import Primitives
import Scratchpads
import Stores
import Threading

extension Engine {
    /// Opens the state folder and starts the volume.
    ///
    /// - Parameters:
    ///   - configuration: everything it needs; the state folder is locked by the caller.
    ///   - mode: where the volume's head comes from.
    /// - Throws: why it did not start; nothing runs then.
    package static func start(
        _ configuration: EngineConfiguration, mode: StartMode
    ) throws(EngineStartError) -> Engine {
        let starter = EngineStarter(configuration: configuration)
        switch mode {
        case .create: return try starter.create()
        case .recover: return try starter.recover()
        case .existing: return try starter.existing()
        }
    }
}

/// The steps of a start. Each failure names what is wrong and closes what was opened.
struct EngineStarter {
    let configuration: EngineConfiguration

    /// Bytes of the salts that part one state folder's keys from another's.
    static let saltSize = 32

    // MARK: The three ways

    func create() throws(EngineStartError) -> Engine {
        if try rootRecord() != nil { throw .alreadyExists }
        let metadata = try openDatabase()
        try requireEmpty(metadata)
        try wrap { () throws(MetadataError) in
            try metadata.write { (writer) throws(MetadataError) in
                try insertTop(writer)
                try writer.setValue("volume-id", configuration.keys.volumeID)
                try writer.setInteger(DirectoryLoader.hardLinksKey, 1)
            }
        }
        let engine = try assemble(
            metadata, head: Publisher.Head(revision: 0, change: 0, hardLinks: nil, revisionLog: nil)
        )
        if let failure = engine.publisher.publishNow(until: nil) {
            let cause = engine.volume.counters.storeError
            let sentence = engine.failureSentence(failure)
            _ = engine.stop(finishing: nil)
            if let cause { throw .store(cause) }
            throw .state(sentence)
        }
        watchJudged(engine)
        return engine
    }

    func recover() throws(EngineStartError) -> Engine {
        guard let record = try rootRecord() else { throw .noVolumeOnStore }
        let root = try openRoot(record)
        let metadata = try openDatabase()
        try requireEmpty(metadata)
        let head = Publisher.Head(
            revision: root.revision, change: 0, hardLinks: root.hardLinks,
            revisionLog: root.revisionLog)
        try wrap { () throws(MetadataError) in
            try metadata.write { (writer) throws(MetadataError) in
                try insertMountRoot(writer)
                try insert(root.files, ino: Engine.filesInode, name: "files", writer)
                try insert(
                    root.scratchpads, ino: Engine.scratchpadsInode, name: "scratchpads", writer)
                try writer.setValue("volume-id", configuration.keys.volumeID)
                try writer.setInteger("next-inode", Int64(bitPattern: root.nextInode))
                try TotalsCounter(root.totals).save(writer)
                try HeadStorage.save(head, writer)
            }
        }
        let engine = try assemble(metadata, head: head)
        watchJudged(engine)
        return engine
    }

    /// Watches a store whose root this start has asked for.
    private func watchJudged(_ engine: Engine) {
        engine.watch.start(
            StoreWatch.Hooks(
                judge: { true }, isBack: { [weak engine] in engine?.hurry() }))
    }

    // MARK: The root pad

    func rootRecord() throws(EngineStartError) -> PadRecord? {
        let capability = configuration.keys.rootPad
        let record: PadRecord?
        do {
            record = try configuration.pads.get(capability.address)
        } catch {
            throw .store(error)
        }
        guard let record else { return nil }
        guard record.address == capability.address, (try? record.verify()) != nil else {
            throw .damagedRoot("its signature is not of this volume")
        }
        return record
    }

    func openRoot(_ record: PadRecord) throws(EngineStartError) -> Root {
        do {
            let bytes = try configuration.keys.rootPad.reading.open(record)
            let root = try Root(decoding: bytes)
            guard root.volumeID == configuration.keys.volumeID, root.revision == record.counter
            else { throw EngineStartError.damagedRoot("it names another volume or revision") }
            return root
        } catch let error as EngineStartError {
            throw error
        } catch {
            throw .damagedRoot("\(error)")
        }
    }

    // MARK: Rows

    private func requireEmpty(_ metadata: MetadataDatabase) throws(EngineStartError) {
        let known = try wrap { () throws(MetadataError) in
            try metadata.write { (reader) throws(MetadataError) in try reader.value("volume-id") }
        }
        if known != nil {
            try? metadata.close()
            throw .alreadyExists
        }
    }

    private func topRow(_ ino: UInt64, parent: UInt64, links: UInt32, form: StorageForm) -> InodeRow
    {
        let now = Timestamp.now()
        let attributes = FileAttributes(
            mode: 0o755, uid: geteuid(), gid: getegid(), accessed: now, modified: now, changed: now,
            created: now)
        return InodeRow(
            ino: ino, kind: .directory, attributes: attributes, size: 0, linkCount: links,
            device: 0, parent: parent, cookie: 0, change: 0, form: form, isHardLinked: false,
            isLoaded: true, allocated: 0)
    }

    private func insertMountRoot(_ writer: borrowing MetadataWriter) throws(MetadataError) {
        try writer.insertInode(
            topRow(Engine.rootInode, parent: Engine.rootInode, links: 5, form: .none))
    }

    private func insertTop(_ writer: borrowing MetadataWriter) throws(MetadataError) {
        try insertMountRoot(writer)
        for (ino, name, form) in [
            (Engine.filesInode, "files", StorageForm.none),
            (Engine.scratchpadsInode, "scratchpads", StorageForm.pad),
        ] {
            var row = topRow(ino, parent: Engine.rootInode, links: 2, form: form)
            row.cookie = try writer.insertDentry(
                parent: Engine.rootInode, name: Array(name.utf8), ino: ino, kind: .directory)
            try writer.insertInode(row)
        }
    }

    private func insert(
        _ entry: Entry, ino: UInt64, name: String, _ writer: borrowing MetadataWriter
    ) throws(MetadataError) {
        let form: StorageForm = ino == Engine.scratchpadsInode ? .pad : .none
        var row = topRow(ino, parent: Engine.rootInode, links: entry.linkCount, form: form)
        row.attributes = entry.attributes
        if case .directory(let pages, let entryCount, let linkCount) = entry.body {
            row.size = entryCount
            row.linkCount = linkCount
            row.isLoaded = pages == nil
            try writer.setPage(ino, pages)
        }
        row.cookie = try writer.insertDentry(
            parent: Engine.rootInode, name: Array(name.utf8), ino: ino, kind: .directory)
        try writer.insertInode(row)
        for attribute in entry.xattrs { try writer.setXattr(ino, attribute.name, attribute.value) }
    }

    // MARK: Local state

    func openDatabase() throws(EngineStartError) -> MetadataDatabase {
        do {
            return try MetadataDatabase(path: configuration.stateFolder + "/meta.db")
        } catch {
            switch error {
            case .full: throw .noRoom
            case .newerSchema(let number): throw .newerState(schema: number)
            case .olderSchema:
                throw .state(
                    "a Cairn before the first release wrote it, and this one cannot read it: "
                        + "unmount it with that one, then recover the volume from its phrase")
            default: throw .state("its database does not open: \(error)")
            }
        }
    }

    func assemble(
        _ metadata: MetadataDatabase, head: Publisher.Head, unanswered: PadRecord? = nil
    ) throws(EngineStartError) -> Engine {
        let (arenaSalt, inlineSalt) = try salts(metadata)
        try removeOrphans(metadata)
        try forgetLostArena(metadata)
        let keys = configuration.keys
        let arena: Arena
        let sealer: LocalSealer
        do {
            arena = try Arena(
                path: configuration.stateFolder + "/arena", key: keys.localKey(salt: arenaSalt),
                budget: configuration.cacheBudget)
            sealer = try LocalSealer(key: keys.localKey(salt: inlineSalt))
        } catch {
            if error as? ArenaError == .diskFull { throw .noRoom }
            throw .state("its cache does not open: \(error)")
        }
        var dirty = try adopt(metadata, arena)
        let (journaled, journalSealer) = try takeUpJournal(metadata, arena)
        dirty.formUnion(journaled)
        let settings = try wrap { () throws(MetadataError) in
            try metadata.write { (reader) throws(MetadataError) in
                (
                    next: try reader.integer("next-inode") ?? 0,
                    change: try reader.integer("change") ?? 0,
                    highest: try reader.highestInode(),
                    highestChange: try reader.highestChange(),
                    totals: try TotalsCounter.load(reader),
                    parked: try reader.value("parked-pads"), pads: try reader.pads(),
                    partial: try reader.value(DirectoryLoader.partialKey)
                )
            }
        }
        let changed = try changedFiles(metadata, after: head.change)
        dirty.formUnion(changed.files)
        let volume = Volume(
            configuration: configuration, metadata: metadata, arena: arena, sealer: sealer,
            journalSealer: journalSealer, totals: settings.totals,
            highWater: HighWater(
                change: UInt64(bitPattern: settings.change),
                inode: UInt64(bitPattern: settings.next)),
            nextInode: max(UInt64(bitPattern: settings.next), settings.highest + 1),
            lastChange: max(
                UInt64(bitPattern: settings.change), head.change, settings.highestChange))
        // Unreadable parked identities only mean that names do not get theirs back.
        let parked =
            settings.parked.flatMap { try? ParkedPads(decoding: $0, now: .now) } ?? ParkedPads()
        let engine = Engine(
            volume: volume, head: head, unanswered: unanswered, parked: parked,
            partial: settings.partial.map { DirectoryLoader.decoded($0) } ?? [],
            threads: FileEncoder.threads(
                processors: Processors.count,
                useful: configuration.chunks.usefulConcurrency))
        let unsent = settings.pads.filter {
            $0.pendingRecord != nil || $0.acknowledgedCounter == nil
        }
        engine.startThreads(
            dirty: dirty.sorted(), pending: Array(changed.pads.union(unsent.map { $0.ino })))
        return engine
    }

    func wrap<R>(_ body: () throws(MetadataError) -> R) throws(EngineStartError) -> R {
        do {
            return try body()
        } catch {
            if error == .full { throw .noRoom }
            throw .state("its database failed: \(error)")
        }
    }
}
