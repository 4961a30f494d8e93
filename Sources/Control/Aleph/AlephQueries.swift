// SPDX-License-Identifier: Apache-2.0
//
// `cairn aleph query` and `messages`: what the network is asked for, what is decided here, and how
// it is shown.

package import Aleph
package import AlephProtocol
package import JSON

/// How results are written.
package enum AlephOutput: String, Sendable, CaseIterable {
    /// Columns, for people.
    case table
    /// One JSON object a line.
    case json
    /// Paths below a mount's `aleph/`, one a line.
    case paths
}

/// A question about one aggregate.
package struct AggregateQuestion: Sendable {
    /// The owner.
    package var owner: String
    /// The aggregate's key.
    package var key: String
    /// What its values must have; see `QueryFilter`.
    package var filter: String?
    /// The order, such as `-createdAt,name`.
    package var order: String?
    /// The most results.
    package var limit: Int?

    /// The most keys that are named where the one that was asked for is not there.
    private static let shownKeys = 20

    /// A question about a whole aggregate.
    package init(owner: String, key: String) {
        self.owner = owner
        self.key = key
    }

    /// One result: a top-level key and its value.
    package struct Row: Sendable, Equatable {
        /// The key.
        package let name: String
        /// The value.
        package let value: JSONValue
    }

    /// Asks, and evaluates.
    package func rows(_ session: AlephSession) throws(CommandFailure) -> [Row] {
        // Before anything is asked for: a wrong query costs nothing.
        let query = try query()
        let value: AggregateValue
        do throws(AlephError) {
            value = try session.client.aggregate(owner: owner, key: key)
        } catch .notFound {
            throw try missing(session)
        } catch {
            throw CommandFailure(error)
        }
        let rows = value.value.fields.map { Row(name: $0.name, value: $0.value) }
        return query.run(rows) { $0.value }
    }

    /// What is said of an aggregate that is not there: which ones are.
    private func missing(_ session: AlephSession) throws(CommandFailure) -> CommandFailure {
        var keys: [String] = []
        var isCut = false
        try session.run { client throws(AlephError) in
            try AlephTree(client, own: nil).list(.part(owner, .aggregates)) { entry in
                guard case .aggregate(_, let key) = entry.path else { return true }
                isCut = keys.count == AggregateQuestion.shownKeys
                if !isCut { keys.append(TextTable.cell(key, width: 0)) }
                return !isCut
            }
        }
        let list = keys.sorted().map { "“\($0)”" }.joined(separator: ", ")
        return CommandFailure(
            .notOnNetwork,
            "the account \(owner) has no aggregate “\(TextTable.cell(key, width: 0))”",
            advice: keys.isEmpty
                ? "it has none; --owner names another account"
                : "it has \(list)\(isCut ? ", and more" : "")")
    }

    private func query() throws(CommandFailure) -> Query {
        do {
            var query = Query(limit: limit)
            if let filter { query.filter = try QueryFilter(JSONValue(parsing: filter)) }
            if let order { query.order = try QueryOrder(order) }
            return query
        } catch let error as QueryError {
            throw CommandFailure(
                .usage, "\(error)", advice: "“cairn aleph query --help” has the operators")
        } catch {
            throw CommandFailure(.usage, "--where is not JSON: \(error)")
        }
    }

    /// The rows as text.
    package func text(_ rows: [Row], _ output: AlephOutput) -> String {
        switch output {
        case .json:
            return rows.map { row in
                let line: JSONValue = ["key": .string(row.name), "value": row.value]
                return line.text() + "\n"
            }.joined()
        case .paths:
            return rows.map { _ in "accounts/\(owner)/aggregates/\(key).json\n" }.first ?? ""
        case .table:
            let cells = rows.map { [$0.name, $0.value.text()] }
            return TextTable.text(head: ["KEY", "VALUE"], cells)
        }
    }
}

