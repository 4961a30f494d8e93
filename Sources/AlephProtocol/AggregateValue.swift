// SPDX-License-Identifier: Apache-2.0
//
// What a row of AGGREGATE messages makes of an aggregate. A node says the same in one answer, which
// nobody signed; here it is made from what was.

package import JSON

/// The value of an aggregate, put together from its elements.
package struct AggregateValue: Sendable {
    /// A top-level key's value, and where it comes from.
    package struct Entry: Sendable, Equatable {
        /// The value; `null` stands for a key that was taken away.
        package let value: JSONValue
        /// The content's time of the message that set it.
        package let time: Double
        /// The message that set it.
        package let source: ItemHash
    }

    /// One element, and the order in which a node processed it, where that is known.
    private struct Element {
        let message: VerifiedMessage
        let content: JSONObject
        let arrival: Int
    }

    // By bytes: Swift would take two spellings of one accent for one name.
    private var entries: [[UInt8]: Entry] = [:]
    /// The names, in the order in which they were first set.
    package private(set) var names: [String] = []
    /// The greatest content's time of all elements; nil without any.
    package private(set) var time: Double?
    /// The element with that time, of several the first that was processed; nil without any.
    package private(set) var newest: ItemHash?

    /// The value of `key`.
    ///
    /// Only top-level keys are merged: a nested object is replaced whole. Elements count in the
    /// order of their content's time; of equal ones the first that was processed stays.
    ///
    /// - Parameters:
    ///   - messages: AGGREGATE messages of one owner, as they were processed, the first first;
    ///     other messages are passed over.
    ///   - key: the aggregate.
    package init(key: String, messages: [VerifiedMessage]) {
        var elements: [Element] = []
        for (arrival, message) in messages.enumerated() where message.type == .aggregate {
            guard AggregateValue.key(of: message).map({ $0.utf8.elementsEqual(key.utf8) }) ?? false,
                let content = message.content["content"]?.object
            else { continue }
            elements.append(Element(message: message, content: content, arrival: arrival))
        }
        elements.sort { left, right in
            left.message.time != right.message.time
                ? left.message.time < right.message.time : left.arrival < right.arrival
        }
        for element in elements {
            if time.map({ $0 < element.message.time }) ?? true {
                (time, newest) = (element.message.time, element.message.itemHash)
            }
            for field in element.content.fields { set(field, by: element.message) }
        }
    }

    /// The aggregate a message belongs to; nil for other messages.
    ///
    /// - Source: a key is a text, or an object that has it as `name`.
    package static func key(of message: VerifiedMessage) -> String? {
        guard message.type == .aggregate, let key = message.content["key"] else { return nil }
        return key.string ?? key["name"]?.string
    }

    /// What stands under a top-level key; nil if it was never set.
    package subscript(name: String) -> Entry? { entries[Array(name.utf8)] }

    /// What is shown: every key that is not `null`, in order.
    package var value: JSONObject {
        JSONObject(
            names.compactMap { name in
                guard let value = self[name]?.value, !value.isNull else { return nil }
                return (name, value)
            })
    }

    /// The keys to publish so that `value` becomes `wanted`: those that changed, and a `null` for
    /// each that is gone. Empty if nothing changed.
    package static func changes(from value: JSONObject, to wanted: JSONObject) -> JSONObject {
        var changes = JSONObject()
        for field in wanted.fields where value[field.name] != field.value {
            changes[field.name] = field.value
        }
        for field in value.fields where wanted[field.name] == nil {
            changes[field.name] = .null
        }
        return changes
    }

    private mutating func set(_ field: JSONObject.Field, by message: VerifiedMessage) {
        let name = Array(field.name.utf8)
        if let standing = entries[name] {
            guard message.time > standing.time else { return }
        } else {
            names.append(field.name)
        }
        entries[name] = Entry(
            value: field.value, time: message.time, source: message.itemHash)
    }
}
