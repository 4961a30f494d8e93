// SPDX-License-Identifier: Apache-2.0
//
// Lines of progress, as a terminal of any width shows them.

import Engine
import TestSupport
import Testing

@testable import Control

@Suite("progress")
struct TransferMeterTests {
    private static let mebibyte: UInt64 = 1 << 20

    private func half(_ note: String = "") -> TransferMeter {
        var meter = TransferMeter("sync")
        for second in 0...5 {
            meter.note(
                done: UInt64(second) * 10 * Self.mebibyte, of: 100 * Self.mebibyte, note,
                at: .seconds(second))
        }
        return meter
    }

    @Test("a wide terminal shows a bar, how much of how much, how fast and how long still")
    func wide() {
        let meter = half()
        #expect(
            meter.line(width: 100)
                == "sync [" + String(repeating: "#", count: 15)
                + String(repeating: "-", count: 15)
                + "]  50%  50.0 MiB of 100.0 MiB  10.0 MiB/s  0:05 left")
        #expect(meter.plain == "sync: 50%, 50.0 MiB of 100.0 MiB, 10.0 MiB/s, 0:05 left")
    }

    @Test("a narrow terminal keeps the share and the time left longest")
    func narrow() {
        #expect(half().line(width: 22) == "sync  50%  0:05 left")
        #expect(half().line(width: 12) == "sync  50%")
    }

    @Test("no line is wider than its terminal, whatever the names and numbers", arguments: 1...60)
    func anyWidth(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        let pieces = [
            "a", "é", "漢字", "👩‍👩‍👧‍👦", "\u{1B}[2J", "\n", "\u{202E}", "e\u{301}", "0", " ", "\u{0}",
        ]
        var meter = TransferMeter(dice.chance(50) ? "sync" : "получить")
        var time = Duration.zero
        for _ in 0..<40 {
            time += .milliseconds(dice.below(3000))
            let note = (0..<dice.below(30)).map { _ in pieces[dice.below(pieces.count)] }.joined()
            let total: UInt64? = dice.chance(70) ? dice.number() : nil
            meter.note(done: dice.number(), of: total, note, at: time)
            let width = dice.below(140)
            let line = meter.line(width: width)
            #expect(TerminalText.columns(of: line) <= width, "seed \(seed): \(line)")
            for text in [line, meter.plain] {
                #expect(
                    text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 0x202E },
                    "seed \(seed)")
            }
        }
    }

    @Test("the share never falls, and is 100 % only when all is done", arguments: 1...20)
    func monotonic(seed: UInt64) {
        var dice = SeededGenerator(seed: seed)
        var meter = TransferMeter("get")
        var last = 0
        for step in 1...50 {
            let total = UInt64(1000 + step)
            let done = min(UInt64(dice.below(step * 21)), total - 1)
            meter.note(done: done, of: total, "", at: .milliseconds(step * 100))
            let digits = meter.plain.drop { $0 != ":" }.dropFirst(2).prefix { $0 != "%" }
            let share = Int(digits) ?? -1
            #expect(share >= last && share < 100, "seed \(seed)")
            last = share
        }
        meter.note(done: 2000, of: 2000, "", at: .seconds(9))
        #expect(meter.plain.contains("100%"))
    }

    @Test("who does not know the whole says how much and how fast")
    func unknownTotal() {
        var meter = TransferMeter("put")
        #expect(meter.line(width: 80) == "put  0 B")
        meter.note(done: 0, of: nil, "a", at: .zero)
        meter.note(done: 4 << 20, of: nil, "b/c.txt", at: .seconds(2))
        #expect(meter.line(width: 80) == "put  4.0 MiB  2.0 MiB/s  b/c.txt")
    }

    @Test("a rate that has fallen shows within the window")
    func falling() {
        var meter = TransferMeter("sync")
        for step in 0...50 {
            meter.note(
                done: UInt64(step) << 20, of: 1 << 40, "", at: .milliseconds(step * 100))
        }
        for step in 1...60 {
            meter.note(
                done: 50 << 20, of: 1 << 40, "", at: .milliseconds(5000 + step * 100))
        }
        #expect(meter.plain.contains("0 B/s"))
        #expect(!meter.plain.contains("left"), "nobody knows then")
    }

    @Test("times are read as people write them")
    func clock() {
        #expect(TransferMeter.clock(.seconds(7)) == "0:07")
        #expect(TransferMeter.clock(.seconds(754)) == "12:34")
        #expect(TransferMeter.clock(.seconds(11_045)) == "3:04:05")
        #expect(TransferMeter.clock(.seconds(-1)) == "0:00")
    }

    @Test("columns are those of a terminal: wide characters two, marks none")
    func columns() {
        #expect(TerminalText.columns(of: "abc") == 3)
        #expect(TerminalText.columns(of: "漢字") == 4)
        #expect(TerminalText.columns(of: "e\u{301}") == 1)
        #expect(TerminalText.fitted("漢字漢字", to: 7) == "漢字..")
        #expect(TerminalText.fitted("漢字漢字", to: 8) == "漢字漢字")
        #expect(TerminalText.fitted("abcdef", to: 5) == "abc..")
        #expect(TerminalText.fitted("abcdef", to: 2) == "..")
        #expect(TerminalText.fitted("abcdef", to: 0).isEmpty)
        #expect(TerminalText.printable("a\u{1B}[31m\n\u{7F}b") == "a?[31m??b")
    }

    @Test("a large file moves the bar while its chunks go out, and is done when it is acknowledged")
    func oneLargeFile() {
        var progress = SyncProgress()
        #expect(progress.amounts(remaining: 1000, flushed: 50) == (0, 1000))
        #expect(progress.amounts(remaining: 1000, flushed: 450) == (400, 1000))
        #expect(progress.amounts(remaining: 1000, flushed: 5000) == (990, 1000))
        #expect(progress.amounts(remaining: 1500, flushed: 5000).total == 1500)
        #expect(progress.amounts(remaining: 0, flushed: 5000) == (1500, 1500))
        var nothing = SyncProgress()
        #expect(nothing.amounts(remaining: 0, flushed: 0) == (0, 0))
    }

    private func calls(_ count: UInt64, sent: UInt64 = 0, time: UInt64 = 0) -> OperationStatus {
        OperationStatus(
            name: "put", count: count, failures: count / 10, sentBytes: sent, receivedBytes: 0,
            microseconds: time)
    }

    @Test("the table of calls has what happened of late, each column under its head")
    func table() {
        var table = TransferTable()
        #expect(table.text == "the store has not been asked yet\n")
        table.note([calls(100, sent: 100 << 20, time: 1_000_000)], at: .zero)
        table.note([calls(140, sent: 140 << 20, time: 1_800_000)], at: .seconds(2))
        let lines = table.text.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines[0].count == lines[1].count)
        let cells = lines[1].split(separator: "  ").map { $0.trimming() }
        #expect(cells == ["put", "140", "14", "20", "20 ms", "20.0 MiB", "0"])
        #expect(table.summary == "20.0 MiB up, 0 down, 20 calls/s")
    }

    @Test("a mount that began anew does not run its rates backwards")
    func restarted() {
        var table = TransferTable()
        table.note([calls(100, sent: 1 << 30)], at: .zero)
        table.note([calls(3, sent: 5)], at: .seconds(1))
        #expect(table.text.contains("-"))
        table.note([], at: .seconds(2))
        #expect(table.text == "the store has not been asked yet\n")
    }

    @Test("a status is drawn over the one before, and cut to the terminal")
    func redrawn() {
        let lines = StatusText.screen("volume  home\nstore  /a/very/long/path\n", width: 12)
        #expect(lines == ["volume  home", "store  /a/..", ""])
        #expect(StatusText.redrawn(lines, over: 0).hasPrefix("volume"))
        #expect(StatusText.redrawn(lines, over: 3).hasPrefix("\u{1B}[3A\rvolume"))
    }
}

extension Substring {
    fileprivate func trimming() -> String {
        String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
