// SPDX-License-Identifier: Apache-2.0
//
// The sentences of findings.

import Metadata

extension Finding.Place {
    /// The path, with what a terminal would act on written as `\xHH`.
    package var text: String {
        switch self {
        case .volume: "the volume"
        case .inode(let ino): "inode \(ino)"
        case .path(let bytes): bytes.isEmpty ? "/" : Self.printable(bytes)
        }
    }

    private static func printable(_ bytes: [UInt8]) -> String {
        func escaped(_ byte: UInt8) -> String {
            "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            return bytes.map {
                (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : escaped($0)
            }
            .joined()
        }
        return text.unicodeScalars.map { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                Array(String(scalar).utf8).map(escaped).joined()
            default: String(scalar)
            }
        }.joined()
    }
}

extension Loss {
    fileprivate var words: String { self == .missing ? "is missing" : "is damaged" }
}

extension Problem {
    /// What is wrong, without a full stop.
    package var sentence: String { localSentence ?? storeSentence }

    private var localSentence: String? {
        switch self {
        case .database(let words): "the local database is damaged: \(words)"
        case .unreadableRows(let words): "the local database cannot be read: \(words)"
        case .cacheUnusable(let words): "the local cache does not open: \(words)"
        case .foreignState: "the local state belongs to another volume"
        case .setting(let key): "the local setting “\(key)” makes no sense"
        case .changeCount: "some changes may never have been published"
        case .row(let table): "its row in “\(table.rawValue)” is damaged"
        case .inodeRow: "its row in “inodes” is damaged"
        case .strayRows(let table): "rows in “\(table.rawValue)” belong to no inode"
        case .danglingName: "the name leads to nothing"
        case .nameWithoutDirectory: "the name is in no directory"
        case .invalidName: "no file can have this name"
        case .kind: "the name and the inode differ in kind"
        case .nameless: "no name leads to it"
        case .linkCount(let found, let wanted): "its link count is \(found), not \(wanted)"
        case .entryCount(let found, let wanted): "it counts \(found) entries, and has \(wanted)"
        case .lostName: "it does not know its own name"
        case .unreachable: "the directories above it do not end at the root"
        case .dirtyBlocks(let damaged, let missing, let first):
            "\(counted(damaged, missing)) hold bytes that no store has, first at \(first)"
        case .cachedBlocks(let damaged, let missing): "\(counted(damaged, missing)) in the cache"
        case .journal: "what was written to it last does not open, and the volume does not mount"
        case .sharedSlot(let slot): "its cache slot \(slot) has another owner"
        case .inlineContent: "its content here does not open"
        case .inlineMissing: "its content here is gone"
        case .attribute: "an extended attribute is over a limit"
        case .padIdentity: "its pad's address is not of this volume"
        case .padPending: "its unsent pad record does not verify"
        default: nil
        }
    }

    private var storeSentence: String {
        switch self {
        case .rootMissing: "the root pad is missing on the store"
        case .rootDamaged(let words): "the root pad on the store is damaged: \(words)"
        case .rollback(let offered, let known):
            "the store offers revision \(offered), and has had \(known)"
        case .page(let loss, let count):
            "a page of it \(loss.words) on the store"
                + (count.map { ": \($0) names are not to be seen" } ?? "")
        case .lostLink: "it is a hard link to a file that the published revision does not have"
        case .revisionLog(let loss, let isNewest):
            "a page of the log of revisions \(loss.words) on the store"
                + (isNewest ? "" : ": older history is not listed")
        case .dataMap(let loss): "its data map \(loss.words) on the store"
        case .chunks(let missing, let damaged, let total):
            switch (missing, damaged) {
            case (_, 0): "\(missing) of \(total) chunks are missing on the store"
            case (0, _): "\(damaged) of \(total) chunks are damaged on the store"
            default:
                "of \(total) chunks, \(missing) are missing and \(damaged) damaged on the store"
            }
        case .pad(let loss): "its pad \(loss.words) on the store"
        case .padRollback(let offered, let known):
            "the store offers counter \(offered) of its pad, which has been at \(known)"
        default: preconditionFailure("a local problem has its sentence")
        }
    }

    private func counted(_ damaged: UInt64, _ missing: UInt64) -> String {
        switch (damaged, missing) {
        case (_, 0): "\(damaged) damaged blocks"
        case (0, _): "\(missing) missing blocks"
        default: "\(damaged) damaged and \(missing) missing blocks"
        }
    }
}

extension Remedy {
    /// What to do about it, without a full stop.
    package var sentence: String {
        switch self {
        case .repairable: "“cairn check --store --repair” puts it back from this machine"
        case .repaired: "it was put back from this machine"
        case .forgettable: "the store has these bytes: --repair forgets the local copy"
        case .forgotten: "the copy was forgotten: the store has these bytes"
        case .lostHere:
            "these bytes are lost: take the file from a backup, or remove it; “cairn recover” on"
                + " another machine shows what was published"
        case .lost:
            "this machine does not have it either: take it from a backup of the store, from another"
                + " machine, or remove the file"
        case .publishedAnew: "the next mount publishes all that was changed here once more"
        case .unmounted: "unmount the volume and check again: this machine may have it"
        case .recover:
            "save what you can read, then remove the local state and use “cairn recover”; what was"
                + " not published is lost then"
        case .elsewhere:
            "another machine has published since: copy out what was not published from here, and"
                + " recover the volume in a new state folder"
        case .history: "the files as they are now are not affected"
        }
    }
}
