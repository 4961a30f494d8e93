// SPDX-License-Identifier: Apache-2.0
//
// From an address, or a data map that somebody handed over, to a file that can be read: of either
// generation, told apart by what the store has under it. Nothing here is trusted before its digest
// was checked, and nothing is taken that passes a named limit.

import Autonomi
import Compression
import Primitives
import SelfEncryption
import Stores

/// A file behind a data map from outside.
struct PublicFile: Sendable {
    /// The map as it was found: what describes the file to others.
    let packed: DataMap
    /// One entry for each chunk of the file.
    let map: DataMap
    /// How the file is cut.
    let layout: ChunkLayout
}

/// What lies at an address.
enum PublicThing: Sendable {
    case file(PublicFile)
    /// An archive, the file that holds it, and the generation of the addresses in it.
    case archive(ArchiveTree, PublicFile, FormatVersion)
}

/// Finds files by address and by data map.
struct PublicResolver: Sendable {
    let volume: Volume
    let fetcher: ChunkFetcher

    /// The generations in the order they are asked for: what the present network has comes first.
    private static let versions: [FormatVersion] = [.v2, .v1]

    /// What lies at an address.
    ///
    /// - Throws: `notFound` if there is no such chunk; `invalid` if the chunk is no data map;
    ///   `inputOutput`, with a line in the errors, if more of it is missing or wrong; `tooLarge`
    ///   for an archive above its limits.
    func resolve(
        _ address: PublicAddress, _ patience: Patience
    ) throws(FileError) -> PublicThing {
        let (bytes, version) = try chunk(address, patience)
        let file = try file(try decode(bytes, version, at: address), patience)
        guard let tree = try archive(file, patience) else { return .file(file) }
        return .archive(tree, file, version)
    }

    /// The file behind a map whose generation is known.
    func file(_ packed: DataMap, _ patience: Patience) throws(FileError) -> PublicFile {
        let map = try fetcher.unpackedMap(packed, patience)
        do throws(SelfEncryptionError) {
            return PublicFile(
                packed: packed, map: map, layout: try ChunkLayout(describedBy: map))
        } catch {
            throw refuse(.inputOutput, "a data map from outside contradicts itself")
        }
    }

    /// The file that an entry of an archive names.
    ///
    /// - Throws: as `resolve`; `inputOutput` if its data map speaks of another size, which whoever
    ///   looked at its status has been told already.
    func file(
        of entry: ArchiveEntry, version: FormatVersion, _ patience: Patience
    ) throws(FileError) -> PublicFile {
        let file: PublicFile
        switch entry.content {
        case .address(let address):
            let bytes = try chunk(address.digest(version.digestAlgorithm), patience)
            guard let bytes else { throw missing(address) }
            file = try self.file(try decode(bytes, version, at: address), patience)
        case .dataMap(let bytes):
            guard let map = try? DataMap(decodingMessagePack: bytes, version: version) else {
                throw refuse(.inputOutput, "an archive holds what is no data map")
            }
            file = try self.file(map, patience)
        }
        guard file.layout.fileSize == entry.size else {
            throw refuse(.inputOutput, "an archive and a data map differ in a file's size")
        }
        return file
    }

    /// The file behind a map of either generation: the one of which the store has the first chunk.
    ///
    /// - Parameter maps: the same map read as of each generation that it can be of.
    func file(_ maps: [DataMap], _ patience: Patience) throws(FileError) -> PublicFile {
        for map in maps where try chunk(map.chunks[0].address, patience) != nil {
            return try file(map, patience)
        }
        throw refuse(.notFound, "the store does not have what this data map names")
    }

    /// The tree of a file that is an archive; nil for any other file.
    ///
    /// Files above the limit of archives are not looked into: reading a byte of a large file then
    /// fetches that byte's chunk and no other.
    func archive(_ file: PublicFile, _ patience: Patience) throws(FileError) -> ArchiveTree? {
        let size = file.layout.fileSize
        let head = UInt64(Archive.openingSize)
        guard size >= head, size <= UInt64(ArchiveLimits.size),
            Archive.isMeant(by: try bytes(of: file, 0..<head, patience))
        else { return nil }
        let whole = try bytes(of: file, 0..<size, patience)
        do throws(ArchiveError) {
            return try ArchiveTree(try Archive(decoding: whole))
        } catch .tooLarge(let what, let limit) {
            throw refuse(
                .tooLarge, "an archive is refused",
                "\(ArchiveError.tooLarge(what: what, limit: limit))")
        } catch {
            throw refuse(.inputOutput, "an archive is refused", "\(error)")
        }
    }

    func bytes(
        of file: PublicFile, _ range: Range<UInt64>, _ patience: Patience
    ) throws(FileError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var out = bytes.mutableSpan
        try fetcher.read(
            file.map, file.layout, range, into: &out, patience)
        return bytes
    }

    // MARK: Chunks

    /// The chunk at an address, and the generation whose digest the address is.
    private func chunk(
        _ address: PublicAddress, _ patience: Patience
    ) throws(FileError) -> ([UInt8], FormatVersion) {
        for version in PublicResolver.versions {
            if let bytes = try chunk(address.digest(version.digestAlgorithm), patience) {
                return (bytes, version)
            }
        }
        throw missing(address)
    }

    /// The chunk that a digest names; nil if the store has none, or other bytes under this name.
    private func chunk(_ digest: Digest, _ patience: Patience) throws(FileError) -> [UInt8]? {
        switch try fetcher.stored(digest, patience) {
        case .success(let bytes): return bytes
        case .failure(.missing), .failure(.corrupt): return nil
        case .failure(let error): throw fetcher.fail(error)
        }
    }

    private func decode(
        _ bytes: [UInt8], _ version: FormatVersion, at address: PublicAddress
    ) throws(FileError) -> DataMap {
        do throws(SelfEncryptionError) {
            return try DataMap(decodingMessagePack: bytes, version: version)
        } catch {
            throw refuse(.invalid, "what lies at a public address is no data map", address.text)
        }
    }

    private func missing(_ address: PublicAddress) -> FileError {
        refuse(.notFound, "the store has nothing at a public address", address.text)
    }

    private func refuse(
        _ error: FileError, _ sentence: String, _ detail: String = ""
    ) -> FileError {
        volume.errors.add(.chunk, sentence, detail: detail)
        return error
    }
}
