// SPDX-License-Identifier: Apache-2.0
//
// The pages of one walk, fetched a few at a time: one after the other, each would take a round trip
// of its own. All walks together have one window, beside the page that each of them waits for.

import Primitives

/// Chunks that one thread will ask for next. Not to be shared.
struct PagesAhead: ~Copyable {
    /// Chunks that are under way at once for one walk: half of the fewest threads there are, so
    /// that readers of files find the others. All but the one that it waits for count for all walks
    /// together.
    static let window = FetchPool.fewest / 2

    private let fetcher: ChunkFetcher
    private var underWay: [Digest: StoredFetch] = [:]

    init(_ fetcher: ChunkFetcher) {
        self.fetcher = fetcher
    }

    /// The chunk as it is on the store.
    ///
    /// - Parameter next: the chunks that will be asked for after it, as far as they are known.
    /// - Throws: as `ChunkFetcher.raw`.
    mutating func raw(
        _ digest: Digest, then next: [Digest], _ patience: Patience
    ) throws(FileError) -> [UInt8] {
        if underWay[digest] == nil { underWay[digest] = try fetcher.begin(digest) }
        for wanted in next.prefix(PagesAhead.window - 1) where underWay[wanted] == nil {
            guard let fetch = fetcher.beginAhead(wanted) else { break }
            underWay[wanted] = fetch
        }
        guard let fetch = underWay.removeValue(forKey: digest) else {
            return try fetcher.raw(digest, patience)
        }
        switch try fetcher.wait(for: fetch, patience) {
        case .success(let bytes): return bytes
        case .failure(let error): throw fetcher.fail(error)
        }
    }
}
