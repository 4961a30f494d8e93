// SPDX-License-Identifier: Apache-2.0
//
// Which messages a node is asked for.

package import AlephProtocol
package import JSON

/// What messages must have. Within one list any of its values will do; all lists must fit.
package struct MessageFilter: Sendable, Equatable {
    /// What they do.
    package var types: [MessageType] = []
    /// Who signed them.
    package var senders: [String] = []
    /// To whom they belong.
    package var owners: [String] = []
    /// The channels they are in.
    package var channels: [String] = []
    /// Tags of which they have one.
    package var tags: [String] = []
    /// What they refer to.
    package var refs: [String] = []
    /// Their names.
    package var hashes: [ItemHash] = []
    /// The types of posts.
    package var postTypes: [String] = []
    /// The files that they keep.
    package var files: [ItemHash] = []
    /// The states they are in, by the network's names; none means all in which a message counts.
    package var states: [String] = []
    /// The earliest time, in seconds since 1970, by the envelope.
    package var since: Double?
    /// The time by which they were sent.
    package var until: Double?
    /// Whether the oldest come first.
    package var isOldestFirst = false

    /// All messages there are.
    package init() {}

    /// The filter's query.
    func target(_ target: AlephTarget) throws(AlephError) -> AlephTarget {
        try target
            .with("msgTypes", list: types.map { $0.rawValue })
            .with("addresses", list: MessageFilter.checked(senders))
            .with("owners", list: MessageFilter.checked(owners))
            .with("channels", list: MessageFilter.checked(channels))
            .with("tags", list: MessageFilter.checked(tags))
            .with("refs", list: MessageFilter.checked(refs))
            .with("hashes", list: hashes.map { $0.text })
            .with("contentTypes", list: MessageFilter.checked(postTypes))
            .with("contentHashes", list: files.map { $0.text })
            .with("msgStatuses", list: states)
            .with("startDate", since.map { JSONNumber($0).text })
            .with("endDate", until.map { JSONNumber($0).text })
            .with("sortOrder", isOldestFirst ? "1" : "-1")
    }

    /// The filter's query for posts, which have names of their own and fewer of them.
    func postTarget(_ target: AlephTarget) throws(AlephError) -> AlephTarget {
        // What posts have no filter for would silently count for nothing.
        guard senders.isEmpty, files.isEmpty, states.isEmpty else {
            throw .invalid(.malformed(field: "filter"))
        }
        return
            try target
            .with("addresses", list: MessageFilter.checked(owners))
            .with("channels", list: MessageFilter.checked(channels))
            .with("tags", list: MessageFilter.checked(tags))
            .with("refs", list: MessageFilter.checked(refs))
            .with("hashes", list: hashes.map { $0.text })
            .with("types", list: MessageFilter.checked(postTypes))
            .with("startDate", since.map { JSONNumber($0).text })
            .with("endDate", until.map { JSONNumber($0).text })
            .with("sortOrder", isOldestFirst ? "1" : "-1")
    }

    /// Nodes part lists at commas, encoded or not, so that a value with one would ask for others.
    static func checked(_ values: [String]) throws(AlephError) -> [String] {
        guard values.allSatisfy({ !$0.contains(",") && !$0.isEmpty }) else {
            throw .invalid(.malformed(field: "filter"))
        }
        return values
    }
}

/// One page of a list, as the node gave it.
package struct ListPage: Sendable {
    /// The most items of a page: nodes give no more by cursor, and a page of more is refused.
    package static let maximumSize = 200

    /// The items.
    package let items: [JSONValue]
    /// Where the next page begins; nil at the end.
    package let next: String?

    init(_ json: JSONValue, items name: String) throws(AlephError) {
        guard let items = json[name]?.array else { throw .malformedAnswer("no list") }
        guard items.count <= ListPage.maximumSize else {
            throw .malformedAnswer("more on one page than a page has")
        }
        self.items = items
        let next = json["next_cursor"]?.string ?? ""
        self.next = next.isEmpty || items.isEmpty ? nil : next
    }
}
