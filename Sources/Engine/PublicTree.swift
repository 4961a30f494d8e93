// SPDX-License-Identifier: Apache-2.0
//
// `public/`: what lies at an address of the chunk store, as a file, or as a directory if it is an
// archive. It lists what was opened since the mount began, and gives everything that is asked for.
//
// Invariants:
// - Node numbers are given once: a node that was dropped to make room is stale, never another's.
// - `items` ascend by `first`, and their ranges do not overlap.
// - `nodeCount` is the sum of all items' counts, and stays within its limit once an item is added.

import Autonomi
import Namespace
import Primitives
import SelfEncryption
import Synchronization

/// The tree of public addresses.
final class PublicTree: ForeignTree {
    /// The most addresses that are known at a time.
    static let addressLimit = 4096
    /// The most nodes of all archives that are known at a time; one archive always fits.
    static let nodeLimit = 2 * ArchiveLimits.nodeCount

    let name = "public"

    /// What one address is.
    private struct Item: Sendable {
        let address: PublicAddress
        /// The number of its first node.
        let first: UInt64
        let thing: PublicThing

        var count: UInt64 {
            switch thing {
            case .file: 1
            case .archive(let tree, _, _): UInt64(tree.nodes.count)
            }
        }
    }

    private struct State {
        var items: [Item] = []
        var numbers: [PublicAddress: UInt64] = [:]
        var nodeCount: UInt64 = 0
        var next: UInt64 = 1
    }

    private let state = Lock(State())
    private let resolver: PublicResolver

    init(resolver: PublicResolver) {
        self.resolver = resolver
    }

    func status(
        of node: UInt64, _ patience: Patience?
    ) throws(FileError) -> ForeignStatus {
        if node == 0 { return ForeignStatus(isDirectory: true) }
        let (item, inner) = try item(node)
        switch item.thing {
        case .file(let file):
            return ForeignStatus(isDirectory: false, size: file.layout.fileSize)
        case .archive(let tree, _, _):
            let own = tree.nodes[inner]
            let time = Timestamp(seconds: Int64(clamping: own.modified), nanoseconds: 0)
            guard let entry = own.entry else {
                return ForeignStatus(isDirectory: true, modified: time)
            }
            return ForeignStatus(
                isDirectory: false, size: tree.entries[entry].size, modified: time)
        }
    }

    func child(
        _ name: [UInt8], of node: UInt64, _ patience: Patience?
    ) throws(FileError) -> UInt64 {
        if node == 0 { return try resolve(name, patience) }
        let (item, inner) = try item(node)
        guard case .archive(let tree, _, _) = item.thing, tree.nodes[inner].entry == nil else {
            throw .notDirectory
        }
        guard let child = tree.child(name, of: inner) else { throw .notFound }
        return item.first + UInt64(child)
    }

    func children(
        of node: UInt64, from start: Int, limit: Int, _ patience: Patience?
    ) throws(FileError) -> [ForeignChild] {
        if node == 0 {
            return state.withLock { state in
                zip(start..., state.items.dropFirst(start).prefix(limit)).map { index, item in
                    var isDirectory = false
                    if case .archive = item.thing { isDirectory = true }
                    return ForeignChild(
                        name: Array(item.address.text.utf8), node: item.first,
                        isDirectory: isDirectory, next: index + 1)
                }
            }
        }
        let (item, inner) = try item(node)
        guard case .archive(let tree, _, _) = item.thing, tree.nodes[inner].entry == nil else {
            throw .notDirectory
        }
        let children = tree.nodes[inner].children.dropFirst(start).prefix(limit)
        return zip(start..., children).map { index, child in
            ForeignChild(
                name: tree.nodes[child].name, node: item.first + UInt64(child),
                isDirectory: tree.nodes[child].entry == nil, next: index + 1)
        }
    }

