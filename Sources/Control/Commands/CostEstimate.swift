// SPDX-License-Identifier: Apache-2.0
//
// `cairn cost`: what it would take to keep files of this machine in a volume. Everything is
// encrypted as a flush would do it, and nothing is stored; the store is asked for the prices of a
// few chunks.

import Compression
import Glibc
import Namespace
import Primitives
package import RemoteStores
import SelfEncryption
import Stores

/// What files would cost.
package struct CostReport: Equatable, Sendable {
    /// Regular files that become chunks.
    package var fileCount = 0
    /// Regular files that are small enough to live in their folder's page.
    package var inlineCount = 0
    /// Distinct chunks of the files, their maps included; pages are not counted.
    package var chunkCount = 0
    /// Bytes of these chunks as they are stored.
    package var storedBytes: UInt64 = 0
    /// Chunks whose price was asked; 0 where the store costs nothing.
    package var askedCount = 0
    /// Those of them that the network has already.
    package var standingCount = 0
    /// What all chunks would cost, if they are like those that were asked.
    package var price: TokenAmount?
    /// What keeping all chunks would cost, in words, where a store is paid for time.
    package var keeping: String?
    /// What the chain would take for one upload of a chunk, in the smallest unit of its coin;
    /// nil if the store does not say.
    package var gas: TokenAmount?

    /// Nothing yet.
    package init() {}

    /// For a person, a line each.
    package var lines: String {
        var lines = [
            "files   \(fileCount), and \(inlineCount) small ones in folders' pages",
            "chunks  \(chunkCount)", "bytes   \(storedBytes)",
        ]
        if let price {
            lines.append(
                "price   about \(price.tokens) tokens; \(standingCount) of \(askedCount) chunks"
                    + " asked are on the network already")
        } else if let keeping {
            lines.append("price   \(keeping)")
        } else {
            lines.append("price   nothing")
        }
        if let gas { lines.append("gas     about \(gas.tokens) coins an upload") }
        return lines.map { $0 + "\n" }.joined()
    }
}

/// Estimates what files would cost.
package struct CostEstimate {
    /// Chunks whose price is asked, at most: a few tens of MiB are sent to the daemon for it.
    private static let sampleLimit = 8
    /// Folders within folders.
    private static let depthLimit = 256

    private let quality: BrotliQuality
    private let inlineLimit: UInt64
    private let url: StoreURL
    private let prices: AutonomiPrices?
    private let packPrices: AlephPrices?
    private var report = CostReport()
    private var seen: Set<Digest> = []
    private var samples: [EncryptedChunk] = []

    /// - Parameter configuration: of the volume that the files would go to.
    package init(_ configuration: VolumeConfiguration) throws(CommandFailure) {
        quality = configuration.compression
        inlineLimit = configuration.inlineLimit
        url = try StoreText.parse(configuration.store)
        prices = AutonomiPrices(url)
        packPrices = AlephPrices(url)
    }

    /// Looks at a file, or at a folder with all that is in it.
    package mutating func estimate(_ path: String) throws(CommandFailure) -> CostReport {
        do throws(SystemError) {
            let facts = try FileFacts.of(path)
            guard facts.kind == .directory || facts.kind == .regular else {
                throw SystemError("open", code: EINVAL)
            }
            let file = try Descriptor.open(path, O_RDONLY)
            try add(file, facts, depth: 0)
        } catch {
            throw CommandFailure(.unusablePath, "“\(path)” cannot be read", error)
        }
        report.chunkCount = seen.count
        do {
            if let prices { try ask(prices) }
            if let packPrices {
                report.keeping = try packPrices.price(ofBytes: report.storedBytes)
            }
        } catch {
            throw StoreText.failure(error, url)
        }
        return report
    }

    private mutating func ask(_ prices: AutonomiPrices) throws(StoreError) {
        var sum = TokenAmount.zero
        for chunk in samples {
            let quote = try prices.price(of: chunk.bytes)
            report.askedCount += 1
            if quote.isStored { report.standingCount += 1 } else { sum = sum + quote.amount }
        }
        guard report.askedCount > 0 else { return }
        report.gas = try prices.gas(for: samples[0].bytes)
        report.price = TokenAmount(
            (sum * UInt64(report.chunkCount)).attos / UInt128(report.askedCount))
    }

    // MARK: Files

    private mutating func add(
        _ file: borrowing Descriptor, _ facts: FileFacts, depth: Int
    ) throws(SystemError) {
        if facts.kind == .regular {
            try add(file, size: facts.size)
            return
        }
        guard depth < Self.depthLimit else { throw SystemError("open", code: ELOOP) }
        for (name, _) in try Files.names(in: file) {
            let facts = try FileFacts.of(name, in: file)
            guard facts.kind == .directory || facts.kind == .regular else { continue }
            let inner = try file.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            try add(inner, facts, depth: depth + 1)
        }
    }

    private mutating func add(_ file: borrowing Descriptor, size: UInt64) throws(SystemError) {
        let version = FormatVersion.v2
        guard size > inlineLimit,
            let layout = ChunkLayout(
                fileSize: size, maximumChunkSize: version.maximumChunkSize)
        else {
            report.inlineCount += 1
            return
        }
        report.fileCount += 1
        let transform = ChunkTransform(version: version, quality: quality)
        var sources: [Digest] = []
        for index in 0..<layout.count {
            let plain = try read(file, layout.range(of: index))
            sources.append(transform.sourceDigest(plain.span))
        }
        var chunks: [ChunkDescriptor] = []
        for index in 0..<layout.count {
            let plain = try read(file, layout.range(of: index))
            let neighbours = layout.neighbours(of: index)
            let chunk = transform.encrypt(
                plain.span, index: index, source: sources[index],
                neighbours: (sources[neighbours.0], sources[neighbours.1]))
            count(chunk)
            chunks.append(
                ChunkDescriptor(
                    index: UInt64(index), address: chunk.address, source: sources[index],
                    size: UInt64(plain.count)))
        }
        // A map that cannot be packed is one of several of so large a file: its own chunks are
        // few beside those of the content.
        let packed = try? pack(DataMap(version: version, chunks: chunks), quality: quality)
        for chunk in packed?.chunks ?? [] { count(chunk) }
    }

    /// Takes chunks evenly from all that come: the `n`th replaces one with a chance of `limit / n`,
    /// by its own digest, so that the same files give the same samples.
    private mutating func count(_ chunk: EncryptedChunk) {
        guard seen.insert(chunk.address).inserted else { return }
        report.storedBytes += UInt64(chunk.bytes.count)
        guard prices != nil else { return }
        if samples.count < Self.sampleLimit {
            samples.append(chunk)
            return
        }
        let place = Int(chunk.address.words.0 % UInt64(seen.count))
        if place < Self.sampleLimit { samples[place] = chunk }
    }

    private func read(
        _ file: borrowing Descriptor, _ range: Range<UInt64>
    ) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: range.count)
        var span = bytes.mutableSpan
        // Cut while it was read: what is missing counts as zeros.
        _ = try file.readFully(at: range.lowerBound, into: &span)
        return bytes
    }
}
