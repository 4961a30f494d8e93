// SPDX-License-Identifier: Apache-2.0
//
// Questions to the network on threads of their own, so that who waits for an answer can stop
// waiting: by a deadline, or by a signal. The question goes on, and who asks again finds it under
// way.
//
// Invariant: of one question at most one is under way.

import Aleph
import AlephProtocol
import Engine
import Primitives
import Threading

/// What is asked for, so that it is asked for once.
enum AlephQuestion: Hashable, Sendable {
    /// A file's text, or which stored file it is.
    case file(AlephPath)
    /// What its owner says of a stored file.
    case details(ItemHash)
    /// Bytes of a stored file.
    case size(ItemHash)
    /// A stored file, onto the local disk.
    case download(ItemHash)
    /// How many blocks have seen a message.
    case confirmations(ItemHash)
    /// A letter's text.
    case letter(ItemHash)
}

extension AlephQuestion {
    /// Whether the answer is a whole file, which may take minutes.
    var isLong: Bool {
        switch self {
        case .download, .letter: true
        case .file, .details, .size, .confirmations: false
        }
    }
}

/// Asks.
final class AlephJobs: Sendable {
    /// Questions that are asked at once.
    static let threadCount = 16
    /// Whole files that are fetched at once, on threads of their own: who looks at names and
    /// messages does not wait for them.
    static let longThreadCount = 8
    /// Lists that are read at once, on threads of their own: one may take minutes, and who asks for
    /// a name does not wait for it.
    static let listThreadCount = 4
    /// Questions under way, those included that nobody waits for any more.
    static let limit = 256
    /// How long a signal may go unnoticed.
    static let look = Duration.milliseconds(100)

    private typealias Answer = Result<any Sendable, AlephError>
    private typealias Pending = Monitor<Answer?>

    private let pool = WorkerPool("cairn-aleph", threads: AlephJobs.threadCount)
    private let longPool = WorkerPool("cairn-alephget", threads: AlephJobs.longThreadCount)
    private let listPool = WorkerPool("cairn-alephlist", threads: AlephJobs.listThreadCount)
    private let pending = Lock<[AlephQuestion: Pending]>([:])
    private let trouble: AlephTrouble

    init(_ trouble: AlephTrouble) {
        self.trouble = trouble
    }

    /// The answer to a question.
    ///
    /// - Throws: `wouldBlock` without patience; `inputOutput` at its deadline; else what the
    ///   network's failure means.
    func ask<Value: Sendable>(
        _ question: AlephQuestion, _ patience: Patience?,
        _ work: @escaping @Sendable () throws(AlephError) -> Value
    ) throws(FileError) -> Value {
        guard let patience else { throw .wouldBlock }
        let answer = try wait(for: try started(question, work), patience)
        switch answer {
        case .success(let value as Value): return value
        case .success: throw .inputOutput
        case .failure(let error): throw trouble.reading(error)
        }
    }

    /// Reads a list, when a thread for lists is free; not at all once these questions end.
    func list(_ work: @escaping @Sendable () -> Void) { _ = listPool.submit(work) }

    /// Lets running questions end by themselves: nobody asks any more.
    func stop() {
        pool.stop(until: .now)
        longPool.stop(until: .now)
        listPool.stop(until: .now)
    }

    /// Begins a question whose answer is looked for later, if at all; not if too many are under
    /// way.
    func begin<Value: Sendable>(
        _ question: AlephQuestion, ahead work: @escaping @Sendable () throws(AlephError) -> Value
    ) {
        // Who needs the answer asks again, and hears what is wrong.
        _ = try? started(question, work)
    }

    private func started<Value: Sendable>(
        _ question: AlephQuestion, _ work: @escaping @Sendable () throws(AlephError) -> Value
    ) throws(FileError) -> Pending {
        let (answer, isNew) = pending.withLock { pending -> (Pending?, Bool) in
            if let known = pending[question] { return (known, false) }
            guard pending.count < AlephJobs.limit else { return (nil, false) }
            let fresh = Pending(nil)
            pending[question] = fresh
            return (fresh, true)
        }
        guard let answer else {
            trouble.report("too many questions to the network are under way")
            throw .inputOutput
        }
        guard isNew else { return answer }
        let isQueued = (question.isLong ? longPool : pool).submit { [self] in
            let result: Answer
            do throws(AlephError) {
                result = .success(try work())
            } catch {
                result = .failure(error)
            }
            // First, so that who asks from now on asks anew.
            pending.withLock { $0[question] = nil }
            answer.update { $0 = result }
        }
        if !isQueued {
            pending.withLock { $0[question] = nil }
            answer.update { $0 = .failure(.cancelled) }
        }
        return answer
    }

    private func wait(
        for answer: Pending, _ patience: Patience
    ) throws(FileError) -> Answer {
        while true {
            if let found = answer.wait(atMost: AlephJobs.look, { $0 }) { return found }
            if patience.isInterrupted { throw .interrupted }
            if patience.isOver {
                trouble.report("the network did not answer in time")
                throw .inputOutput
            }
        }
    }
}

/// What failures of the network are to programs, and where their sentences go.
final class AlephTrouble: Sendable {
    private let host = Lock<ForeignHost?>(nil)

    init() {}

    /// From now on sentences reach `.cairn/errors`.
    func begin(_ host: ForeignHost) { self.host.withLock { $0 = host } }

    /// Who is told what changed; nil before the beginning.
    var listener: ForeignHost? { host.withLock { $0 } }

    /// Adds a line.
    func report(_ sentence: String) { listener?.report("Aleph Cloud: \(sentence)") }

    /// The reason for somebody who reads. What is not there, or not any more, has no line.
    func reading(_ error: AlephError) -> FileError {
        switch error {
        case .notFound, .forgotten, .stillPending: return .notFound
        case .rejected:
            report("\(error)")
            return .notFound
        default: return reason(error)
        }
    }

    /// The reason for somebody who writes.
    func writing(_ error: AlephError) -> FileError {
        report("\(error)")
        return error.isQuota ? .quotaExceeded : reason(error, isReported: true)
    }

    private func reason(_ error: AlephError, isReported: Bool = false) -> FileError {
        if !isReported { report("\(error)") }
        switch error {
        case .paymentRequired: return .quotaExceeded
        case .tooLarge: return .tooLarge
        case .invalid(.contentTooLarge): return .tooLarge
        case .invalid: return .invalid
        default: return .inputOutput
        }
    }
}
