// SPDX-License-Identifier: Apache-2.0
//
// A key file on the disk: never readable by anybody but its owner.

import Glibc

extension KeyFile {
    /// Reads the key file of a volume.
    ///
    /// - Throws: `invalidConfiguration` when it is missing, damaged, or open to other users.
    package static func read(from folder: VolumeFolder) throws(CommandFailure) -> KeyFile {
        try read(at: folder.keyFile)
    }

    /// Reads the key file at a path.
    static func read(at path: String) throws(CommandFailure) -> KeyFile {
        var bytes: [UInt8]
        let facts: FileFacts
        do {
            let file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW)
            facts = try FileFacts.of(file)
            bytes = try file.readAll(limit: maximumSize)
        } catch {
            throw CommandFailure(
                .invalidConfiguration, "the key file “\(path)” cannot be read", error,
                advice: "“cairn recover” makes it again from the phrase")
        }
        defer { Wiping.wipe(&bytes) }
        guard facts.mode & 0o077 == 0 else {
            throw CommandFailure(
                .invalidConfiguration, "the key file “\(path)” is open to other users",
                advice: "close it with: chmod 600 '\(path)'; if somebody may have read it, copy the"
                    + " files to a new volume")
        }
        do {
            return try KeyFile(decoding: bytes)
        } catch {
            throw error.asFailure(path)
        }
    }

    /// Writes it, mode 0600, as one step.
    package func write(to folder: VolumeFolder) throws(CommandFailure) {
        try write(at: folder.keyFile)
    }

    /// Writes it to a path.
    func write(at path: String) throws(CommandFailure) {
        var bytes = encoded()
        defer { Wiping.wipe(&bytes) }
        do {
            try Files.replace(path, with: bytes, mode: 0o600)
        } catch {
            throw CommandFailure(.failure, "the key file “\(path)” cannot be written", error)
        }
    }
}

extension KeyFileError {
    /// The sentence for a person.
    package func asFailure(_ path: String) -> CommandFailure {
        let recover = "“cairn recover” makes it again from the phrase"
        return switch self {
        case .malformed(let problem):
            CommandFailure(
                .invalidConfiguration, "the key file “\(path)” is damaged: \(problem)",
                advice: recover)
        case .unknownVersion(let version):
            CommandFailure(
                .invalidConfiguration,
                "the key file “\(path)” has version \(version), which this program does not know",
                advice: "use a newer cairn, or the phrase")
        case .needsPassphrase:
            CommandFailure(
                .usage,
                "the key file “\(path)” needs a passphrase, and there is no terminal to ask",
                advice: "give it in a file with --passphrase-file, or -o passphrase-file=PATH")
        case .wrongPassphrase:
            CommandFailure(
                .wrongPassphrase, "the passphrase does not open the key file “\(path)”",
                advice: "try again; when it is lost, “cairn recover” makes the key file anew from"
                    + " the phrase")
        case .outOfMemory:
            CommandFailure(.failure, "there is not enough memory to open the key file “\(path)”")
        }
    }
}
