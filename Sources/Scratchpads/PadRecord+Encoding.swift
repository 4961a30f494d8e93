// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a record, version 1. docs/format.md §4 is the authority.
//
//   magic 4 ‖ version 1 ‖ scheme 1 ‖ address ‖ BE64 encoding ‖ BE64 counter ‖ BE64 ciphertext size
//   ‖ ciphertext ‖ signature
//
// There is one encoding of a record, and nothing may follow it: digests of records decide forks.

internal import Primitives

extension PadRecord {
    /// The four bytes every record begins with: "CPAD".
    static let magic: [UInt8] = Array("CPAD".utf8)
    /// The version of the format that is written, and the only one that is read.
    package static let formatVersion: UInt8 = 1

    /// Bytes of everything before the ciphertext.
    static func headSize(_ scheme: any SignatureScheme.Type) -> Int {
        magic.count + 2 + scheme.addressSize + 24
    }

    /// The most bytes of ciphertext that leave a record within `maximumSize`.
    static func maximumCiphertextSize(_ scheme: any SignatureScheme.Type) -> Int {
        maximumSize - headSize(scheme) - scheme.signatureSize
    }

    /// Bytes of the encoded record.
    package var encodedSize: Int {
        PadRecord.headSize(address.scheme.scheme) + ciphertext.count + signature.count
    }

    /// The record's bytes.
    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: encodedSize)
        writer.raw(encodedHead())
        writer.raw(ciphertext)
        writer.raw(signature)
        return writer.bytes
    }

    /// The bytes before the ciphertext.
    func encodedHead() -> [UInt8] {
        var writer = ByteWriter(capacity: PadRecord.headSize(address.scheme.scheme))
        writer.raw(PadRecord.magic)
        writer.u8(PadRecord.formatVersion)
        writer.u8(address.scheme.rawValue)
        writer.raw(address.bytes)
        writer.u64be(encoding)
        writer.u64be(counter)
        writer.u64be(UInt64(ciphertext.count))
        return writer.bytes
    }

    /// Reads a record from bytes that nobody vouches for. Its signature is not looked at.
    ///
    /// - Parameters:
    ///   - bytes: all of the record, and nothing else.
    ///   - schemes: those that are known.
    /// - Throws: `tooLarge`, `malformed`, `unsupportedVersion`, `unknownScheme`.
    package init(
        decoding bytes: [UInt8], schemes: [SignatureSchemeID] = SignatureSchemeID.registered
    ) throws(ScratchpadError) {
        guard bytes.count <= PadRecord.maximumSize else {
            throw .tooLarge(limit: PadRecord.maximumSize)
        }
        var reader = ByteReader(bytes)
        do {
            guard try reader.raw(PadRecord.magic.count) == PadRecord.magic else {
                throw ScratchpadError.malformed
            }
            let version = try reader.u8()
            guard version != 0 else { throw ScratchpadError.malformed }
            guard version <= PadRecord.formatVersion else {
                throw ScratchpadError.unsupportedVersion(version)
            }
            let tag = try reader.u8()
            guard let scheme = SignatureSchemeID(rawValue: tag, among: schemes) else {
                throw ScratchpadError.unknownScheme(tag)
            }
            let key = try reader.raw(scheme.scheme.addressSize)
            let encoding = try reader.u64be()
            let counter = try reader.u64be()
            let size = try reader.u64be()
            let signatureSize = scheme.scheme.signatureSize
            // Compared as unsigned numbers, before the size is used for anything.
            guard reader.remaining >= signatureSize,
                size == UInt64(reader.remaining - signatureSize),
                let address = PadAddress(scheme: scheme, bytes: key)
            else { throw ScratchpadError.malformed }
            let ciphertext = try reader.raw(reader.remaining - signatureSize)
            let signature = try reader.raw(signatureSize)
            try self.init(
                address: address, encoding: encoding, counter: counter, ciphertext: ciphertext,
                signature: signature)
        } catch let error as ScratchpadError {
            throw error
        } catch {
            // Every other error is the reader's: the bytes ended too early.
            throw .malformed
        }
    }
}
