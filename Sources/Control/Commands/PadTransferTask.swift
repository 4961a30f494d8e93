// SPDX-License-Identifier: Apache-2.0
//
// `cairn pad import` and `export`, on a running engine.

import Cryptography
import Engine
import Scratchpads

/// Takes a pad of the older Autonomi network in, or gives one out.
struct PadTransferTask {
    let engine: Engine

    func perform(_ request: PadTransferRequest) throws(CommandFailure) -> PadTransferReport {
        let context = RequestContext.patient(for: PublicDataTask.patience)
        var report = PadTransferReport()
        switch request {
        case .importing(let bytes, let key, let path):
            let record: PadRecord
            do throws(ScratchpadError) {
                record = try PadRecord(decoding: bytes)
            } catch {
                throw CommandFailure(.usage, "this is no record of a scratchpad")
            }
            let key = key.isEmpty ? nil : SecretBytes(key)
            do throws(FileError) {
                let (parent, name) = try place(path, context)
                let status = try engine.importPad(record, key: key, as: name, in: parent, context)
                engine.forget(status.ino, count: 1)
                report.size = status.size
            } catch {
                throw Self.failure(error, path, "cannot be made of this scratchpad")
            }
        case .exporting(let path):
            do throws(FileError) {
                let ino = try engine.resolve(path, context)
                report.record = try engine.exportPad(ino, context).encoded()
            } catch {
                throw Self.failure(error, path, "cannot be given out")
            }
        }
        return report
    }

    private func place(
        _ path: [UInt8], _ context: RequestContext
    ) throws(FileError) -> (parent: UInt64, name: [UInt8]) {
        let names = path.split(separator: UInt8(ascii: "/"))
        guard let last = names.last else { throw .notSupported }
        let parent = Array(names.dropLast().joined(separator: [UInt8(ascii: "/")]))
        return (try engine.resolve(parent, context), Array(last))
    }

    private static func failure(
        _ error: FileError, _ path: [UInt8], _ what: String
    ) -> CommandFailure {
        let code: ExitCode =
            switch error {
            case .quotaExceeded: .storeFull
            case .inputOutput: .storeUnusable
            default: .unusablePath
            }
        let reason =
            switch error {
            case .invalid: "the signature is not its owner's, or it does not open"
            case .accessDenied: "the key is another scratchpad's"
            case .stale: "a later state of it is here or in the store already"
            case .exists: "the name is taken, or the scratchpad has another name here"
            case .notSupported:
                "pads of the older Autonomi network have lasting names under scratchpads/"
            case .busy: "its newest content is not in the store yet; run “cairn sync” first"
            default: error.words
            }
        return CommandFailure(
            code, "“\(String(decoding: path, as: UTF8.self))” \(what): \(reason)")
    }
}
