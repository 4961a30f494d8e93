// SPDX-License-Identifier: Apache-2.0
//
// What comes in on a connection, taken apart into requests.

import Glibc

/// The receiving half of a connection.
struct Input {
    private let connection: Int32
    private var buffer: [UInt8] = []

    init(_ connection: Int32) {
        self.connection = connection
    }

    /// The next request, whole; nil when the client leaves or sends what is none.
    mutating func request(
        _ number: Int, limit: Int, _ readsBodies: Bool
    ) -> LocalServer.Request? {
        guard let head = take(through: Array("\r\n\r\n".utf8), limit: 1 << 20) else { return nil }
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first?.split(separator: " "), first.count == 3 else { return nil }
        let headers = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            return (line[..<colon].lowercased(), String(value))
        }
        func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
        var body: [UInt8] = []
        if !readsBodies {
            body = []
        } else if header("transfer-encoding")?.lowercased() == "chunked" {
            guard let bytes = chunkedBody(limit: limit) else { return nil }
            body = bytes
        } else if let count = header("content-length").flatMap({ Int($0) }) {
            guard count <= limit, let bytes = take(count) else { return nil }
            body = bytes
        }
        return LocalServer.Request(
            method: String(first[0]), target: String(first[1]), headers: headers, body: body,
            connection: number)
    }

    /// Waits until the client leaves; what it still sends is forgotten.
    mutating func waitForEnd() {
        buffer = []
        while receive() { buffer = [] }
    }

    private mutating func chunkedBody(limit: Int) -> [UInt8]? {
        var body: [UInt8] = []
        while true {
            guard let line = take(through: Array("\r\n".utf8), limit: 64),
                let count = Int(String(decoding: line.dropLast(2), as: UTF8.self), radix: 16),
                count <= limit - body.count, let bytes = take(count + 2)
            else { return nil }
            if count == 0 { return body }
            body += bytes.dropLast(2)
        }
    }

    private mutating func take(through mark: [UInt8], limit: Int) -> [UInt8]? {
        var searched = 0
        while true {
            if let start = buffer.indices.dropFirst(searched).first(where: {
                buffer[$0...].starts(with: mark)
            }) {
                return take(start + mark.count)
            }
            searched = max(buffer.count - mark.count, 0)
            guard buffer.count < limit, receive() else { return nil }
        }
    }

    private mutating func take(_ count: Int) -> [UInt8]? {
        while buffer.count < count {
            guard receive() else { return nil }
        }
        defer { buffer.removeFirst(count) }
        return Array(buffer.prefix(count))
    }

    private mutating func receive() -> Bool {
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        // SAFETY: the array's memory is lent for the call, with its size.
        let count = unsafe piece.withUnsafeMutableBytes { memory in
            unsafe recv(connection, memory.baseAddress, memory.count, 0)
        }
        guard count > 0 else { return false }
        buffer += piece.prefix(count)
        return true
    }
}
