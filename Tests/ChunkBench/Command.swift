// SPDX-License-Identifier: Apache-2.0
//
// Measures self-encryption from bytes in memory to addressed chunks, and lists the addresses that
// a file's chunks get. Tests/Bench/self-encryption.py runs it beside the reference library.
//
//   ChunkBench speed VERSION QUALITY THREADS SECONDS FILE
//   ChunkBench addresses VERSION QUALITY CHUNKSIZE FILE…
//   ChunkBench write VERSION QUALITY CHUNKSIZE FILE     the map, then each chunk, in hexadecimal
//   ChunkBench decrypt VERSION                          that again, from standard input

import Compression
import Cryptography
import Glibc
import Primitives
import SelfEncryption

@main
enum Command {
    static func main() async {
        let words = Array(CommandLine.arguments.dropFirst())
        do throws(BenchError) {
            switch words.first {
            case "speed" where words.count == 6: try await speed(words)
            case "addresses" where words.count >= 5: try addresses(words)
            case "write" where words.count == 5: try write(words)
            case "decrypt" where words.count == 2: try decrypt(words)
            default: throw .usage
            }
        } catch {
            print(error.sentence)
            exit(2)
        }
    }

    /// One JSON object: bytes a second each way, and what came out.
    private static func speed(_ words: [String]) async throws(BenchError) {
        guard let version = version(words[1]), let quality = quality(words[2]),
            let threads = Int(words[3]), (1...64).contains(threads),
            let seconds = Double(words[4]), seconds > 0
        else { throw .usage }
        let bench = try SpeedBench(
            plain: readFile(words[5]), version: version, quality: quality, threads: threads)
        let result = try await bench.run(for: .seconds(seconds))
        print(
            """
            {"encrypt":\(Int(result.encrypted)),"decrypt":\(Int(result.decrypted)),\
            "rounds":\(result.rounds),"stored":\(result.stored)}
            """)
    }

    /// A line for each file: its path, then the addresses of its chunks, separated by tabs.
    private static func addresses(_ words: [String]) throws(BenchError) {
        guard let version = version(words[1]), let quality = quality(words[2]),
            let chunkSize = Int(words[3]), chunkSize >= 1
        else { throw .usage }
        for path in words[4...] {
            let bytes = try readFile(path)
            do throws(SelfEncryptionError) {
                let encrypted = try SelfEncryptor.encrypt(
                    bytes, version: version, quality: quality, maximumChunkSize: chunkSize)
                print(([path] + encrypted.chunks.map(\.address.hex)).joined(separator: "\t"))
            } catch {
                throw .failed("\(path): \(error)")
            }
        }
    }

    /// The file's map, in hexadecimal, and then each of its own chunks, a line each.
    private static func write(_ words: [String]) throws(BenchError) {
        guard let version = version(words[1]), let quality = quality(words[2]),
            let chunkSize = Int(words[3]), chunkSize >= 1
        else { throw .usage }
        let bytes = try readFile(words[4])
        do {
            let encrypted = try SelfEncryptor.encrypt(
                bytes, version: version, quality: quality, maximumChunkSize: chunkSize)
            var chunks: [Digest: [UInt8]] = [:]
            for chunk in encrypted.chunks { chunks[chunk.address] = chunk.bytes }
            let full = try unpack(encrypted.map) { chunks[$0] }
            print(Hex.encode(full.encodedBincode()))
            for chunk in full.chunks { print(Hex.encode(chunks[chunk.address] ?? [])) }
        } catch {
            throw .failed("\(words[4]): \(error)")
        }
    }

    /// The file, in hexadecimal.
    private static func decrypt(_ words: [String]) throws(BenchError) {
        guard let version = version(words[1]) else { throw .usage }
        let lines = String(decoding: try readFile("/dev/stdin"), as: UTF8.self)
            .split(separator: "\n").map { Hex.decode(String($0)) ?? [] }
        var chunks: [Digest: [UInt8]] = [:]
        for line in lines.dropFirst() {
            chunks[Digests.of(line, algorithm: version.digestAlgorithm)] = line
        }
        do {
            let map = try DataMap(decodingBincode: lines.first ?? [], version: version)
            print(Hex.encode(try SelfEncryptor.decrypt(map) { chunks[$0] }))
        } catch {
            throw .failed("\(error)")
        }
    }

    private static func version(_ word: String) -> FormatVersion? {
        switch word {
        case "v1": .v1
        case "v2": .v2
        default: nil
        }
    }

    private static func quality(_ word: String) -> BrotliQuality? {
        switch word {
        case "autonomi": .autonomi
        case "fast": .fast
        default: nil
        }
    }

    private static func readFile(_ path: String) throws(BenchError) -> [UInt8] {
        // SAFETY: the path is lent for the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .failed("\(path) cannot be opened") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        let step = 1 << 20
        while true {
            var count = 0
            // SAFETY: the buffer has room for `step` bytes; only those read are counted.
            let piece = unsafe [UInt8](unsafeUninitializedCapacity: step) { buffer, size in
                count = unsafe read(descriptor, buffer.baseAddress, step)
                size = max(count, 0)
            }
            guard count >= 0 else { throw .failed("\(path) cannot be read") }
            if count == 0 { return bytes }
            bytes += piece
        }
    }
}

/// Why nothing was measured.
enum BenchError: Error {
    /// The words are not a command.
    case usage
    /// What could not be done.
    case failed(String)

    /// For the person at the terminal.
    var sentence: String {
        switch self {
        case .usage:
            """
            usage: ChunkBench speed v1|v2 autonomi|fast THREADS SECONDS FILE
                   ChunkBench addresses v1|v2 autonomi|fast CHUNKSIZE FILE…
                   ChunkBench write v1|v2 autonomi|fast CHUNKSIZE FILE
                   ChunkBench decrypt v1|v2 < WRITTEN
            """
        case .failed(let reason): reason
        }
    }
}
