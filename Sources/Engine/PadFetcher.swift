// SPDX-License-Identifier: Apache-2.0
//
// Asks the store for pads on threads of its own, so that whoever waits can stop waiting.
//
// Invariant: an answer that nobody waits for any more is dropped: a record that is handed out was
// asked for after the call that takes it began, or is shared with one that waited at the time.

import Scratchpads
import Stores
import Synchronization
import Threading

/// Pads from the store, with a deadline.
final class PadFetcher: Sendable {
    /// Pads asked for at once.
    static let threads = 8

    private struct Requests {
        var running: Set<PadAddress> = []
        var waiting: [PadAddress: Int] = [:]
        var answers: [PadAddress: Result<PadRecord?, StoreError>] = [:]
    }

    private let volume: Volume
    private let pool = WorkerPool("cairn-padget", threads: PadFetcher.threads)
    private let requests = Monitor(Requests())

    init(volume: Volume) {
        self.volume = volume
    }

    func stop(until deadline: ContinuousClock.Instant) {
        pool.stop(until: deadline)
    }

    /// Asks for pads that will be waited for one after the other: `release` each of them in the
    /// end.
    func begin(_ addresses: [PadAddress]) {
        for address in addresses {
            requests.withLock { $0.waiting[address, default: 0] += 1 }
            ask(address)
        }
    }

    /// Takes back what `begin` began.
    func release(_ addresses: [PadAddress]) {
        requests.withLock { state in
            for address in addresses {
                let left = state.waiting[address, default: 1] - 1
                state.waiting[address] = left > 0 ? left : nil
                if left <= 0 { state.answers[address] = nil }
            }
        }
    }

    /// The record as the store has it; nil if it has none. Call it between `begin` and `release`.
    ///
    /// - Throws: `inputOutput` at the deadline, `interrupted` by a signal, else why the store
    /// failed.
    func record(_ address: PadAddress, _ patience: Patience) throws(FileError) -> PadRecord? {
        while true {
            if patience.isInterrupted { throw .interrupted }
            if patience.isOver {
                volume.errors.add(.store, "a pad did not come in time", detail: address.hex)
                throw .inputOutput
            }
            let answer = requests.wait(atMost: ChunkFetcher.step) { $0.answers[address] }
            guard let answer else { continue }
            do throws(StoreError) {
                let record = try answer.get()
                volume.counters.storeAnswered()
                return record
            } catch {
                throw volume.reportStore(error)
            }
        }
    }

    private func ask(_ address: PadAddress) {
        let isNew = requests.withLock { state in
            state.answers[address] == nil && state.running.insert(address).inserted
        }
        guard isNew else { return }
        let isQueued = pool.submit {
            let answer = Result { () throws(StoreError) in
                try self.volume.configuration.pads.get(address)
            }
            self.finish(address, answer)
        }
        if !isQueued { finish(address, .failure(.unreachable(retryAfter: nil))) }
    }

    private func finish(_ address: PadAddress, _ answer: Result<PadRecord?, StoreError>) {
        requests.update { state in
            state.running.remove(address)
            if state.waiting[address] != nil { state.answers[address] = answer }
        }
    }
}
