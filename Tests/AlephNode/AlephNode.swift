// SPDX-License-Identifier: Apache-2.0
//
// The double of a node as a program: for trying `cairn aleph` by hand without money, and for
// measuring. It prints its address, and takes commands on standard input until that ends.

import AlephNodeDouble
import Foundation
import JSON

/// A node that forgets everything when it ends.
@main
enum AlephNode {
    private static let help = """
        credits COUNT   gives each account so many that was given none by name
        fail STATUS     answers each request with this HTTP status
        busy SECONDS    answers each request with 429 and this Retry-After
        heal            answers again
        stats           prints what went over the wire, in JSON
        """

    static func main() throws {
        let node = try NodeDouble.funded()
        defer { node.stop() }
        say(node.url)
        while let line = readLine() {
            let words = line.split(separator: " ")
            let number = words.count == 2 ? Int(words[1]) : nil
            switch (words.first, number) {
            case ("credits", let count?): node.give(everybody: Double(count))
            case ("fail", let status?): answer(node, .text(status, "told to"))
            case ("busy", let seconds?):
                answer(node, .init(status: 429, headers: [("Retry-After", "\(seconds)")]))
            case ("heal", nil): answer(node, nil)
            case ("stats", nil): say(statistics(node))
            default: say(help)
            }
        }
    }

    /// A line that is there at once, for programs that wait for it.
    private static func say(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    private static func answer(_ node: NodeDouble, _ reply: NodeDouble.Reply?) {
        node.change { settings in
            if let reply {
                settings.intercept = { _, _ in reply }
            } else {
                settings.intercept = nil
            }
        }
    }

    private static func statistics(_ node: NodeDouble) -> String {
        func object(_ counts: [String: Int]) -> JSONValue {
            .object(
                JSONObject(
                    counts.sorted { $0.key < $1.key }.map {
                        ($0.key, .number(JSONNumber($0.value)))
                    }
                ))
        }
        let traffic = node.traffic
        let json: JSONValue = [
            "requests": object(traffic.requests), "messages": object(node.messageCounts),
            "bytes_in": .number(JSONNumber(traffic.bytesIn)),
            "bytes_out": .number(JSONNumber(traffic.bytesOut)),
        ]
        return json.text()
    }
}
