// SPDX-License-Identifier: Apache-2.0
//
// What a node knows: messages and their states, files, money.

package import AlephProtocol
import Foundation
package import JSON

/// The memory of a node.
package struct NodeLedger {
    /// Where a message is in its life.
    package enum Status: String {
        case pending, processed, rejected, forgotten, removing, removed
    }

    /// A message, however it fared.
    package struct Entry {
        let envelope: MessageEnvelope
        /// With the signature, which may be missing.
        let json: JSONObject
        var content: JSONObject?
        package var status = Status.pending
        var code = 0
        var details: JSONValue = .null
        var forgottenBy: [String] = []
        var forgottenAt: Double?
        let arrival: Int
        /// Tokens held or credits a second for it.
        var cost = 0.0
        var isCredit = false
        /// Questions until it is looked at.
        var looks = 0

        var owner: String { content?["address"]?.string ?? envelope.sender }
        var time: Double { content?["time"]?.double ?? 0 }
    }

    struct File {
        var bytes: [UInt8]
        var size: Int
    }

    /// All messages, by their names.
    package var entries: [String: Entry] = [:]
    /// The account whose messages give money to others.
    var authority = ""
    var files: [String: File] = [:]
    var tokens: [String: Double] = [:]
    var credits: [String: Double] = [:]
    /// Whether a FORGET of what is forgotten already is rejected, as some nodes do.
    package var rejectsForgotten = false
    /// Whether files are still there for who asks when no message keeps them any more: a real node
    /// has them for a day, in which a test would not notice that they go.
    package var keepsForgottenFiles = false
    /// Rejects messages by their contents, with a code and what the node says of it; nil lets
    /// them pass.
    package var verdict: (@Sendable (JSONObject) -> (code: Int, errors: JSONValue?)?)?
    /// Credits of each account that was given none.
    package var gift = 0.0
    /// Owner and name to the STORE that is newest: lost for good when any version is forgotten.
    var references: [String: String] = [:]
    private var arrivals = 0
    /// Tokens held for what each account stores: counted as it changes, for it is asked with each.
    private var held: [String: Double] = [:]

    /// Knows nothing.
    package init() {}

    mutating func nextArrival() -> Int {
        arrivals += 1
        return arrivals
    }

    var channels: [String] {
        Set(processed.compactMap { $0.envelope.channel }).sorted()
    }

    /// How many messages of a type are in a state.
    package func count(_ type: MessageType, _ status: Status) -> Int {
        entries.values.count { $0.envelope.type == type && $0.status == status }
    }

    var processed: [Entry] {
        entries.values.filter { $0.status == .processed }.sorted { $0.arrival < $1.arrival }
    }

    /// Tokens that keep what an account stores.
    func locked(_ address: String) -> Double {
        held[address.lowercased()] ?? 0
    }

    /// Each of an owner's aggregates.
    func aggregates(of owner: String) -> [String: (value: JSONObject, entries: [Entry])] {
        var elements: [String: [Entry]] = [:]
        for entry in processed where entry.envelope.type == .aggregate {
            guard AlephAddress.isSame(entry.owner, owner), let key = entry.content?["key"]?.string
            else { continue }
            elements[key, default: []].append(entry)
        }
        return elements.mapValues { entries in
            var value = JSONObject()
            var times: [String: Double] = [:]
            for entry in entries {
                for field in entry.content?["content"]?.object?.fields ?? []
                where entry.time > times[field.name] ?? -1 {
                    value[field.name] = field.value
                    times[field.name] = entry.time
                }
            }
            return (value, entries)
        }
    }

    /// Whether `sender` may write for `owner`.
    func mayWrite(_ sender: String, for owner: String, content: JSONObject, type: MessageType)
        -> Bool
    {
        if AlephAddress.isSame(sender, owner) { return true }
        let security = aggregates(of: owner)["security"]?.value
        return (security?["authorizations"]?.array ?? []).contains { leave in
            func allows(_ name: String, _ value: String?) -> Bool {
                guard let list = leave[name]?.array, !list.isEmpty else { return true }
                return list.contains { $0.string == value }
            }
            return leave["address"]?.string == sender && allows("types", type.rawValue)
                && (type != .aggregate || allows("aggregate_keys", content["key"]?.string))
                && (type != .post || allows("post_types", content["type"]?.string))
        }
    }

    /// Looks at a message that is pending, and decides.
    package mutating func process(_ hash: String) {
        guard var entry = entries[hash], entry.status == .pending else { return }
        if entry.looks > 0 {
            entry.looks -= 1
            entries[hash] = entry
            return
        }
        // Without a signature nobody ever decides.
        guard entry.json["signature"]?.string != nil else { return }
        guard (try? entry.envelope.verifySignature()) != nil else {
            return reject(hash, 1, ["The signature of the message is invalid"])
        }
        if entry.content == nil {
            guard let file = files[hash],
                let content = try? JSONValue(parsing: file.bytes).object
            else { return }
            entry.content = content
            entries[hash] = entry
        }
        guard let content = entry.content else { return }
        if let refusal = verdict?(content) { return reject(hash, refusal.code, refusal.errors) }
        let owner = content["address"]?.string ?? ""
        guard
            mayWrite(
                entry.envelope.sender, for: owner, content: content, type: entry.envelope.type)
        else {
            let text =
                "Sender \(entry.envelope.sender) is not authorized to post on behalf of "
                + "address \(owner)"
            return reject(hash, 2, [.string(text)])
        }
        switch entry.envelope.type {
        case .post: processPost(hash, content)
        case .aggregate: accept(hash)
        case .store: processStore(hash, content, owner: owner)
        case .forget: processForget(hash, content, owner: owner)
        default: accept(hash)
        }
    }

    private mutating func processPost(_ hash: String, _ content: JSONObject) {
        if content["type"] == "amend" {
            guard let target = content["ref"]?.string.flatMap({ entries[$0] }),
                target.status == .processed
            else { return }
            if target.content?["type"] == "amend" { return reject(hash, 102, nil) }
        }
        accept(hash)
        applyMoney(content)
    }

    /// The network's own messages that give money.
    private mutating func applyMoney(_ content: JSONObject) {
        guard !authority.isEmpty, content["address"]?.string == authority else { return }
        let inner = content["content"]
        if content["type"] == "balances-update" {
            for field in inner?["balances"]?.object?.fields ?? [] {
                tokens[field.name] = field.value.double ?? 0
            }
        } else if content["type"] == "aleph_credit_distribution" {
            for credit in inner?["distribution"]?["credits"]?.array ?? [] {
                credits[credit["address"]?.string ?? "", default: 0] +=
                    credit["amount"]?.double ?? 0
            }
        }
    }

    private mutating func processStore(_ hash: String, _ content: JSONObject, owner: String) {
        let file = content["item_hash"]?.string ?? ""
        let ref = content["ref"]?.string
        if let ref, ItemHash(ref)?.type == .storage {
            guard let target = entries[ref], target.status == .processed else { return }
            if target.content?["ref"]?.string != nil { return reject(hash, 201, nil) }
        }
        let size = files[file]?.size
        if let shortage = shortage(content, owner: owner, size: size ?? 0, isUnkept: true) {
            return reject(hash, shortage.code, [shortage.details])
        }
        guard let size else { return }
        entries[hash]?.isCredit = NodePrice.isCredit(content)
        entries[hash]?.cost = NodePrice.cost(of: size, isCredit: NodePrice.isCredit(content))
        accept(hash)
        hold(hash, 1)
        if let ref, ItemHash(ref) == nil {
            let key = owner + "/" + ref
            let standing = references[key].flatMap { entries[$0]?.time } ?? -1
            if entries[hash]?.time ?? 0 > standing { references[key] = hash }
        }
    }

    /// What an account lacks for a file.
    func shortage(
        _ content: JSONObject, owner: String, size: Int, isUnkept: Bool
    ) -> (code: Int, details: JSONValue)? {
        if NodePrice.isCredit(content) {
            let needed = NodePrice.cost(of: size, isCredit: true) * 86_400
            guard credits[owner] ?? gift < needed else { return nil }
            return (
                6,
                [
                    "account_credits": .string(JSONNumber(credits[owner] ?? gift).text),
                    "required_credits": .string(JSONNumber(needed).text), "min_runtime_days": 1,
                ]
            )
        }
        let held = locked(owner)
        let isSmall = size <= 25 << 20 && isUnkept
        // Small files in IPFS pass unpaid; of those in storage only what is held already counts.
        if isSmall, content["item_type"] == "ipfs" { return nil }
        let needed = isSmall ? held : held + NodePrice.cost(of: size, isCredit: false)
        guard tokens[owner] ?? 0 < needed else { return nil }
        return (
            5,
            [
                "account_balance": .string(NodePrice.text(tokens[owner] ?? 0)),
                "required_balance": .string(NodePrice.text(needed)),
            ]
        )
    }

    private mutating func processForget(_ hash: String, _ content: JSONObject, owner: String) {
        let targets = (content["hashes"]?.array ?? []).compactMap { $0.string }
        let aggregates = (content["aggregates"]?.array ?? []).compactMap { $0.string }
        guard !(targets + aggregates).isEmpty else { return reject(hash, 500, nil) }
        for target in targets + aggregates {
            guard let entry = entries[target], entry.status != .pending else { return }
            if entry.envelope.type == .forget { return reject(hash, 502, nil) }
            if rejectsForgotten, entry.status == .forgotten { return reject(hash, 504, nil) }
            guard AlephAddress.isSame(entry.owner, owner) else { return reject(hash, 2, nil) }
        }
        accept(hash)
        let time = entries[hash]?.envelope.time.double
        for target in targets + aggregates where entries[target]?.status == .processed {
            hold(target, -1)
            entries[target]?.status = .forgotten
            entries[target]?.forgottenBy.append(hash)
            entries[target]?.forgottenAt = time
            if let ref = entries[target]?.content?["ref"]?.string {
                references[owner + "/" + ref] = nil
            }
        }
        if !keepsForgottenFiles { dropFiles(of: targets) }
    }

    /// Has all messages of a type that are in one state be in another.
    package mutating func change(_ type: MessageType, from old: Status, to new: Status) {
        for (hash, entry) in entries where entry.envelope.type == type && entry.status == old {
            entries[hash]?.status = new
        }
    }

    /// Files that no message keeps any more are gone.
    private mutating func dropFiles(of messages: [String]) {
        func file(_ entry: Entry?) -> String? {
            entry?.envelope.type == .store ? entry?.content?["item_hash"]?.string : nil
        }
        var gone = Set(messages.compactMap { file(entries[$0]) })
        if gone.isEmpty { return }
        for entry in entries.values where [.pending, .processed, .removing].contains(entry.status) {
            if let kept = file(entry) { gone.remove(kept) }
        }
        for name in gone { files[name] = nil }
    }

    private mutating func hold(_ hash: String, _ sign: Double) {
        guard let entry = entries[hash], !entry.isCredit else { return }
        held[entry.owner.lowercased(), default: 0] += sign * entry.cost
    }

    private mutating func accept(_ hash: String) {
        entries[hash]?.status = .processed
    }

    private mutating func reject(_ hash: String, _ code: Int, _ errors: JSONValue?) {
        entries[hash]?.status = .rejected
        entries[hash]?.code = code
        entries[hash]?.details = errors.map { ["errors": $0] } ?? .null
    }
}

/// What files cost.
enum NodePrice {
    static func isCredit(_ content: JSONObject) -> Bool {
        content["payment"]?["type"] == "credit"
    }

    /// Tokens to hold, or credits a second.
    static func cost(of size: Int, isCredit: Bool) -> Double {
        let mebibytes = Double(size) / 1_048_576
        return isCredit ? max(mebibytes, 25) * 0.000_049_909_691_751_739_17 : mebibytes / 3
    }

    static func text(_ amount: Double) -> String {
        amount == 0 ? "0" : String(format: "%.18f", amount)
    }
}
