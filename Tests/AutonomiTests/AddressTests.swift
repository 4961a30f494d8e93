// SPDX-License-Identifier: Apache-2.0
//
// Addresses, data maps as people keep them, and the daemon's port.

import Autonomi
import Compression
import Primitives
import SelfEncryption
import Testing

@Suite("Addresses and data maps")
struct AddressTests {
    private static let text = String(repeating: "0af9", count: 16)

    @Test("an address is 64 lower-case digits, and comes back from its text")
    func address() throws {
        let address = try PublicAddress(Self.text)
        #expect(address.text == Self.text)
        #expect(address.digest(.sha3).hex == Self.text && address.digest(.sha3).algorithm == .sha3)
        #expect(PublicAddress(address.digest(.sha3)) == address)
        #expect(PublicAddress(address.bytes) == address)
        #expect(PublicAddress([UInt8](repeating: 1, count: 31)) == nil)
    }

    @Test(
        "anything else is refused for what it lacks",
        arguments: [
            ("", PublicAddressError.wrongLength(0)),
            (String(repeating: "a", count: 63), .wrongLength(63)),
            (String(repeating: "a", count: 65), .wrongLength(65)),
            ("0x" + String(repeating: "a", count: 62), .notHexadecimal),
            (String(repeating: "g", count: 64), .notHexadecimal),
            (String(repeating: "A", count: 64), .upperCase),
            (String(repeating: "é", count: 32), .notHexadecimal),
        ])
    func badAddress(text: String, error: PublicAddressError) {
        #expect(throws: error) { try PublicAddress(text) }
    }

    private static func map(_ version: FormatVersion) throws -> DataMap {
        try SelfEncryptor.encrypt(
            (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }, version: version,
            quality: .fast
        ).map
    }

    @Test(
        "a data map is read in every form people keep it in",
        arguments: FormatVersion.allCases)
    func forms(version: FormatVersion) throws {
        let map = try Self.map(version)
        let text = DataMapFile.hexadecimal(map)
        let forms: [[UInt8]] = [
            map.encodedMessagePack(), map.encodedBincode(), map.encodedJSON(),
            Array(text.utf8), Array("  \(text.uppercased())\n".utf8),
            Array("\n".utf8) + map.encodedJSON(), Array(Hex.encode(map.encodedBincode()).utf8),
        ]
        for form in forms {
            #expect(try DataMapFile.decode(form, version: version) == map)
        }
    }

    @Test("the older clients' map of a file is read, of the older generation only")
    func oldForm() throws {
        let new = try Self.map(.v1)
        // The same entries under the old name.
        let body = new.encodedMessagePack().dropFirst(2).dropLast()
        let old = [0x81, 0xA5] + Array("First".utf8) + Array(body)
        #expect(try DataMapFile.decode(old, version: .v1) == new)
        #expect(throws: DataMapFileError.self) { try DataMapFile.decode(old, version: .v2) }
    }

    @Test(
        "what is no data map is refused with a sentence",
        arguments: ["", "  \n", "hello", "{}", "[1]", "00", "0af", "93", "9301"])
    func noMap(text: String) {
        for version in FormatVersion.allCases {
            #expect(throws: DataMapFileError.self) {
                try DataMapFile.decode(Array(text.utf8), version: version)
            }
        }
    }

    @Test(
        "the daemon's port is the first line of its file",
        arguments: [
            ("8082\n50051\n", UInt16?(8082)), ("41237", 41237), (" 80 \r\n1\n", 80), ("", nil),
            ("0\n", nil), ("65536\n", nil), ("-1\n", nil), ("http\n", nil), ("\n8082\n", nil),
            (String(repeating: "1", count: 300), nil),
        ])
    func port(content: String, port: UInt16?) {
        #expect(DaemonPortFile.port(in: Array(content.utf8)) == port)
    }

    @Test("the port's file lies in the folder for a user's data")
    func portFile() {
        #expect(DaemonPortFile.path(dataHome: "/d", home: "/h") == "/d/ant/daemon.port")
        #expect(DaemonPortFile.path(dataHome: "d", home: "/h") == "/h/.local/share/ant/daemon.port")
        #expect(DaemonPortFile.path(dataHome: nil, home: "/h") == "/h/.local/share/ant/daemon.port")
        #expect(DaemonPortFile.path(dataHome: nil, home: nil) == nil)
    }
}