/// A question about messages.
package struct MessageQuestion: Sendable {
    /// What nodes are asked for. Of several tags they ask for any; here all are needed.
    package var filter: MessageFilter
    /// Fields of a file's metadata, or of a post's content, that must have these values.
    package var metadata: [(name: String, value: String)] = []
    /// The most results.
    package var limit: Int?

    /// A question for these messages.
    package init(_ filter: MessageFilter) {
        self.filter = filter
    }

    /// Hands each result to `show`, page by page, so that long lists take no memory.
    ///
    /// - Returns: how many the nodes listed that cannot be shown.
    package func run(
        _ session: AlephSession, _ show: (VerifiedMessage) throws(CommandFailure) -> Void
    ) throws(CommandFailure) -> Int {
        var asked = filter
        // Nodes give what has any tag of several: one tag is the shorter list, and all are
        // looked at here.
        asked.tags = Array(filter.tags.prefix(1))
        var pages = MessagePages(
            session.client, asked, pageSize: min(limit ?? .max, ListPage.maximumSize))
        var left = limit ?? .max
        var passedOver = 0
        while left > 0 {
            let page: MessagePage?
            do {
                page = try pages.next()
            } catch {
                throw CommandFailure(error)
            }
            guard let page else { break }
            passedOver += page.passedOver
            for message in page.messages where fits(message) {
                guard left > 0 else { break }
                left -= 1
                try show(message)
            }
        }
        return passedOver
    }

    /// Whether a message has all that was asked for, and not just one of each.
    package func fits(_ message: VerifiedMessage) -> Bool {
        let tags = Set(AlephTree.tags(of: message))
        guard filter.tags.allSatisfy({ tags.contains($0) }) else { return false }
        let fields =
            message.type == .store ? message.content["metadata"] : message.content["content"]
        return metadata.allSatisfy { wanted in
            guard let value = fields?[wanted.name] else { return false }
            return value.string == wanted.value || value.text() == wanted.value
        }
    }

    /// A message as text.
    package static func line(_ message: VerifiedMessage, _ output: AlephOutput) -> String {
        switch output {
        case .paths: return "messages/\(message.itemHash).json\n"
        case .json:
            let line: JSONValue = [
                "item_hash": .string(message.itemHash.text), "type": .string(message.type.rawValue),
                "sender": .string(message.envelope.sender), "owner": .string(message.owner),
                "channel": message.envelope.channel.map { .string($0) } ?? .null,
                "time": .number(JSONNumber(message.time)), "content": .object(message.content),
            ]
            return line.text() + "\n"
        case .table:
            let kind =
                message.content["type"]?.string ?? message.content["key"]?.string
                ?? message.content["metadata"]?["name"]?.string ?? ""
            let time = UTCText.of(Int64(message.time))
            let name = TextTable.cell(kind, width: 24)
            let type = TextTable.cell(message.type.rawValue, width: 10)
            return "\(time)  \(type)  \(name)  \(message.itemHash)\n"
        }
    }
}

/// Columns of text.
enum TextTable {
    /// The most characters of a cell; longer ones end in an ellipsis.
    static let maximumWidth = 100

    static func text(head: [String], _ rows: [[String]]) -> String {
        guard !rows.isEmpty else { return "" }
        let all = [head] + rows
        let widths = head.indices.map { column in
            all.map { min($0[column].count, maximumWidth) }.max() ?? 0
        }
        return all.map { row in
            let cells = row.enumerated().map { column, text in
                // The last is not filled up: nobody needs blanks at the end.
                cell(text, width: column == row.count - 1 ? 0 : widths[column])
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }

    /// A text of strangers, without what would move a terminal's cursor.
    static func cell(_ text: String, width: Int) -> String {
        let scalars = text.unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control ? "\u{FFFD}" : Character(scalar)
        }
        var shown = String(scalars)
        if shown.count > maximumWidth { shown = shown.prefix(maximumWidth - 1) + "…" }
        return shown + String(repeating: " ", count: max(width - shown.count, 0))
    }
}
