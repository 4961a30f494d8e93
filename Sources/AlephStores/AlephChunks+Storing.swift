// SPDX-License-Identifier: Apache-2.0
//
// Packs become files of the network.

internal import Aleph
internal import AlephProtocol
internal import Primitives
package import Stores
internal import Threading

extension AlephChunks {
    /// Stores every pack with a chunk that was put before, then tidies up.
    package func sync() throws(StoreError) {
        // The first pack that is none of this call's business; known once the open one is sealed.
        var end: UInt64?
        while true {
            enum Step { case done, store, wait }
            let step = state.withLock { state -> Step in
                if end == nil, state.open.isEmpty || state.sealed.count < Self.sealedLimit {
                    if !state.open.isEmpty { state.seal() }
                    end = state.nextID
                }
                let last = end ?? .max
                let mine = state.sealed.filter { $0.id < last }
                if mine.isEmpty { return .done }
                return mine.contains { !$0.isBusy } ? .store : .wait
            }
            switch step {
            case .done:
                tidyUp()
                return
            case .store: try storeOne()
            case .wait:
                // Another thread stores it; if that fails, it is this one's turn.
                let last = end ?? .max
                _ = state.wait(atMost: .seconds(1)) { state in
                    let mine = state.sealed.filter { $0.id < last }
                    return mine.isEmpty || mine.contains { !$0.isBusy } ? true : nil
                }
            }
        }
    }

    /// Stores the oldest pack that waits, if one does.
    func storeOne() throws(StoreError) {
        let taken = state.withLock { state -> Sealed? in
            guard let position = state.sealed.firstIndex(where: { !$0.isBusy }) else { return nil }
            state.sealed[position].isBusy = true
            return state.sealed[position]
        }
        guard let taken else {
            _ = state.wait(atMost: .seconds(1)) { state in
                state.sealed.count < Self.sealedLimit || state.sealed.contains { !$0.isBusy }
                    ? true : nil
            }
            return
        }
        do throws(AlephError) {
            let pack = try store(taken)
            cache.insert(pack.file, taken.content.bytes)
            state.update { state in
                state.index.add(pack)
                state.sealed.removeAll { $0.id == taken.id }
            }
        } catch {
            state.update { state in
                guard let position = state.sealed.firstIndex(where: { $0.id == taken.id }) else {
                    return
                }
                state.sealed[position].isBusy = false
                if error.needsNewMessage { state.sealed[position].signed = nil }
            }
            throw network.storeError(error)
        }
    }

    private func store(_ sealed: Sealed) throws(AlephError) -> Pack {
        let source = AlephSource(sealed.content.bytes)
        let signed: SignedMessage
        if let tried = sealed.signed {
            signed = tried
        } else {
            signed = try sign(sealed.content.directory, source, after: nil)
            // Kept before it is sent: what may have arrived is never signed, and paid, twice.
            state.withLock { state in
                guard let position = state.sealed.firstIndex(where: { $0.id == sealed.id }) else {
                    return
                }
                state.sealed[position].signed = signed
            }
        }
        try network.client.deliver(
            source, with: signed, plan: network.plan, by: network.account,
            isRepeated: sealed.signed != nil)
        return try pack(signed, sealed.content.directory)
    }

    /// The message that keeps a pack's file.
    func sign(
        _ directory: PackDirectory, _ file: AlephSource, after time: Double?
    ) throws(AlephError) -> SignedMessage {
        let hash = try AlephClient.name(of: file, engine: network.plan.engine)
        return try network.client.signStore(
            of: hash, directory.draft(hash), plan: network.plan, by: network.account, after: time)
    }

    /// The pack that a message of ours keeps.
    func pack(
        _ signed: SignedMessage, _ directory: PackDirectory
    ) throws(AlephError) -> Pack {
        do throws(AlephProtocolError) {
            guard let pack = Pack(try VerifiedMessage(signed.envelope)) else {
                throw AlephProtocolError.malformed(field: PackDirectory.name)
            }
            assert(pack.directory == directory, "the message lists what is in the pack")
            return pack
        } catch {
            throw .invalid(error)
        }
    }
}

extension AlephError {
    /// Whether the network will never process the message that was tried.
    fileprivate var needsNewMessage: Bool {
        switch self {
        case .paymentRequired, .rejected, .forgotten, .notFound, .refused, .invalid, .tooLarge:
            true
        case .unreachable, .busy, .malformedAnswer, .untrue, .stillPending, .sourceFailed,
            .cancelled:
            false
        }
    }
}
