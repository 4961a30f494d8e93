// SPDX-License-Identifier: Apache-2.0
//
// A volume's status for people. Pure.

package import Engine

/// Status in words.
package enum StatusText {
    /// What is said of changes that need only the store to come back. Never of those that this
    /// machine itself may lose, or that never go out.
    package static let safe = "it is safe on this machine"
    /// What to do where another machine has published since.
    package static let wayOn =
        "to go on, copy out what was not published and recover the volume in a new state folder"

    /// Why nothing more goes out of a volume, and what to do; nil while something does.
    package static func superseded(_ state: EngineStatus) -> String? {
        state.halted.isEmpty
            ? nil : "\(state.halted): nothing more is published from here; \(wayOn)"
    }

    /// What a process that ends leaves for `cairn status` to say, while nothing runs.
    static func left(by state: EngineStatus) -> String {
        remainder(of: state) + (superseded(state).map { "; " + $0 } ?? "")
    }

    /// What is not on the store yet, as part of a sentence.
    package static func remainder(of state: EngineStatus) -> String {
        outstanding(of: state) ?? "everything is on the store"
    }

    /// What is not on the store yet, as part of a sentence; nil if everything is.
    package static func outstanding(of state: EngineStatus) -> String? {
        var parts: [String] = []
        if state.dirtyBytes > 0 || state.dirtyFiles > 0 {
            let files = count(UInt64(state.dirtyFiles), "file")
            parts.append("\(SizeText.rounded(state.dirtyBytes)) in \(files)")
        }
        if state.pendingPads > 0 { parts.append(count(UInt64(state.pendingPads), "pad")) }
        var clauses: [String] = []
        if !parts.isEmpty {
            clauses.append(parts.joined(separator: " and ") + " not on the store yet")
        } else if state.hasUnpublishedChanges {
            clauses.append("the newest revision is not on the store yet")
        }
        if state.pendingForeign > 0 { clauses.append("\(foreign(state)) not published yet") }
        return clauses.isEmpty ? nil : clauses.joined(separator: "; ")
    }

    private static func foreign(_ state: EngineStatus) -> String {
        "\(count(UInt64(state.pendingForeign), "file")) of aleph/me/"
    }

    /// What an unmount left for the next mount; nil when there is nothing.
    package static func leftover(of state: EngineStatus) -> String? {
        guard let rest = outstanding(of: state) else { return nil }
        if let superseded = superseded(state) { return rest + "; " + superseded }
        return rest + "; \(safe), and goes out at the next mount"
    }

    /// What a sync that went well says.
    package static func published(_ state: EngineStatus) -> String {
        let whole = "everything is on the store, as revision \(state.revision)"
        guard state.pendingForeign > 0 else { return whole }
        return whole + "; but \(foreign(state)) not published yet, for programs have them open or "
            + "changed them just now"
    }

    /// One line for a terminal, while something is brought to the store, or published beside it.
    package static func progress(of state: EngineStatus) -> String {
        let rest = outstanding(of: state) ?? "the last of it is on its way"
        let failure = state.storeFailure.isEmpty ? "" : "; \(state.storeFailure)"
        return "\(rest); \(SizeText.rounded(state.bytesStored)) stored\(failure)"
    }

    /// The whole status of one volume, in lines of a label and a value.
    ///
    /// - Parameters:
    ///   - status: nil when no daemon runs.
    ///   - idle: what is known then.
    ///   - now: seconds since 1970.
    package static func lines(
        volume: VolumeName, store: String, status: DaemonStatus?, idle: IdleVolume = IdleVolume(),
        now: Int64
    ) -> String {
        var rows: [(String, String)] = [("volume", volume.text), ("store", store)]
        guard let status else {
            rows += [
                ("mounted", "no"),
                ("to store", idle.left ?? "not known before it is mounted again"),
            ]
            rows += idle.deadMounts.map {
                ("dead mount", "at \($0): its process ended; “cairn unmount \(volume)” clears it")
            }
            return table(rows)
        }
        let state = status.engine
        let place = status.subdirectory.isEmpty ? "" : " (\(status.subdirectory))"
        let isServing = status.phase == .serving
        rows += [
            (
                isServing ? "mounted" : "unmounted",
                (isServing ? "at \(status.mountPoint)\(place)" : "finishing")
                    + (status.isReadOnly ? ", read-only" : "") + ", process \(status.process)"
            ),
            ("revision", String(state.revision)),
            ("to store", remainder(of: state)),
        ]
        if let superseded = superseded(state) { rows.append(("superseded", superseded)) }
        rows += [
            ("pending", "\(count(UInt64(state.pendingChunks), "chunk")) under way"),
            (
                "cache",
                "\(SizeText.rounded(state.cacheUsed)) of \(SizeText.rounded(state.cacheBudget))"
            ),
            (
                "content",
                "\(count(state.fileCount, "file")), \(SizeText.rounded(state.byteCount))"
                    + (state.quota > 0 ? " of \(SizeText.rounded(state.quota))" : "")
            ),
            ("store health", health(of: state, now: now)),
            (
                "since mount",
                "\(SizeText.rounded(state.bytesStored)) stored, "
                    + "\(SizeText.rounded(state.bytesFetched)) fetched"
            ),
            (
                "store calls",
                "\(state.storeCalls), of which \(state.storeFailures) failed; "
                    + "\(SizeText.rounded(state.storeSentBytes)) sent, "
                    + "\(SizeText.rounded(state.storeReceivedBytes)) received"
            ),
            ("memory", "\(SizeText.rounded(status.peakMemory)) at most"),
            ("requests", status.usesRing ? "by io_uring" : "by the device"),
        ]
        if state.conflicts > 0 {
            rows.append(("conflicts", "\(state.conflicts), see .cairn/conflicts"))
        }
        if state.errors > 0 { rows.append(("errors", "\(state.errors), see .cairn/errors")) }
        return table(rows)
    }

    /// What a person should know of a store that is away; nil while it is there.
    package static func offline(_ state: EngineStatus) -> String? {
        guard state.offlineSince > 0 else { return nil }
        return "offline since \(UTCText.of(state.offlineSince)): \(state.storeFailure)"
    }

    private static func health(of state: EngineStatus, now: Int64) -> String {
        if let offline = offline(state) {
            return offline
                + (state.storeAnsweredAt > 0
                    ? "; it last answered \(age(of: state.storeAnsweredAt, now: now)) ago" : "")
        }
        guard state.storeAnsweredAt > 0 else {
            return state.storeFailure.isEmpty ? "not asked yet" : state.storeFailure
        }
        let ago = "\(age(of: state.storeAnsweredAt, now: now)) ago"
        return state.storeFailure.isEmpty
            ? "answered \(ago)" : "\(state.storeFailure); it last answered \(ago)"
    }

    /// How long ago a moment was, in its largest unit: exact enough for a person.
    private static func age(of moment: Int64, now: Int64) -> String {
        let seconds = max(0, now - moment)
        return switch seconds {
        case ..<120: "\(seconds) s"
        case ..<7_200: "\(seconds / 60) min"
        case ..<172_800: "\(seconds / 3_600) h"
        default: "\(seconds / 86_400) days"
        }
    }

    /// `1 file`, `2 files`.
    package static func count(_ count: UInt64, _ what: String) -> String {
        count == 1 ? "1 \(what)" : "\(count) \(what)s"
    }

    /// Rows under each other, the values in one column.
    package static func table(_ rows: [(String, String)]) -> String {
        let width = rows.map(\.0.count).max() ?? 0
        return rows.map { label, value in
            label + String(repeating: " ", count: width - label.count + 2) + value + "\n"
        }.joined()
    }
}
