// SPDX-License-Identifier: Apache-2.0
//
// Second names: readable, free, and never too long.

import TestSupport
import Testing

@testable import Namespace

@Suite("Second names")
struct ConflictNameTests {
    @Test(
        "the extension stays, and a hidden file has none",
        arguments: [
            ("report.txt", "report (conflict from DESK 2026-11-21 14.05.09).txt"),
            ("report", "report (conflict from DESK 2026-11-21 14.05.09)"),
            (".bashrc", ".bashrc (conflict from DESK 2026-11-21 14.05.09)"),
            ("..rc", "..rc (conflict from DESK 2026-11-21 14.05.09)"),
            (".vim.conf", ".vim (conflict from DESK 2026-11-21 14.05.09).conf"),
            ("a.tar.gz", "a.tar (conflict from DESK 2026-11-21 14.05.09).gz"),
            ("end.", "end. (conflict from DESK 2026-11-21 14.05.09)"),
        ])
    func extensions(name: String, expected: String) {
        #expect(second(name) == expected)
    }

    @Test(
        "times are written as UTC dates",
        arguments: [
            (0, "1970-01-01 00.00.00"), (-1, "1969-12-31 23.59.59"),
            (951_782_400, "2000-02-29 00.00.00"), (951_868_799, "2000-02-29 23.59.59"),
            (951_868_800, "2000-03-01 00.00.00"), (4_107_542_400, "2100-03-01 00.00.00"),
            (1_795_269_909, "2026-11-21 14.05.09"), (253_402_300_799, "9999-12-31 23.59.59"),
            (-62_135_596_800, "1-01-01 00.00.00"),
        ] as [(Int64, String)])
    func dates(seconds: Int64, expected: String) {
        #expect(second("a", seconds: seconds) == "a (conflict from DESK \(expected))")
    }

    @Test("no moment traps", arguments: [Int64.min, Int64.max])
    func extremes(seconds: Int64) {
        #expect(Entry.isValidName(Array(second("a.b", seconds: seconds).utf8)))
    }

    @Test("a name that is taken gets a number, until one is free")
    func taken() {
        let first = second("a.b")
        let next = second("a.b", taken: [first])
        #expect(next == "a (conflict from DESK 2026-11-21 14.05.09 2).b")
        #expect(
            second("a.b", taken: [first, next]) == "a (conflict from DESK 2026-11-21 14.05.09 3).b")
    }

    @Test("a name of any bytes and a device of any name give a name of at most 255 bytes")
    func lengths() {
        var random = SeededGenerator(seed: 1)
        for _ in 0..<2000 {
            let name = random.name()
            let device = String(decoding: random.bytes(random.below(300)), as: UTF8.self)
            let result = conflictName(for: name, device: device, moment: .zero) { _ in false }
            #expect(Entry.isValidName(result))
        }
    }

    @Test("long names are cut between characters")
    func cutting() {
        for lead in 0..<5 {
            let name =
                String(repeating: "a", count: lead) + String(repeating: "ü", count: 100)
                + String(repeating: "語", count: 15) + ".txt"
            let bytes = conflictName(
                for: Array(name.utf8), device: "DESK", moment: .zero
            ) { _ in false }
            #expect(bytes.count >= 250 && bytes.count <= 255)
            let text = String(validating: bytes, as: UTF8.self)
            #expect(text?.hasSuffix("(conflict from DESK 1970-01-01 00.00.00).txt") == true)
        }
    }

    @Test("a device can not smuggle a path into a name")
    func devices() {
        #expect(
            second("a", device: "../x\n\0") == "a (conflict from .._x__ 2026-11-21 14.05.09)")
        #expect(
            second("a", device: "") == "a (conflict from another device 2026-11-21 14.05.09)")
        let long = String(repeating: "語", count: 40)
        #expect(second("a", device: long).contains(String(repeating: "語", count: 21) + " 2026"))
    }

    private func second(
        _ name: String, device: String = "DESK", seconds: Int64 = 1_795_269_909,
        taken: Set<String> = []
    ) -> String {
        let moment = Timestamp(seconds: seconds, nanoseconds: 0)
        let bytes = conflictName(for: Array(name.utf8), device: device, moment: moment) {
            taken.contains(String(decoding: $0, as: UTF8.self))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
