// SPDX-License-Identifier: Apache-2.0
//
// What a message is to say, and the limits that nodes hold it to. Everything a node would refuse
// for its form is refused here first, with a reason a node does not give.

package import JSON

/// How a stored file is paid for.
package enum StorePayment: String, Sendable, CaseIterable {
    /// By holding tokens.
    case hold
    /// By credits, which are used up.
    case credit
}

/// What a STORE message says of a file.
package struct StoreDraft: Sendable, Equatable {
    /// The file's name: its SHA-256 digest or CID.
    package var file: ItemHash
    /// A name of the owner's own under which the newest file is found, or the hash of the STORE
    /// that this one replaces.
    package var ref: String?
    /// What the file is found by.
    package var tags: [String]
    /// Anything about the file; kept, and not searched by nodes.
    package var metadata: JSONObject?
    /// How it is paid for; nil is the network's default.
    package var payment: StorePayment?

    /// What a STORE message says of `file`.
    package init(
        file: ItemHash, ref: String? = nil, tags: [String] = [], metadata: JSONObject? = nil,
        payment: StorePayment? = nil
    ) {
        self.file = file
        self.ref = ref
        self.tags = tags
        self.metadata = metadata
        self.payment = payment
    }
}

/// What a message is to say.
package enum MessageDraft: Sendable, Equatable {
    /// Publishes a content of the application's own type.
    case post(type: String, content: JSONValue, ref: String? = nil)
    /// Replaces the whole content of a post. It names the first post, never another amend.
    case amend(original: ItemHash, content: JSONValue)
    /// Sets top-level keys of the aggregate `key`. A value replaces the old one whole.
    case aggregate(key: String, content: JSONObject)
    /// Keeps a file.
    case store(StoreDraft)
    /// Takes messages back.
    case forget([ItemHash], reason: String? = nil)

    /// The most tags of one message.
    package static let maximumTagCount = 16
    /// The most characters of a tag.
    package static let maximumTagSize = 256
    /// The most messages that one message forgets.
    package static let maximumTargetCount = 1000
    /// The most characters of a reason to forget.
    package static let maximumReasonSize = 1000
    /// The most characters of a post's type, a reference, or an aggregate's key.
    package static let maximumNameSize = 512
    /// The end of the times that nodes take.
    ///
    /// - Source: measured on a node.
    package static let maximumTime = 9_223_372_036.0

    /// What the message does.
    package var type: MessageType {
        switch self {
        case .post, .amend: .post
        case .aggregate: .aggregate
        case .store: .store
        case .forget: .forget
        }
    }

    /// The content, in the order of fields that other clients write.
    ///
    /// - Parameters:
    ///   - owner: the account the message belongs to.
    ///   - time: seconds since 1970. Among messages about one thing the greatest counts, and of
    ///     equal ones the first, so that it must grow with each.
    ///   - chain: the payer's, for a STORE that says how it is paid for.
    /// - Throws: which limit is passed.
    package func content(
        owner: String, time: Double, chain: AlephChain
    ) throws(AlephProtocolError) -> JSONObject {
        guard (0...MessageDraft.maximumTime).contains(time) else { throw .timeOutOfRange }
        var fields = JSONObject([
            ("address", .string(owner)), ("time", .number(JSONNumber(time))),
        ])
        switch self {
        case .post(let type, let content, let ref):
            try MessageDraft.checkName(type, field: "post's type")
            // The network takes this word for a replacement, which must say of what.
            guard type != "amend" else { throw .malformed(field: "type") }
            try MessageDraft.checkTags(within: content)
            fields["content"] = content
            if let ref {
                try MessageDraft.checkName(ref, field: "reference")
                fields["ref"] = .string(ref)
            }
            fields["type"] = .string(type)
        case .amend(let original, let content):
            try MessageDraft.checkTags(within: content)
            fields["content"] = content
            fields["ref"] = .string(original.text)
            fields["type"] = "amend"
        case .aggregate(let key, let content):
            try MessageDraft.checkName(key, field: "aggregate's key")
            try MessageDraft.checkTags(within: .object(content))
            fields["key"] = .string(key)
            fields["content"] = .object(content)
        case .store(let draft): try draft.write(into: &fields, chain: chain)
        case .forget(let hashes, let reason):
            try MessageDraft.checkForget(hashes, reason)
            fields["hashes"] = .array(hashes.map { .string($0.text) })
            fields["aggregates"] = []
            if let reason { fields["reason"] = .string(reason) }
        }
        return fields
    }

    /// Checks tags against the limits of nodes.
    package static func check(tags: [String]) throws(AlephProtocolError) {
        guard tags.count <= maximumTagCount else {
            throw .tooManyTags(count: tags.count, limit: maximumTagCount)
        }
        for tag in tags {
            let size = tag.unicodeScalars.count
            guard (1...maximumTagSize).contains(size) else {
                throw .badTag(size: size, limit: maximumTagSize)
            }
        }
    }

    /// Tags of posts and aggregates lie within their content, under this name.
    private static func checkTags(within content: JSONValue) throws(AlephProtocolError) {
        guard let tags = content["tags"], !tags.isNull else { return }
        guard let values = tags.array else { throw .malformed(field: "tags") }
        var texts: [String] = []
        for value in values {
            guard let text = value.string else { throw .malformed(field: "tags") }
            texts.append(text)
        }
        try check(tags: texts)
    }

    private static func checkForget(
        _ hashes: [ItemHash], _ reason: String?
    ) throws(AlephProtocolError) {
        guard !hashes.isEmpty else { throw .malformed(field: "hashes") }
        guard hashes.count <= maximumTargetCount else {
            throw .tooManyTargets(count: hashes.count, limit: maximumTargetCount)
        }
        guard (reason?.unicodeScalars.count ?? 0) <= maximumReasonSize else {
            throw .textTooLong(field: "reason", limit: maximumReasonSize)
        }
    }

    fileprivate static func checkName(
        _ text: String, field: String
    ) throws(AlephProtocolError) {
        guard !text.isEmpty else { throw .malformed(field: field) }
        guard text.unicodeScalars.count <= maximumNameSize else {
            throw .textTooLong(field: field, limit: maximumNameSize)
        }
    }
}

extension StoreDraft {
    fileprivate func write(
        into fields: inout JSONObject, chain: AlephChain
    ) throws(AlephProtocolError) {
        try MessageDraft.check(tags: tags)
        fields["item_type"] = .string(file.type.rawValue)
        fields["item_hash"] = .string(file.text)
        if let ref {
            try MessageDraft.checkName(ref, field: "reference")
            fields["ref"] = .string(ref)
        }
        if !tags.isEmpty { fields["tags"] = .array(tags.map { .string($0) }) }
        if let metadata { fields["metadata"] = .object(metadata) }
        if let payment {
            fields["payment"] = [
                "chain": .string(chain.name), "type": .string(payment.rawValue),
            ]
        }
    }
}
