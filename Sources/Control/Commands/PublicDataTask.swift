// SPDX-License-Identifier: Apache-2.0
//
// `cairn open`, `share` and `datamap`, on a running engine.

import Autonomi
import Engine
import Namespace
import SelfEncryption

/// Carries out what a command wants done with public data.
struct PublicDataTask {
    /// How long a task may take: sharing a directory encrypts and stores all of it.
    static let patience = Duration.seconds(24 * 60 * 60)

    let engine: Engine

    func perform(_ request: PublicDataRequest) throws(CommandFailure) -> PublicDataReport {
        let context = RequestContext.patient(for: Self.patience)
        switch request {
        case .open(let source, let path): return try open(source, path, context)
        case .share(let path):
            let (ino, name) = try find(path, context)
            do throws(SharingError) {
                let shared = try engine.share(ino, name: name, context)
                var report = PublicDataReport()
                report.text = shared.address.text
                report.fileCount = shared.fileCount
                report.skippedCount = shared.skippedCount
                return report
            } catch {
                throw failure(error, path, "be shared")
            }
        case .dataMap(let path):
            let (ino, _) = try find(path, context)
            do throws(SharingError) {
                var report = PublicDataReport()
                report.text = DataMapFile.hexadecimal(try engine.dataMap(of: ino, context))
                return report
            } catch {
                throw failure(error, path, "have a data map")
            }
        }
    }

    private func open(
        _ source: [UInt8], _ path: [UInt8], _ context: RequestContext
    ) throws(CommandFailure) -> PublicDataReport {
        let source = try Self.source(source)
        let names = path.split(separator: UInt8(ascii: "/"))
        guard let last = names.last else {
            throw CommandFailure(.usage, "a file needs a name to be opened under")
        }
        do throws(FileError) {
            let parent = Array(names.dropLast().joined(separator: [UInt8(ascii: "/")]))
            let ino = try engine.resolve(parent, context)
            let status = try engine.adopt(source, as: Array(last), in: ino, context)
            engine.forget(status.ino, count: 1)
            var report = PublicDataReport()
            report.size = status.kind == .directory ? 0 : status.size
            return report
        } catch {
            throw CommandFailure(
                Self.code(error),
                "“\(String(decoding: path, as: UTF8.self))” cannot be made of it:"
                    + " \(sentence(error))")
        }
    }

    /// An address, or the readings of a data map.
    static func source(_ bytes: [UInt8]) throws(CommandFailure) -> ForeignSource {
        let text = String(decoding: bytes, as: UTF8.self).trimmed
        if let address = try? PublicAddress(String(text)) { return .address(address) }
        var problem = DataMapFileError.malformed("")
        var maps: [DataMap] = []
        for version in [FormatVersion.v2, .v1] {
            do throws(DataMapFileError) {
                maps.append(try DataMapFile.decode(bytes, version: version))
            } catch {
                problem = error
            }
        }
        guard maps.isEmpty else { return .maps(maps) }
        // A text about as long as an address was meant as one.
        if (40...80).contains(text.utf8.count) {
            do throws(PublicAddressError) {
                _ = try PublicAddress(String(text))
            } catch {
                throw CommandFailure(.usage, "this is no address: \(error)")
            }
        }
        throw CommandFailure(
            .usage, "\(problem)",
            advice: "give an address, a data map in hexadecimal, or a .datamap file")
    }

    private func find(
        _ path: [UInt8], _ context: RequestContext
    ) throws(CommandFailure) -> (ino: UInt64, name: [UInt8]) {
        do throws(FileError) {
            let name = path.split(separator: UInt8(ascii: "/")).last.map { Array($0) }
            return (try engine.resolve(path, context), name ?? Array("volume".utf8))
        } catch {
            throw failure(.file(error), path, "be found")
        }
    }

    private func failure(
        _ error: SharingError, _ path: [UInt8], _ what: String
    ) -> CommandFailure {
        let sentence = "“\(String(decoding: path, as: UTF8.self))” cannot \(what)"
        return switch error {
        case .file(let error):
            CommandFailure(Self.code(error), "\(sentence): \(self.sentence(error))")
        case .tooSmall:
            CommandFailure(
                .unusablePath, "\(sentence): a file of fewer than three bytes has no data map")
        case .notShareable:
            CommandFailure(.unusablePath, "\(sentence): it is neither a file nor a folder")
        case .emptyArchive:
            CommandFailure(.unusablePath, "\(sentence): there is no file in it")
        case .archive(let error): CommandFailure(.unusablePath, "\(sentence): \(error)")
        }
    }

    /// The store's own sentence where it refused for money, since that says how much.
    private func sentence(_ error: FileError) -> String {
        switch error {
        case .quotaExceeded, .inputOutput, .notFound, .invalid, .tooLarge:
            engine.newestError ?? error.words
        default: error.words
        }
    }

    private static func code(_ error: FileError) -> ExitCode {
        switch error {
        case .quotaExceeded: .storeFull
        case .inputOutput: .storeUnusable
        default: .unusablePath
        }
    }
}
