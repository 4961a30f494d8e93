// SPDX-License-Identifier: Apache-2.0
//
// The list of pads that a pointer leads to. Pure.
//
//   magic "cairnpad" | version u8 (1) | count varint | entry…
//   entry = kind u8 | 0: record size varint, record    1: scheme u8, address size varint, address,
//                                                          digest of the record's chunk (32)
//
// Entries ascend by address. Nothing in it is secret: records are sealed and signed by themselves.

internal import Primitives
internal import Scratchpads

/// Which record stands for each pad.
struct PadTable: Equatable {
    static let magic = Array("cairnpad".utf8)
    static let version: UInt8 = 1
    /// The most pads of one table, which must fit in a chunk.
    static let entryLimit = 50_000
    /// Records up to this many bytes stand in the table itself; a larger one is a chunk.
    static let inlineLimit = 2048
    /// The most bytes of an address, whatever its scheme.
    private static let addressLimit = 128

    /// Where a pad's record is.
    enum Place: Equatable {
        case here(PadRecord)
        case chunk(Digest)
    }

    var entries: [PadAddress: Place] = [:]

    func encoded() -> [UInt8] {
        var writer = ByteWriter()
        writer.raw(Self.magic)
        writer.u8(Self.version)
        writer.varint(UInt64(entries.count))
        for (address, place) in entries.sorted(by: { $0.key < $1.key }) {
            switch place {
            case .here(let record):
                writer.u8(0)
                writer.lengthPrefixed(record.encoded())
            case .chunk(let digest):
                writer.u8(1)
                writer.u8(address.scheme.rawValue)
                writer.lengthPrefixed(address.bytes)
                writer.digest(digest)
            }
        }
        return writer.bytes
    }

    init() {}

    /// - Throws: `malformed` for anything else, entries out of order included.
    init(decoding bytes: [UInt8]) throws(CodingError) {
        var reader = ByteReader(bytes)
        guard try reader.raw(Self.magic.count) == Self.magic, try reader.u8() == Self.version else {
            throw .malformed("not a list of pads")
        }
        let count = try reader.count(limit: Self.entryLimit)
        var last: PadAddress?
        for _ in 0..<count {
            let (address, place) = try Self.entry(&reader)
            if let last, !(last < address) { throw .malformed("pads out of order") }
            entries[address] = place
            last = address
        }
        try reader.expectEnd()
    }

    private static func entry(
        _ reader: inout ByteReader
    ) throws(CodingError) -> (PadAddress, Place) {
        switch try reader.u8() {
        case 0:
            let bytes = try reader.lengthPrefixed(limit: inlineLimit)
            guard let record = try? PadRecord(decoding: bytes) else {
                throw .malformed("a pad's record")
            }
            return (record.address, .here(record))
        case 1:
            guard let scheme = SignatureSchemeID(rawValue: try reader.u8()),
                let address = PadAddress(
                    scheme: scheme, bytes: try reader.lengthPrefixed(limit: addressLimit))
            else { throw .malformed("a pad's address") }
            return (address, .chunk(try reader.digest(algorithm: .blake3)))
        default: throw .malformed("a kind of entry")
        }
    }
}
