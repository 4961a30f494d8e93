// SPDX-License-Identifier: Apache-2.0
//
// The short run of the fuzzer that every test run does: the kept corpus, and mutations of it from a
// seed nobody has seen. `CAIRN_SEED=number` runs one again; `make fuzz` is the long run.

import Foundation
import TestSupport
import Testing

@Suite("parsers and hostile bytes")
struct ParserTests {
    /// Mutated inputs for each parser.
    static let mutationCount = 5000

    private static let seed =
        ProcessInfo.processInfo.environment["CAIRN_SEED"].flatMap { UInt64($0) }
        ?? UInt64.random(in: 1...999_999_999)

    /// The inputs that `make fuzz` found worth keeping, by file name.
    static func corpus(_ name: String) throws -> [(name: String, bytes: [UInt8])] {
        let folder = Bundle.module.bundlePath + "/Corpus/" + name
        guard FileManager.default.fileExists(atPath: folder) else { return [] }
        return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map {
            ($0, Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0))))
        }
    }

    @Test("valid encodings are read back as they were written", arguments: Parser.all.map(\.name))
    func seeds(name: String) throws {
        let parser = try #require(Parser.all.first { $0.name == name })
        for seed in try parser.seeds() { try parser.check(seed) }
        #expect(try !parser.seeds().isEmpty)
    }

    @Test("nothing in the corpus breaks a parser", arguments: Parser.all.map(\.name))
    func kept(name: String) throws {
        let parser = try #require(Parser.all.first { $0.name == name })
        let corpus = try Self.corpus(name)
        #expect(!corpus.isEmpty)
        for input in corpus {
            do { try parser.check(input.bytes) } catch { Issue.record("\(input.name): \(error)") }
        }
    }

    @Test("no mutation breaks a parser", arguments: Parser.all.map(\.name))
    func mutations(name: String) throws {
        let parser = try #require(Parser.all.first { $0.name == name })
        let inputs = try parser.seeds() + Self.corpus(name).map { $0.bytes }
        var mutator = Mutator(dice: SeededGenerator(seed: Self.seed))
        for _ in 0..<Self.mutationCount {
            let input = mutator.mutated(of: inputs)
            do { try parser.check(input) } catch {
                let hex = input.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
                Issue.record("seed \(Self.seed): \(error)\n\(hex.joined())")
                return
            }
        }
    }
}
