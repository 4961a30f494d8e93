// SPDX-License-Identifier: Apache-2.0
//
// Extended attributes below `aleph/`: what the network knows of a file besides its bytes, and what
// its owner says of it.

import Aleph
import AlephProtocol
package import Engine
import JSON
import Primitives

/// Names of the attributes.
enum AlephAttribute {
    static let hash = "user.aleph.item_hash"
    static let status = "user.aleph.status"
    static let sender = "user.aleph.sender"
    static let time = "user.aleph.time"
    static let confirmations = "user.aleph.confirmations"
    static let tags = "user.aleph.tags"
    static let metadata = "user.aleph.metadata"
    static let identifier = "user.ipfs.cid"
    /// Those that every file has that a message makes.
    static let ofMessages = [hash, status, sender, time]
    /// The most bytes of metadata that a file is given here: with everything else it must fit into
    /// its message.
    static let metadataLimit = 50_000
}

extension AlephMount {
    package func attributes(of node: UInt64) throws(FileError) -> [String: String] {
        let (found, place) = try self.node(node)
        if place.isDirectory { return [:] }
        do throws(FileError) {
            return try attributes(found, place, nil)
        } catch .wouldBlock {
            // What would have to be asked for is told by its name.
            return [:]
        }
    }

    package func attributeNames(of node: UInt64) throws(FileError) -> [String] {
        let (found, place) = try self.node(node)
        if place.isDirectory { return [] }
        do throws(FileError) {
            return Array(try attributes(found, place, nil).keys)
        } catch .wouldBlock {
            return names(found, place)
        }
    }

    /// The attributes that a file has whatever the network says of it.
    private func names(_ node: AlephNode, _ place: AlephPlace) -> [String] {
        switch place {
        case .network(.message), .network(.post), .network(.aggregate), .network(.element),
            .network(.storedFile):
            return AlephAttribute.ofMessages
        case .own(let part):
            let own = AlephOwnName(part: part, name: node.name)
            guard let changed = mine.own(own) else { return AlephAttribute.ofMessages }
            let isPublished =
                changed.told != nil || changed.view != nil || changed.record.target != nil
            if isPublished { return AlephAttribute.ofMessages }
            let status = AlephMine.status(changed, isLocal: mine.isLocal(node.name))
            return status == nil ? [] : [AlephAttribute.status]
        default: return []
        }
    }

    package func attribute(
        _ name: String, of node: UInt64, _ patience: Patience?
    ) throws(FileError) -> String? {
        let (found, place) = try self.node(node)
        if place.isDirectory { return nil }
        switch name {
        case AlephAttribute.confirmations:
            let all = try attributes(found, place, patience)
            guard let hash = all[AlephAttribute.hash].flatMap({ ItemHash($0) }) else { return nil }
            let client = session.client
            return try jobs.ask(.confirmations(hash), patience) { () throws(AlephError) in
                guard case .processed(_, let count) = try client.message(hash) else { return "0" }
                return String(count)
            }
        case AlephAttribute.identifier:
            // A file of IPFS has its CID; of others it is made from their bytes.
            guard let file = try stored(found, place, patience), file.type == .ipfs else {
                return nil
            }
            return file.text
        default:
            guard name.hasPrefix("user.aleph.") else { return nil }
            return try attributes(found, place, patience)[name]
        }
    }

    private func stored(
        _ node: AlephNode, _ place: AlephPlace, _ patience: Patience?
    ) throws(FileError) -> ItemHash? {
        switch place {
        case .network(let path): return try file(path, patience).file
        case .own(let part):
            let name = AlephOwnName(part: part, name: node.name)
            if let changed = mine.own(name), mine.content(changed) != nil { return nil }
            return try entry(name, nil, patience)?.file
        default: return nil
        }
    }

    private func attributes(
        _ node: AlephNode, _ place: AlephPlace, _ patience: Patience?
    ) throws(FileError) -> [String: String] {
        switch place {
        case .network(let path):
            return AlephMount.attributes(try whole(try file(path, patience), patience))
        case .letter(let hash):
            guard let letter = letters.withLock({ $0.letters[hash] }) else { return [:] }
            return AlephMount.attributes(
                AlephEntry(
                    message: hash, at: .message(hash), time: letter.time, sender: letter.sender))
        case .own(let part):
            let name = AlephOwnName(part: part, name: node.name)
            let changed = mine.own(name)
            var all: [String: String] = [:]
            if let entry = try entry(name, changed?.record.target, patience) {
                all = AlephMount.attributes(try whole(entry, patience))
            }
            guard let changed else { return all }
            let isLocal = mine.isLocal(node.name)
            all[AlephAttribute.status] =
                AlephMine.status(changed, isLocal: isLocal) ?? all[AlephAttribute.status]
            if let tags = changed.record.tags {
                all[AlephAttribute.tags] = tags.isEmpty ? nil : tags.joined(separator: ",")
            }
            if let metadata = changed.record.metadata {
                all[AlephAttribute.metadata] = JSONValue.object(metadata).text()
            }
            return all
        default: return [:]
        }
    }

    private static func attributes(_ entry: AlephEntry) -> [String: String] {
        var all: [String: String] = [:]
        if let message = entry.message {
            all[AlephAttribute.hash] = message.text
            all[AlephAttribute.status] = "processed"
        }
        if entry.time > 0 { all[AlephAttribute.time] = JSONNumber(entry.time).text }
        all[AlephAttribute.sender] = entry.sender
        if !entry.tags.isEmpty { all[AlephAttribute.tags] = entry.tags.joined(separator: ",") }
        if let metadata = entry.metadata {
            all[AlephAttribute.metadata] = JSONValue.object(metadata).text()
        }
        return all
    }

    // MARK: Setting

    package func setAttribute(
        _ name: String, of node: UInt64, to value: [UInt8]?, _ patience: Patience?
    ) throws(FileError) {
        let own = try ownName(node)
        guard [AlephAttribute.tags, AlephAttribute.metadata].contains(name) else {
            throw name.hasPrefix("user.aleph.") ? .notPermitted : .notSupported
        }
        // Those of posts and aggregates are in their texts.
        guard own.part == .files else { throw .notPermitted }
        switch name {
        case AlephAttribute.tags:
            let tags = try tags(value ?? [])
            try mine.retell(own, patience) { $0.tags = tags }
        case AlephAttribute.metadata:
            let metadata = try metadata(value)
            try mine.retell(own, patience) { $0.metadata = metadata }
        default: throw .notSupported
        }
    }

    /// Tags as they are set: with commas between, which no tag has.
    private func tags(_ value: [UInt8]) throws(FileError) -> [String] {
        guard let text = String(validating: value, as: UTF8.self) else { throw .invalid }
        let tags = text.split(separator: ",").map { part in
            String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
        do throws(AlephProtocolError) {
            try MessageDraft.check(tags: tags)
        } catch {
            trouble.report("\(error)")
            throw .invalid
        }
        guard AlephEntry.hiddenTags.isDisjoint(with: tags) else {
            trouble.report("a tag is one of those that mark pieces of something larger")
            throw .invalid
        }
        return tags
    }

    private func metadata(_ value: [UInt8]?) throws(FileError) -> JSONObject {
        guard let value else { return JSONObject() }
        guard value.count <= AlephAttribute.metadataLimit else { throw .argumentTooLong }
        // Whatever is wrong with it, this is what it should be.
        guard let fields = try? JSONValue(parsing: value).object else {
            trouble.report("\(AlephAttribute.metadata) is a JSON object")
            throw .invalid
        }
        return fields
    }
}
