// SPDX-License-Identifier: Apache-2.0
//
// Queries, and patterns whose cost has a bound.

import AlephProtocol
import JSON
import TestSupport
import Testing

private func fits(_ value: String, _ filter: String) throws -> Bool {
    try QueryFilter(JSONValue(parsing: filter)).matches(JSONValue(parsing: value))
}

struct QueryTests {
    @Test(
        "values that fit",
        arguments: [
            (#"{"age":30}"#, #"{"age":{"$gt":25}}"#),
            (#"{"age":30}"#, #"{"age":{"$gt":25,"$lte":30}}"#),
            (#"{"age":30}"#, #"{"age":{"$gte":30.0}}"#),
            (#"{"age":30}"#, #"{"age":3e1}"#),
            (#"{"n":9007199254740993}"#, #"{"n":{"$gt":9007199254740992}}"#),
            (#"{"a":"b"}"#, #"{"a":{"$lt":"c"}}"#),
            (#"{"a":"b"}"#, #"{"a":{"$ne":"c"}}"#),
            (#"{}"#, #"{"a":{"$ne":"c"}}"#),
            (#"{}"#, #"{"a":null}"#),
            (#"{"a":null}"#, #"{"a":{"$in":[1,null]}}"#),
            (#"{"a":2}"#, #"{"a":{"$in":[1,2]}}"#),
            (#"{"a":3}"#, #"{"a":{"$nin":[1,2]}}"#),
            (#"{}"#, #"{"a":{"$nin":[1,2]}}"#),
            (#"{"a":null}"#, #"{"a":{"$exists":true}}"#),
            (#"{"b":1}"#, #"{"a":{"$exists":false}}"#),
            (#"{"a":1,"b":2}"#, #"{"$or":[{"a":5},{"b":2}]}"#),
            (#"{"a":1,"b":2}"#, #"{"$and":[{"a":1},{"b":2}]}"#),
            (#"{"a":1}"#, #"{"$nor":[{"a":2},{"b":1}]}"#),
            (#"{"a":1}"#, #"{"a":{"$not":{"$gt":1}}}"#),
            (#"{"name":"John Doe"}"#, #"{"name":{"$regex":"^john","$options":"i"}}"#),
            (#"{"a":{"b":{"c":1}}}"#, #"{"a.b.c":1}"#),
            (#"{"a":[{"b":1},{"b":2}]}"#, #"{"a.b":2}"#),
            (#"{"a":[5,6]}"#, #"{"a.1":6}"#),
            (#"{"tags":["x","y"]}"#, #"{"tags":"y"}"#),
            (#"{"tags":["x","y"]}"#, #"{"tags":["x","y"]}"#),
            (#"{"a":{"x":1,"y":2}}"#, #"{"a":{"y":2,"x":1.0}}"#),
            (#"{"a":true}"#, #"{"a":{"$gt":false}}"#),
            (#"{"a":1}"#, #"{}"#),
        ])
    func fit(value: String, filter: String) throws {
        #expect(try fits(value, filter))
    }

    @Test(
        "values that do not fit",
        arguments: [
            (#"{"age":25}"#, #"{"age":{"$gt":25}}"#),
            (#"{"age":"30"}"#, #"{"age":{"$gt":25}}"#),
            (#"{"age":30}"#, #"{"age":{"$gt":"25"}}"#),
            (#"{}"#, #"{"age":{"$lt":25}}"#),
            (#"{"age":null}"#, #"{"age":{"$lte":25}}"#),
            (#"{"a":"c"}"#, #"{"a":{"$ne":"c"}}"#),
            (#"{"tags":["x","y"]}"#, #"{"tags":{"$ne":"y"}}"#),
            (#"{"tags":["x","y"]}"#, #"{"tags":{"$nin":["y"]}}"#),
            (#"{"a":1}"#, #"{"$or":[{"a":5},{"b":2}]}"#),
            (#"{"a":1}"#, #"{"a":1,"b":2}"#),
            (#"{"a":5}"#, #"{"a":{"$regex":"5"}}"#),
            (#"{"a":0}"#, #"{"a":null}"#),
            (#"{"a":"é"}"#, #"{"a":"e\u0301"}"#),
            (#"5"#, #"{"a":{"$exists":true}}"#),
        ])
    func noFit(value: String, filter: String) throws {
        #expect(try !fits(value, filter))
    }

    @Test(
        "a wrong query is refused with its reason",
        arguments: [
            (#"5"#, QueryError.malformed("a filter is an object")),
            (#"{"a":{"$foo":1}}"#, .unknownOperator("$foo")),
            (#"{"$foo":1}"#, .unknownOperator("$foo")),
            (#"{"$or":{}}"#, .malformed("$and, $or and $nor take an array of filters")),
            (#"{"$or":[]}"#, .malformed("$and, $or and $nor take an array of filters")),
            (#"{"a":{"$in":1}}"#, .malformed("$in and $nin take an array")),
            (#"{"a":{"$exists":1}}"#, .malformed("$exists takes true or false")),
            (#"{"a":{"$regex":5}}"#, .malformed("$regex takes a text")),
            (#"{"a":{"$options":"i"}}"#, .malformed("$options needs $regex")),
            (
                #"{"a":{"$regex":"x","$options":"q"}}"#,
                .malformed("$options takes the letters i and s")
            ),
            (#"{"a..b":1}"#, .malformed("a field's name is empty")),
            (#"{"a":{"$regex":"("}}"#, .pattern(.malformed(at: 1))),
        ])
    func refused(filter: String, error: QueryError) throws {
        let json = try JSONValue(parsing: filter)
        #expect(throws: error) { try QueryFilter(json) }
    }

    @Test("a query has a bound on its conditions and their depth")
    func bounds() throws {
        let many = "{\"$and\":[" + (0...500).map { _ in #"{"a":1}"# }.joined(separator: ",") + "]}"
        #expect(throws: QueryError.tooLarge(limit: 500)) { try fits("{}", many) }
        let deep =
            String(repeating: #"{"$and":["#, count: 40) + "{}"
            + String(repeating: "]}", count: 40)
        #expect(throws: QueryError.tooLarge(limit: 32)) { try fits("{}", deep) }
    }

    @Test("results are sorted by several fields, equals keep their order, and the limit cuts")
    func order() throws {
        let items = try [
            #"{"n":2,"s":"b"}"#, #"{"n":1,"s":"z"}"#, #"{"n":2,"s":"a"}"#, #"{"s":"none"}"#,
            #"{"n":1,"s":"z","second":true}"#,
        ].map { try JSONValue(parsing: $0) }
        func run(_ order: String?, limit: Int? = nil) throws -> [Int] {
            let query = Query(order: try order.map { try QueryOrder($0) }, limit: limit)
            return query.run(Array(items.indices)) { items[$0] }
        }
        #expect(try run(nil) == [0, 1, 2, 3, 4])
        #expect(try run("n") == [3, 1, 4, 0, 2])
        #expect(try run("-n") == [0, 2, 1, 4, 3])
        #expect(try run("-n,s") == [2, 0, 1, 4, 3])
        #expect(try run("-n,s", limit: 2) == [2, 0])
        #expect(try run("n", limit: 0).isEmpty)
        #expect(throws: QueryError.self) { try QueryOrder("a,,b") }
    }
}

struct BoundedPatternTests {
    @Test(
        "patterns that are found",
        arguments: [
            ("abc", "xabcx"), ("^abc$", "abc"), ("a.c", "a\u{1F30D}c"), ("a*b", "b"),
            ("a+b", "aaab"), ("colou?r", "color"), ("x{2,3}y", "xxxy"), ("x{2}", "xx"),
            ("x{2,}$", "xxxxx"), ("[a-c]+d", "abcd"), ("[^a-c]", "d"), ("[]a]", "]"),
            ("[a-]", "-"), (#"\d{4}-\d\d"#, "on 2026-11"), (#"\bcat\b"#, "a cat!"),
            (#"\Bcat"#, "tomcat"), ("cat|dog", "hotdog"), ("(ab|cd)+$", "xabcdab"),
            ("(?:a|b)c", "bc"), ("(?i)HÉLLO", "say héllo"), ("(?s)a.b", "a\nb"), ("", ""),
            ("^$", ""), (#"a\.b"#, "a.b"), ("a{,2}", "a{,2}"), (#"[\w.]+@\w+"#, "me.x@y"),
            ("a+?b", "aab"), ("(a|b|c|d)e", "de"), (#"\S+\s\S+"#, "a b"), ("(|a)b", "b"),
        ])
    func found(pattern: String, text: String) throws {
        #expect(try BoundedPattern(pattern).isFound(in: text))
    }

    @Test(
        "patterns that are not found",
        arguments: [
            ("abc", "ab"), ("^bc", "abc"), ("ab$", "abc"), ("a.b", "a\nb"), ("x{2,3}y$", "xy"),
            ("[^a-c]", "abc"), (#"\d"#, "x"), (#"\bat"#, "cat"), ("^(cat|dog)$", "catdog"),
            ("HELLO", "hello"), ("^x{2}$", "xxx"), ("a", ""), (#"\."#, "a"), ("^[]]$", "["),
        ])
    func missing(pattern: String, text: String) throws {
        #expect(try !BoundedPattern(pattern).isFound(in: text))
    }

    @Test(
        "a wrong pattern is refused at its place",
        arguments: [
            ("(", PatternError.malformed(at: 1)), (")", .malformed(at: 0)),
            ("a)", .malformed(at: 1)),
            ("*a", .malformed(at: 0)), ("a**", .malformed(at: 2)), ("[a", .malformed(at: 2)),
            ("[z-a]", .malformed(at: 4)), ("x{3,2}", .malformed(at: 1)),
            (#"a\"#, .malformed(at: 2)),
            ("(?=a)", .unsupported(at: 1)), ("(?<n>a)", .unsupported(at: 1)),
            (#"(a)\1"#, .unsupported(at: 4)), ("a++", .unsupported(at: 2)),
            (#"\p{L}"#, .unsupported(at: 1)), ("x{1001}", .tooLarge(limit: 1000)),
            ("(((x{100}){100}){100})", .tooLarge(limit: 5000)),
            (String(repeating: "x", count: 1001), .tooLarge(limit: 1000)),
            (String(repeating: "(", count: 60), .tooLarge(limit: 50)),
        ])
    func refused(pattern: String, error: PatternError) {
        #expect(throws: error) { try BoundedPattern(pattern) }
    }

    @Test(
        "patterns that keep other matchers busy for years are done at once",
        arguments: [
            "(a+)+$", "(a|aa)+$", "(a*)*b", "(.*a){20}$", "(x+x+)+y", "^(([a-z])+.)+[A-Z]$",
        ])
    func catastrophic(pattern: String) throws {
        let text = String(repeating: "a", count: 2000) + "!" + String(repeating: "x", count: 2000)
        let compiled = try BoundedPattern(pattern)
        let clock = ContinuousClock()
        let taken = clock.measure { #expect(!compiled.isFound(in: text + "!")) }
        // Without a bound this would outlast the machine; the margin is for a slow one.
        #expect(taken < .seconds(20))
    }
}

struct AggregateValueTests {
    private let owner = TestAccount.solana

    private func element(
        _ key: String, _ content: String, time: Double
    ) throws -> VerifiedMessage {
        let object = try #require(try JSONValue(parsing: content).object)
        let signed = try owner.sign(.aggregate(key: key, content: object), time: time, channel: nil)
        return try VerifiedMessage(signed.envelope)
    }

    @Test("elements merge as a node merges them: by content's time, top level only")
    func merging() throws {
        let value = AggregateValue(
            key: "users",
            messages: [
                try element("users", #"{"john":{"name":"J","n":{"a":1}},"x":1}"#, time: 10),
                try element("users", #"{"john":{"age":30},"y":2}"#, time: 11),
                try element("other", #"{"x":5}"#, time: 12),
                try element("users", #"{"x":999,"z":5}"#, time: 5),
            ])
        let expected = try JSONValue(parsing: #"{"x":1,"z":5,"john":{"age":30},"y":2}"#)
        #expect(.object(value.value) == expected)
        #expect(value.time == 11)
    }

    @Test("of equal times the first counts, and null hides a key without forgetting its time")
    func ties() throws {
        let value = AggregateValue(
            key: "k",
            messages: [
                try element("k", #"{"v":1,"gone":1}"#, time: 10),
                try element("k", #"{"v":2}"#, time: 10),
                try element("k", #"{"gone":null}"#, time: 11),
            ])
        #expect(value.value.names == ["v"])
        #expect(value["v"]?.value == 1)
        #expect(value["gone"] != nil)
        #expect(AggregateValue(key: "none", messages: []).time == nil)
    }

    @Test("the order of arrival does not matter where times differ", arguments: 1...30)
    func anyOrder(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let messages = try (0..<12).map { index in
            try element(
                "k", #"{"\#("abcd".randomElement(using: &random) ?? "a")":\#(index)}"#,
                time: Double(index) + 0.25)
        }
        let expected = AggregateValue(key: "k", messages: messages).value
        let shuffled = AggregateValue(key: "k", messages: messages.shuffled(using: &random)).value
        #expect(expected == shuffled, "seed \(seed)")
    }

    @Test("a save publishes the keys that changed, and null for those that are gone")
    func changes() throws {
        func object(_ text: String) throws -> JSONObject {
            try #require(try JSONValue(parsing: text).object)
        }
        let changes = AggregateValue.changes(
            from: try object(#"{"a":1,"b":{"x":1},"c":3}"#),
            to: try object(#"{"a":1,"b":{"x":2},"d":4}"#))
        #expect(try changes == object(#"{"b":{"x":2},"d":4,"c":null}"#))
        let same = try object(#"{"a":1,"b":2}"#)
        #expect(AggregateValue.changes(from: same, to: try object(#"{"b":2,"a":1}"#)).isEmpty)
    }
}
