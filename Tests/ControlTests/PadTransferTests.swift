// SPDX-License-Identifier: Apache-2.0
//
// Pads of the older Autonomi network in files and in control messages.

import Control
import Cryptography
import Primitives
import Scratchpads
import Testing

@Suite("Pads in files and messages")
struct PadTransferTests {
    private func record(_ size: Int = 10) throws -> PadRecord {
        let key = SecretBytes([UInt8](repeating: 7, count: 32))
        let pad = try #require(AutonomiPad(key: key, isEncrypted: false))
        return try pad.seal(
            [UInt8](repeating: 9, count: size).span, encoding: .max, counter: .max)
    }

    private func json(_ record: PadRecord, _ changes: [String: String] = [:]) -> [UInt8] {
        var fields = [
            "address": "\"\(record.address.hex)\"", "data_encoding": "\(record.encoding)",
            "signature": "\"\(Base64.encode(record.signature))\"",
            "content": "\"\(Base64.encode(record.ciphertext))\"", "counter": "\(record.counter)",
            "name": "null",
        ]
        for (name, value) in changes { fields[name] = value }
        let text = fields.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
        return Array("{\(text)}".utf8)
    }

    @Test("a pad is read from the network's form and from a gateway's, the largest too")
    func forms() throws {
        for size in [0, 10, AutonomiPad.maximumPayloadSize] {
            let record = try record(size)
            #expect(try PadFile.decode(AutonomiPadFile.encode(record)) == record)
            let text = json(record)
            #expect(text.count <= PadFile.maximumSize)
            #expect(try PadFile.decode(text) == record)
        }
    }

    @Test(
        "a field that is missing, or of another kind, is refused",
        arguments: [
            ("address", "null"), ("address", "\"00\""), ("address", "\"zz\""),
            ("counter", "-1"), ("counter", "1.5"), ("counter", "18446744073709551616"),
            ("data_encoding", "\"5\""), ("signature", "\"AAAA\""), ("signature", "\"?\""),
            ("content", "5"), ("content", "\"?\""),
        ])
    func badFields(field: String, value: String) throws {
        let text = json(try record(), [field: value])
        #expect(throws: CommandFailure.self) { try PadFile.decode(text) }
    }

    @Test("other bytes are refused", arguments: ["", "{", "{}", "[]", "hello", "[[[[[["])
    func otherBytes(text: String) {
        #expect(throws: CommandFailure.self) { try PadFile.decode(Array(text.utf8)) }
    }

    @Test("requests and reports come back from their bytes, and those above a limit do not")
    func messages() throws {
        let bytes = try record(AutonomiPad.maximumPayloadSize).encoded()
        let requests: [PadTransferRequest] = [
            .importing(record: bytes, key: [UInt8](repeating: 1, count: 32), path: [0x2F]),
            .importing(record: [1], key: [], path: []), .exporting(path: Array("/é".utf8)),
        ]
        for request in requests {
            let encoded = ControlRequest.padTransfer(request).encoded()
            #expect(encoded.count <= ControlLimits.requestSize)
            #expect(try ControlRequest(decoding: encoded) == .padTransfer(request))
            #expect(throws: CodingError.self) {
                try ControlRequest(decoding: Array(encoded.dropLast()))
            }
        }
        let tooMuch: [PadTransferRequest] = [
            .importing(
                record: [UInt8](repeating: 0, count: PadTransferRequest.recordSize + 1), key: [],
                path: []),
            .importing(record: [], key: [UInt8](repeating: 0, count: 33), path: []),
            .exporting(path: [UInt8](repeating: 0, count: ControlLimits.textSize + 1)),
        ]
        for request in tooMuch {
            #expect(throws: CodingError.self) {
                try ControlRequest(decoding: ControlRequest.padTransfer(request).encoded())
            }
        }
        var report = PadTransferReport()
        report.record = bytes
        report.size = 1 << 40
        let encoded = ControlReply.padTransfer(report).encoded()
        #expect(try ControlReply(decoding: encoded) == .padTransfer(report))
    }
}
