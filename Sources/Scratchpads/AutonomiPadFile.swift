// SPDX-License-Identifier: Apache-2.0
//
// A scratchpad of the older Autonomi network as bytes: what its nodes keep, and give to whoever
// asks. Nobody vouches for such bytes; the record that comes of them is to be verified.
//
// - Source: docs/format.md §4, “Autonomi's own form”.

internal import Primitives

/// The network's own form of a scratchpad.
package enum AutonomiPadFile {
    /// The most bytes that are looked at: a payload of the largest size, and all numbers at their
    /// longest.
    package static let maximumSize = PadRecord.maximumSize + 1024

    /// What a stored scratchpad begins with: an array of one, and the kind of record.
    private static let header: [UInt8] = [0x91, 0x03]

    /// The scratchpad's MessagePack: address, encoding, payload, counter, signature.
    ///
    /// Addresses and signatures are arrays of numbers there, one for each byte.
    package static func encode(_ record: PadRecord) -> [UInt8] {
        precondition(record.address.scheme == .autonomi, "a pad of another scheme")
        var writer = MessagePack.Writer(capacity: record.ciphertext.count + 512)
        writer.array(count: 5)
        write(record.address.bytes, to: &writer)
        writer.uint(record.encoding)
        writer.binary(record.ciphertext)
        writer.uint(record.counter)
        write(record.signature, to: &writer)
        return writer.bytes
    }

    /// The record in the bytes of a scratchpad, with or without the header of stored ones.
    ///
    /// - Throws: `tooLarge`, `malformed`.
    package static func decode(_ bytes: [UInt8]) throws(ScratchpadError) -> PadRecord {
        guard bytes.count <= maximumSize else { throw .tooLarge(limit: maximumSize) }
        let body = bytes.starts(with: header) ? Array(bytes.dropFirst(header.count)) : bytes
        do {
            var reader = MessagePack.Reader(body)
            guard try reader.array(limit: 5) == 5 else { throw ScratchpadError.malformed }
            let key = try read(AutonomiScheme.addressSize, from: &reader)
            let encoding = try reader.uint()
            let payload = try reader.binary(limit: AutonomiPad.maximumPayloadSize)
            let counter = try reader.uint()
            let signature = try read(AutonomiScheme.signatureSize, from: &reader)
            try reader.expectEnd()
            guard let address = PadAddress(scheme: .autonomi, bytes: key) else {
                throw ScratchpadError.malformed
            }
            return try PadRecord(
                address: address, encoding: encoding, counter: counter, ciphertext: payload,
                signature: signature)
        } catch let error as ScratchpadError {
            throw error
        } catch CodingError.tooLarge {
            throw .tooLarge(limit: AutonomiPad.maximumPayloadSize)
        } catch {
            throw .malformed
        }
    }

    private static func write(_ bytes: [UInt8], to writer: inout MessagePack.Writer) {
        writer.array(count: bytes.count)
        for byte in bytes { writer.uint(UInt64(byte)) }
    }

    private static func read(
        _ count: Int, from reader: inout MessagePack.Reader
    ) throws -> [UInt8] {
        guard try reader.array(limit: count) == count else { throw ScratchpadError.malformed }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for _ in 0..<count {
            guard let byte = UInt8(exactly: try reader.uint()) else {
                throw ScratchpadError.malformed
            }
            bytes.append(byte)
        }
        return bytes
    }
}
