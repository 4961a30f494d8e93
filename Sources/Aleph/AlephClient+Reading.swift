// SPDX-License-Identifier: Apache-2.0
//
// What the network has, checked.

package import AlephProtocol
internal import Cryptography
internal import JSON

/// A message as it stands in the network, if it counts checked.
package enum CheckedMessage: Sendable, Equatable {
    /// It counts, and is what its sender signed.
    case processed(VerifiedMessage, confirmations: Int)
    /// Another state.
    case other(MessageState)

    /// The word for its state.
    package var stateName: String {
        switch self {
        case .processed: "processed"
        case .other(let state): state.name
        }
    }
}

extension AlephClient {
    /// The most bytes of a content that travels beside its message.
    package static let contentLimit = AlephAccount.maximumContentSize

    /// A message by its name, with its content wherever that is.
    ///
    /// - Throws: `notFound` if no node knows it; `untrue` if none has it as it was signed.
    package func message(_ hash: ItemHash) throws(AlephError) -> CheckedMessage {
        try ask(.allMustMiss) { node throws(AlephError) in
            let state = try node.message(hash)
            guard case .processed(let envelope, let confirmations) = state else {
                return .other(state)
            }
            let message = try AlephClient.verified(envelope, at: node)
            return .processed(message, confirmations: confirmations)
        }
    }

    /// A message that counts.
    ///
    /// - Throws: also `forgotten`, `rejected`, `stillPending`, and `notFound` for what is gone.
    package func processedMessage(_ hash: ItemHash) throws(AlephError) -> VerifiedMessage {
        switch try message(hash) {
        case .processed(let message, _): return message
        case .other(.rejected(let rejection)): throw .rejected(rejection)
        case .other(.forgotten): throw .forgotten
        case .other(.pending): throw .stillPending(hash)
        case .other: throw .notFound
        }
    }

    /// Checks a message, and fetches its content if it has none in it.
    static func verified(
        _ envelope: MessageEnvelope, at node: AlephNode
    ) throws(AlephError) -> VerifiedMessage {
        var content: [UInt8]?
        if envelope.itemType != .inline {
            content = try collect(envelope.itemHash, at: node, limit: contentLimit)
        }
        do throws(AlephProtocolError) {
            if let content { return try VerifiedMessage(envelope, content: content) }
            return try VerifiedMessage(envelope)
        } catch {
            throw .untrue(error)
        }
    }

    /// The bytes a hash names, where it is known how many they are.
    ///
    /// - Throws: `untrue` if no node has them as they were named, and no more than these.
    package func file(_ hash: ItemHash, size: Int) throws(AlephError) -> [UInt8] {
        try ask(.allMustMiss) { node throws(AlephError) in
            let bytes: [UInt8]
            do throws(AlephError) {
                bytes = try AlephClient.collect(hash, at: node, limit: size)
            } catch .tooLarge {
                throw .untrue(.hashMismatch(wanted: hash.text))
            }
            guard hash.names(bytes, as: hash.type) else {
                throw .untrue(.hashMismatch(wanted: hash.text))
            }
            return bytes
        }
    }

    /// The bytes a hash names.
    ///
    /// - Parameter limit: the most that are taken; more throws `tooLarge`.
    /// - Throws: `untrue` if no node has them as they were named.
    package func file(_ hash: ItemHash, limit: Int) throws(AlephError) -> [UInt8] {
        try ask(.allMustMiss) { node throws(AlephError) in
            let bytes = try AlephClient.collect(hash, at: node, limit: limit)
            guard hash.names(bytes, as: hash.type) else {
                throw .untrue(.hashMismatch(wanted: hash.text))
            }
            return bytes
        }
    }

    /// Streams the bytes a hash names.
    ///
    /// - Parameters:
    ///   - sink: takes them in pieces. They are checked only at the end: until this returns, nobody
    ///     may see them. False ends it.
    ///   - limit: the most bytes that the file has, if that is known. A node that sends more has
    ///     another file, and the next one is asked.
    ///   - restart: called before another node is asked; what the sink took so far counts for
    ///     nothing.
    package func download(
        _ hash: ItemHash, limit: Int = .max, restart: () -> Void,
        into sink: @escaping (Span<UInt8>) -> Bool
    ) throws(AlephError) {
        var isFirst = true
        try ask(.allMustMiss) { node throws(AlephError) in
            if !isFirst { restart() }
            isFirst = false
            let checker = FileChecker(hash)
            var size = 0
            do throws(AlephError) {
                try node.download(hash, size: limit == .max ? nil : limit) { bytes in
                    size += bytes.count
                    guard size <= limit else { return false }
                    checker.update(bytes)
                    return sink(bytes)
                }
            } catch .cancelled where size > limit {
                throw .untrue(.hashMismatch(wanted: hash.text))
            }
            guard checker.isRight() else { throw .untrue(.hashMismatch(wanted: hash.text)) }
        }
    }

