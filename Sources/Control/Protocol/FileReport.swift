// SPDX-License-Identifier: Apache-2.0
//
// One file as `cairn info` shows it, and its bytes in a control message.

package import Engine
package import Namespace
import Primitives

/// What is known of one file: what it is, in which form it rests, and where.
package struct FileReport: Equatable, Sendable {
    /// A data map, and the part of the file it stands for.
    package struct Map: Equatable, Sendable {
        /// Where in the file it begins.
        package var offset: UInt64
        /// Bytes of the file it stands for.
        package var size: UInt64
        /// The map, as Autonomi's clients write it (MessagePack).
        package var encoded: [UInt8]

        /// - Parameters: as the properties.
        package init(offset: UInt64, size: UInt64, encoded: [UInt8]) {
            self.offset = offset
            self.size = size
            self.encoded = encoded
        }
    }

    /// Where a pad rests.
    package struct Pad: Equatable, Sendable {
        /// Its address, hex; also its owner's public key.
        package var address: String
        /// How often it was saved.
        package var counter: UInt64
        /// What its bytes are said to be.
        package var encoding: UInt64

        /// - Parameters: as the properties.
        package init(address: String, counter: UInt64, encoding: UInt64) {
            self.address = address
            self.counter = counter
            self.encoding = encoding
        }
    }

    /// Inode number.
    package var ino: UInt64
    /// Kind of file.
    package var kind: FileKind
    /// Permission bits.
    package var mode: UInt32
    /// Bytes.
    package var size: UInt64
    /// Hard links.
    package var linkCount: UInt32
    /// Bytes it takes in the local cache or the database.
    package var allocated: UInt64
    /// `inline`, `data map`, `blocks`, `pad`, `directory`, `symlink` or `special`.
    package var form: String
    /// `dirty`, `flushing`, `stored` or `published`.
    package var state: String
    /// Its data maps, at most `ControlLimits.dataMapCount`.
    package var maps: [Map] = []
    /// Addresses of its chunks, hex, at most `ControlLimits.addressCount`.
    package var chunkAddresses: [String] = []
    /// How many chunks there are, also those beyond the limit.
    package var chunkCount: UInt64 = 0
    /// Where it rests, if it is a pad.
    package var pad: Pad?

    /// A file of which only the status is known.
    package init(status: FileStatus, form: String, state: FileState) {
        ino = status.ino
        kind = status.kind
        mode = status.attributes.mode
        size = status.size
        linkCount = status.linkCount
        allocated = status.allocated
        self.form = form
        self.state = state.rawValue
    }

    /// The engine's description, within the limits of a message.
    package init(_ description: FileDescription) {
        self.init(
            status: description.status, form: description.form, state: description.state)
        maps = description.dataMaps.prefix(ControlLimits.dataMapCount)
            .filter { $0.encoded.count <= ControlLimits.dataMapSize }
            .map { Map(offset: $0.offset, size: $0.size, encoded: $0.encoded) }
        chunkAddresses = Array(description.chunkAddresses.prefix(ControlLimits.addressCount))
        chunkCount = UInt64(description.chunkAddresses.count)
        pad = description.padAddress.map {
            Pad(
                address: $0, counter: description.padCounter ?? 0,
                encoding: description.padEncoding ?? 0)
        }
    }
}

extension FileReport {
    func write(to writer: inout ByteWriter) {
        writer.varint(ino)
        writer.u8(kind.rawValue)
        writer.varint(UInt64(mode))
        writer.varint(size)
        writer.varint(UInt64(linkCount))
        writer.varint(allocated)
        writer.text(form)
        writer.text(state)
        writer.varint(UInt64(maps.count))
        for map in maps {
            writer.varint(map.offset)
            writer.varint(map.size)
            writer.lengthPrefixed(map.encoded)
        }
        writer.varint(UInt64(chunkAddresses.count))
        for address in chunkAddresses { writer.text(address) }
        writer.varint(chunkCount)
        writer.u8(pad == nil ? 0 : 1)
        if let pad {
            writer.text(pad.address)
            writer.varint(pad.counter)
            writer.varint(pad.encoding)
        }
    }

    init(from reader: inout ByteReader) throws(CodingError) {
        ino = try reader.varint()
        guard let kind = FileKind(rawValue: try reader.u8()) else { throw .malformed("a kind") }
        self.kind = kind
        mode = UInt32(try reader.count(limit: 0o7777))
        size = try reader.varint()
        linkCount = UInt32(try reader.count(limit: Int(UInt32.max)))
        allocated = try reader.varint()
        form = try reader.text()
        state = try reader.text()
        for _ in 0..<(try reader.count(limit: ControlLimits.dataMapCount)) {
            let offset = try reader.varint()
            let size = try reader.varint()
            let encoded = try reader.lengthPrefixed(limit: ControlLimits.dataMapSize)
            maps.append(Map(offset: offset, size: size, encoded: encoded))
        }
        for _ in 0..<(try reader.count(limit: ControlLimits.addressCount)) {
            chunkAddresses.append(try reader.text())
        }
        chunkCount = try reader.varint()
        if try reader.flag() {
            pad = Pad(
                address: try reader.text(), counter: try reader.varint(),
                encoding: try reader.varint())
        }
    }
}
