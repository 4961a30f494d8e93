// SPDX-License-Identifier: Apache-2.0
//
// How phrases and passphrases come in: from a file, from standard input, or from a person at a
// terminal. Never from an argument or the environment, where other users or logs may see them. Each
// way in keeps the process out of core files first.

package import Cryptography
import Glibc
import Primitives

/// Reads secrets.
package enum SecretInput {
    /// Most bytes of a phrase or passphrase.
    package static let maximumSize = 4096

    /// Where a secret is to come from.
    package enum Source: Equatable, Sendable {
        /// The first line of a file; `-` is standard input.
        case file(String)
        /// A person is asked; an error without a terminal.
        case terminal
    }

    /// The passphrase.
    ///
    /// - Parameter repeats: ask twice, and take only what is the same: for a new passphrase.
    package static func passphrase(
        from source: Source, repeats: Bool
    ) throws(CommandFailure) -> SecretBytes {
        try ProcessSettings.protectMemory()
        let secret: SecretBytes
        switch source {
        case .file(let path):
            secret = try firstLine(of: path, what: "passphrase")
        case .terminal:
            secret = try ask("Passphrase: ", isHidden: true, what: "a passphrase")
            if repeats {
                let second = try ask("The same again: ", isHidden: true, what: "a passphrase")
                guard secret == second else {
                    throw CommandFailure(.wrongPassphrase, "the two passphrases differ")
                }
            }
        }
        guard secret.count > 0 else {
            throw CommandFailure(.wrongPassphrase, "the passphrase is empty")
        }
        return secret
    }

    /// The recovery phrase: all of the file, all of standard input, or one line at a terminal.
    package static func phrase(from path: String?) throws(CommandFailure) -> RecoveryPhrase {
        try ProcessSettings.protectMemory()
        let secret: SecretBytes
        if let path, path != "-" {
            secret = try whole(try open(path, what: "phrase"), name: path)
        } else if standardInput.isTerminal {
            secret = try ask("The 24 words: ", isHidden: false, what: "the phrase")
        } else {
            secret = try whole(standardInput.descriptor(), name: "standard input")
        }
        // The words become a String, in ordinary memory, once; this process ends soon after.
        let text = secret.withBytes { String(decoding: ($0.asArray), as: UTF8.self) }
        do {
            return try RecoveryPhrase(words: text)
        } catch {
            throw failure(error)
        }
    }

    /// A key of `count` bytes from a file: as they are, or as twice as many hexadecimal digits.
    package static func key(from path: String, count: Int) throws(CommandFailure) -> SecretBytes {
        try ProcessSettings.protectMemory()
        let whole = try whole(try open(path, what: "key"), name: path)
        if whole.count == count { return whole }
        let line = firstLine(of: whole)
        let decoded = line.withBytes { Hex.decode(String(decoding: $0.asArray, as: UTF8.self)) }
        guard var bytes = decoded, bytes.count == count else {
            throw CommandFailure(
                .usage, "“\(path)” holds no key of \(count) bytes",
                advice: "give the bytes, or \(2 * count) hexadecimal digits")
        }
        defer { Wiping.wipe(&bytes) }
        return SecretBytes(bytes)
    }

    private static func failure(_ error: PhraseError) -> CommandFailure {
        switch error {
        case .wordCount(let count):
            CommandFailure(
                .invalidPhrase,
                "a recovery phrase has \(RecoveryPhrase.wordCount) words, not \(count)",
                advice: "give all of them, separated by spaces or lines")
        case .unknownWord(let position):
            CommandFailure(
                .invalidPhrase, "word \(position) of the recovery phrase is not in the list",
                advice: "look at its spelling; the list is BIP-39's English one")
        case .checksum:
            CommandFailure(
                .invalidPhrase, "the recovery phrase is wrong: its checksum does not match",
                advice: "a word is another one than was written down, or two are exchanged")
        }
    }

    private static var standardInput: StandardInput { StandardInput() }

    private static func open(_ path: String, what: String) throws(CommandFailure) -> Descriptor {
        if path == "-" { return try standardInput.descriptor() }
        do {
            return try Descriptor.open(path, O_RDONLY)
        } catch {
            throw CommandFailure(
                .unusablePath, "the \(what) file “\(path)” cannot be read", error)
        }
    }

    private static func whole(
        _ file: consuming Descriptor, name: String
    ) throws(CommandFailure) -> SecretBytes {
        do {
            var bytes = try file.readAll(limit: maximumSize)
            defer { Wiping.wipe(&bytes) }
            return SecretBytes(bytes)
        } catch {
            throw CommandFailure(.usage, "“\(name)” cannot be read", error)
        }
    }

    private static func firstLine(
        of path: String, what: String
    ) throws(CommandFailure) -> SecretBytes {
        firstLine(of: try whole(try open(path, what: what), name: path))
    }

    private static func firstLine(of all: SecretBytes) -> SecretBytes {
        all.withBytes { bytes in
            var end = 0
            while end < bytes.count, bytes[end] != 0x0A { end += 1 }
            if end > 0, bytes[end - 1] == 0x0D { end -= 1 }
            return SecretBytes(bytes.extracting(0..<end))
        }
    }

    /// Asks at the terminal, on standard error; standard output may be somebody's pipe.
    private static func ask(
        _ question: String, isHidden: Bool, what: String
    ) throws(CommandFailure) -> SecretBytes {
        guard standardInput.isTerminal, isatty(STDERR_FILENO) == 1 else {
            throw CommandFailure(
                .usage, "\(what) is needed, and there is no terminal to ask",
                advice: "give it in a file; “cairn help” names the option")
        }
        Output.note(question)
        let echo = isHidden ? TerminalEcho() : nil
        var line: [UInt8] = []
        line.reserveCapacity(maximumSize)
        defer { Wiping.wipe(&line) }
        let input = try standardInput.descriptor()
        do {
            var byte: [UInt8] = [0]
            while line.count < maximumSize {
                var span = byte.mutableSpan
                guard try input.read(into: &span) == 1, byte[0] != 0x0A else { break }
                line.append(byte[0])
            }
        } catch {
            echo?.restore()
            throw CommandFailure(.usage, "the terminal cannot be read", error)
        }
        echo?.restore()
        return SecretBytes(line)
    }
}

extension Span<UInt8> {
    /// A copy of the bytes.
    var asArray: [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(count)
        for index in indices { copy.append(self[index]) }
        return copy
    }
}

/// Standard input, which we do not own and so never close.
private struct StandardInput {
    var isTerminal: Bool { isatty(STDIN_FILENO) == 1 }

    func descriptor() throws(CommandFailure) -> Descriptor {
        let number = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
        guard number >= 0 else {
            throw CommandFailure(.usage, "standard input is closed", SystemError.last("fcntl"))
        }
        return Descriptor(owning: number)
    }
}

/// The terminal without echo, until restored.
private struct TerminalEcho {
    private let saved: termios

    init?() {
        var settings = termios()
        // SAFETY: `settings` is ours.
        guard unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        saved = settings
        settings.c_lflag &= ~tcflag_t(ECHO)
        guard unsafe tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) == 0 else { return nil }
    }

    func restore() {
        var settings = saved
        // SAFETY: `settings` is ours. A failure leaves echo off, which `stty sane` mends.
        _ = unsafe tcsetattr(STDIN_FILENO, TCSANOW, &settings)
        Output.note("\n")
    }
}