    /// Whether bytes are those that a hash names.
    package static func isFile(_ source: AlephSource, named hash: ItemHash) -> Bool {
        let checker = FileChecker(hash)
        return source.forEachPiece { checker.update($0) } && checker.isRight()
    }

    private static func collect(
        _ hash: ItemHash, at node: AlephNode, limit: Int
    ) throws(AlephError) -> [UInt8] {
        var pieces: [[UInt8]] = []
        var size = 0
        do {
            try node.download(hash, size: limit) { bytes in
                size += bytes.count
                guard size <= limit else { return false }
                var piece: [UInt8] = []
                piece.reserveCapacity(bytes.count)
                for index in bytes.indices { piece.append(bytes[index]) }
                pieces.append(piece)
                return true
            }
        } catch {
            throw size > limit ? .tooLarge(limit: limit) : error
        }
        return pieces.count == 1 ? pieces[0] : Array(pieces.joined())
    }

    /// Bytes of a file. A node's word, which its bytes confirm or not when they come.
    package func fileSize(_ hash: ItemHash) throws(AlephError) -> Int {
        try ask(.allMustMiss) { node throws(AlephError) in try node.fileSize(hash) }
    }

    /// What an account has: a node's word.
    package func balance(of address: String) throws(AlephError) -> AccountBalance {
        try ask { node throws(AlephError) in try node.balance(of: address) }
    }

    /// What a file of a size would cost an account: a node's word.
    package func cost(
        ofBytes size: Int, payment: StorePayment, account: String, chain: AlephChain
    ) throws(AlephError) -> StoreCost {
        let file = ItemHash(sha256Of: Array("any file of this size".utf8))
        let now = time.now()
        return try ask { node throws(AlephError) in
            try node.cost(
                ofBytes: size, payment: payment, file: file, account: account, chain: chain,
                time: now)
        }
    }
}

extension AlephClient {
    /// An owner's aggregate, made from the messages that were signed.
    ///
    /// Costs the owner's whole list of AGGREGATE messages, for nodes have no filter for a key. What
    /// others were given leave to sign counts only with `trusted`.
    ///
    /// - Parameter trusted: addresses that may speak for the owner.
    /// - Throws: `notFound` if nothing ever set a key of it.
    package func aggregate(
        owner: String, key: String, trusted: Set<String> = []
    ) throws(AlephError) -> AggregateValue {
        var filter = MessageFilter()
        filter.types = [.aggregate]
        filter.owners = [owner]
        // A node places elements by time, and of equal ones keeps the first it processed.
        filter.isOldestFirst = true
        var messages: [VerifiedMessage] = []
        var pages = MessagePages(self, filter)
        var size = 0
        while let page = try pages.next() {
            let found = page.messages.filter { message in
                AlephAddress.isSame(message.owner, owner)
                    && (message.isOwnersOwn || trusted.contains(message.envelope.sender))
                    && AggregateValue.key(of: message) == key
            }
            size += found.reduce(0) { $0 + $1.contentSize }
            // A value without some of its elements would be another one.
            guard size <= AlephTree.elementByteLimit else {
                throw .tooLarge(limit: AlephTree.elementByteLimit)
            }
            messages += found
        }
        let value = AggregateValue(key: key, messages: messages)
        guard value.time != nil else { throw .notFound }
        return value
    }

    /// The newest file that an owner keeps under a name of its own.
    ///
    /// By the owner's messages, of which the one with the greatest content's time counts: the
    /// node's own answer is lost for ever once any version was forgotten.
    ///
    /// - Throws: `notFound`.
    package func newestStore(owner: String, ref: String) throws(AlephError) -> VerifiedMessage {
        var filter = MessageFilter()
        filter.types = [.store]
        filter.owners = [owner]
        filter.refs = [ref]
        filter.isOldestFirst = true
        var newest: VerifiedMessage?
        var pages = MessagePages(self, filter)
        while let page = try pages.next() {
            for message in page.messages where message.isOwnersOwn {
                guard message.content["ref"]?.string == ref,
                    AlephAddress.isSame(message.owner, owner)
                else { continue }
                // Of equal times the first was there first, and stays.
                if message.time > newest?.time ?? -.infinity { newest = message }
            }
        }
        guard let newest else { throw .notFound }
        return newest
    }
}

/// Tells whether bytes that pass by are those a hash names.
private final class FileChecker {
    private let hash: ItemHash
    private var digest = SHA256Hasher()
    private var trees: [UnixFSHasher] = []

    init(_ hash: ItemHash) {
        self.hash = hash
        if hash.type == .ipfs { trees = UnixFSLayout.allCases.map { UnixFSHasher(layout: $0) } }
    }

    func update(_ bytes: Span<UInt8>) {
        if hash.type == .ipfs {
            for index in trees.indices { trees[index].update(bytes) }
        } else {
            digest.update(bytes)
        }
    }

    func isRight() -> Bool {
        guard hash.type == .ipfs else { return ItemHash(sha256: digest.finalize()) == hash }
        guard let wanted = ContentIdentifier(hash.text) else { return false }
        return trees.contains { $0.finalize().cid == wanted }
    }
}