    func open(_ node: UInt64, _ patience: Patience?) throws(FileError) -> any ForeignContent {
        if node == 0 { throw .isDirectory }
        let (item, inner) = try item(node)
        switch item.thing {
        case .file(let file):
            return PublicContent(file: file, fetcher: resolver.fetcher)
        case .archive(let tree, _, let version):
            guard let position = tree.nodes[inner].entry else { throw .isDirectory }
            guard let patience else { throw .wouldBlock }
            let entry = tree.entries[position]
            let file = try resolver.file(of: entry, version: version, patience)
            return PublicContent(file: file, fetcher: resolver.fetcher)
        }
    }

    func attributes(of node: UInt64) throws(FileError) -> [String: String] {
        if node == 0 { return [:] }
        let (item, inner) = try item(node)
        switch item.thing {
        case .file(let file):
            return [
                Engine.ownPrefix + "address": item.address.text,
                Engine.ownPrefix + "datamap": DataMapFile.hexadecimal(file.packed),
                Engine.ownPrefix + "chunks": String(file.map.chunks.count),
            ]
        case .archive(let tree, _, _):
            if inner == 0 { return [Engine.ownPrefix + "address": item.address.text] }
            guard let entry = tree.nodes[inner].entry,
                case .address(let address) = tree.entries[entry].content
            else { return [:] }
            return [Engine.ownPrefix + "address": address.text]
        }
    }

    // MARK: Nodes

    private func resolve(_ name: [UInt8], _ patience: Patience?) throws(FileError) -> UInt64 {
        let address = try PublicTree.address(name)
        if let known = state.withLock({ $0.numbers[address] }) { return known }
        guard let patience else { throw .wouldBlock }
        let thing = try resolver.resolve(address, patience)
        return state.withLock { state in
            // Another thread may have been faster.
            if let known = state.numbers[address] { return known }
            let item = Item(address: address, first: state.next, thing: thing)
            state.next += item.count
            state.nodeCount += item.count
            state.items.append(item)
            state.numbers[address] = item.first
            while state.items.count > 1,
                state.items.count > PublicTree.addressLimit
                    || state.nodeCount > UInt64(PublicTree.nodeLimit)
            {
                let oldest = state.items.removeFirst()
                state.nodeCount -= oldest.count
                state.numbers[oldest.address] = nil
            }
            return item.first
        }
    }

    /// The address that a name is.
    ///
    /// - Throws: `invalid` for what looks like an address with a mistake in it; `notFound` for the
    ///   names that programs look for everywhere, such as `.git`.
    static func address(_ name: [UInt8]) throws(FileError) -> PublicAddress {
        do throws(PublicAddressError) {
            return try PublicAddress(String(decoding: name, as: UTF8.self))
        } catch {
            let isHexadecimal = name.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
            }
            throw isHexadecimal && name.count > PublicAddress.byteCount ? .invalid : .notFound
        }
    }

    private func item(_ node: UInt64) throws(FileError) -> (item: Item, inner: Int) {
        let found = state.withLock { state -> Item? in
            var low = 0
            var high = state.items.count
            while low < high {
                let middle = (low + high) / 2
                if state.items[middle].first <= node { low = middle + 1 } else { high = middle }
            }
            guard low > 0 else { return nil }
            let item = state.items[low - 1]
            return node - item.first < item.count ? item : nil
        }
        guard let found else { throw .stale }
        return (found, Int(node - found.first))
    }
}

/// An open public file.
final class PublicContent: ForeignContent {
    private let file: PublicFile
    private let fetcher: ChunkFetcher
    private let reads: FileReads

    init(file: PublicFile, fetcher: ChunkFetcher) {
        self.file = file
        self.fetcher = fetcher
        reads = fetcher.newReader()
    }

    func read(
        at offset: UInt64, into out: inout MutableSpan<UInt8>, _ patience: Patience?
    ) throws(FileError) -> Int {
        let size = file.layout.fileSize
        guard offset < size, out.count > 0 else { return 0 }
        guard let patience else { throw .wouldBlock }
        let range = offset..<min(offset + UInt64(out.count), size)
        fetcher.note(file.map, file.layout, reads, range)
        try fetcher.read(file.map, file.layout, range, into: &out, patience)
        return range.count
    }

    func close() { fetcher.cancel(reads) }
}
