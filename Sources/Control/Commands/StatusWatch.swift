// SPDX-License-Identifier: Apache-2.0
//
// `cairn status --watch`: the status, drawn anew each second, with what moves.

import Engine
import Glibc

/// Shows a volume's status until it is unmounted.
package struct StatusWatch: Sendable {
    /// How often it is shown at a terminal.
    private static let interval = Duration.seconds(1)
    /// How often where nobody watches: a log.
    private static let logInterval = Duration.seconds(5)

    /// The volume.
    package var folder: VolumeFolder
    /// Its store, as its configuration has it.
    package var store: String

    /// - Parameters: as the properties.
    package init(folder: VolumeFolder, store: String) {
        self.folder = folder
        self.store = store
    }

    /// Returns when the volume is not mounted any more.
    package func run() throws(CommandFailure) {
        let isWatched = Terminal.isOutputWatched
        var transfers = TransferTable()
        var drawn = 0
        let start = ContinuousClock.now
        while let status = try ControlClient.status(of: folder) {
            transfers.note(status.engine.operations, at: .now - start)
            if isWatched {
                let text =
                    StatusText.lines(
                        volume: folder.name, store: store, status: status, now: Int64(time(nil)))
                    + "\n" + transfers.text
                let lines = StatusText.screen(text, width: Terminal.outputWidth - 1)
                try Output.result(StatusText.redrawn(lines, over: drawn))
                drawn = lines.count
            } else {
                try Output.result(
                    "\(UTCText.of(Int64(time(nil)))) \(StatusText.progress(of: status.engine));"
                        + " \(transfers.summary)\n")
            }
            let wait = isWatched ? Self.interval : Self.logInterval
            usleep(UInt32(DurationText.milliseconds(of: wait)) * 1000)
        }
        if drawn == 0 {
            try Output.result(
                StatusText.lines(
                    volume: folder.name, store: store, status: nil, idle: IdleVolume(folder),
                    now: Int64(time(nil))))
        }
    }
}

extension StatusText {
    /// The lines of a text, each cut to the terminal's width.
    static func screen(_ text: String, width: Int) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { TerminalText.fitted(String($0), to: width) }
    }

    /// What draws lines over so many that were drawn before.
    static func redrawn(_ lines: [String], over count: Int) -> String {
        // Up, then each line with what a longer one left cleared, then all that was below.
        let up = count > 0 ? "\u{1B}[\(count)A\r" : ""
        return up + lines.map { $0 + "\u{1B}[K\n" }.joined() + "\u{1B}[J"
    }
}
