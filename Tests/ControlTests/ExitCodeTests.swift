// SPDX-License-Identifier: Apache-2.0
//
// The exit codes are the ones docs/exit-codes.md lists, and no failure is a success.

import Control
import Engine
import FuseHost
import Glibc
import RemoteStores
import Stores
import Testing

struct ExitCodeTests {
    @Test("docs/exit-codes.md has every code once, with its name")
    func documented() throws {
        // Tests/ControlTests/ExitCodeTests.swift, two folders below the project.
        let project = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = try Descriptor.open("/\(project)/docs/exit-codes.md", O_RDONLY)
        let text = String(decoding: try file.readAll(limit: 1 << 20), as: UTF8.self)
        var found: [Int32: Int] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|")
            guard let first = cells.first, let code = Int32(first.filter { $0 != " " }) else {
                continue
            }
            found[code, default: 0] += 1
        }
        #expect(
            found == Dictionary(uniqueKeysWithValues: ExitCode.allCases.map { ($0.rawValue, 1) }))
    }

    @Test("a failure is shown as a sentence, then an advice")
    func rendered() {
        let failure = CommandFailure(.busy, "it is in use", advice: "end that")
        #expect(failure.rendered == "cairn: it is in use.\n       end that.\n")
        #expect(CommandFailure(.busy, "it is in use").rendered == "cairn: it is in use.\n")
    }

    @Test("a system call's failure has the system's words")
    func systemWords() {
        let error = SystemError("open", code: ENOENT)
        #expect(error.reason == "No such file or directory")
        #expect(SystemError("open", code: 9999).reason.contains("9999"))
    }

    @Test("store failures have the code of their cause")
    func stores() throws {
        let url = try StoreURL("/srv/store")
        let expected: [(StoreError, ExitCode)] = [
            (.full, .storeFull), (.paymentRequired, .storeFull), (.readOnly, .storeUnusable),
            (.unreachable(retryAfter: nil), .storeUnusable), (.refused("no"), .storeUnusable),
            (.notAStore("a letter"), .storeUnusable), (.missingPad, .damaged),
            (.tooLarge, .storeUnusable),
        ]
        for (error, code) in expected {
            let failure = StoreText.failure(error, url)
            #expect(failure.code == code)
            #expect(failure.sentence.contains("/srv/store"))
        }
    }

    @Test("host failures have the code of their cause")
    func host() {
        #expect(CommandFailure(FuseHostError.noDevice).code == .fuseUnavailable)
        #expect(CommandFailure(FuseHostError.deviceForbidden).code == .fuseUnavailable)
        #expect(CommandFailure(FuseHostError.mountPointNotEmpty("/a")).code == .mountPointUnusable)
        #expect(CommandFailure(FuseHostError.alreadyMounted("/a")).code == .mountPointUnusable)
        #expect(!CommandFailure(FuseHostError.noDevice).sentence.hasSuffix("."))
    }
}
