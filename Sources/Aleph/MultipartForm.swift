// SPDX-License-Identifier: Apache-2.0
//
// Forms with a file, whose bytes are read as they are sent.

internal import Cryptography
internal import Primitives

/// A form of fields and at most one file behind them.
///
/// - Source: RFC 7578.
package struct MultipartForm: Sendable {
    /// What separates the parts: random, so that no file can hold it but by chance.
    package let boundary: String
    private let head: [UInt8]
    private let file: AlephSource
    private let tail: [UInt8]

    /// A form with the field `metadata`, if there is any, and a file in the field `file`.
    ///
    /// - Parameters:
    ///   - metadata: JSON; it comes first, because a node reads it before it takes the file.
    ///   - file: the bytes.
    package init(metadata: [UInt8]?, file: AlephSource) {
        boundary = "cairn-" + Hex.encode(SystemRandom.bytes(16))
        var head = ""
        if let metadata {
            head += "--\(boundary)\r\nContent-Disposition: form-data; name=\"metadata\"\r\n"
            head += "Content-Type: application/json\r\n\r\n"
            head += String(decoding: metadata, as: UTF8.self) + "\r\n"
        }
        head += "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; "
        // The file's own name is nobody's business but its reader's, who finds it elsewhere.
        head += "filename=\"file\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        self.head = Array(head.utf8)
        self.file = file
        tail = Array("\r\n--\(boundary)--\r\n".utf8)
    }

    /// The value of the header `Content-Type`.
    package var contentType: String { "multipart/form-data; boundary=\(boundary)" }

    /// Bytes of the whole form.
    package var size: Int { head.count + file.size + tail.count }

    /// The bytes from an offset on, at most `limit` of them; none at the end, nil if the file
    /// cannot be read.
    package func read(at offset: Int, limit: Int) -> [UInt8]? {
        if offset < head.count { return Array(head[offset..<min(offset + limit, head.count)]) }
        let inFile = offset - head.count
        if inFile < file.size { return file.read(inFile, limit) }
        let inTail = inFile - file.size
        return Array(tail[inTail..<min(inTail + limit, tail.count)])
    }
}
