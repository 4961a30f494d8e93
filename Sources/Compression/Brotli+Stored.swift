// SPDX-License-Identifier: Apache-2.0
//
// Bytes that do not compress, as a stream that holds them as they are: what the compressor nearly
// always makes of them too, after it has looked at each. A sample tells them from others at a
// fraction of the time.
//
// Whatever the sample says, the stream is a valid one that gives the bytes back; a wrong guess
// costs room (stored though some of it would have compressed) or time, and nothing else.

extension Brotli {
    /// The smallest input of which a sample is taken; less is soon compressed.
    static let sampledMinimum = 64 << 10
    /// The largest input that one stored block can hold.
    ///
    /// - Source: RFC 7932 §9.2: MLEN has at most six nibbles.
    static let storedMaximum = 1 << 24

    /// Bytes of each piece of the sample.
    static let pieceSize = 4096
    /// One piece is taken from so many bytes: 3 % of the input are looked at.
    static let pieceDistance = 128 << 10

    /// How much more often than of even bytes two of a piece's bytes may be equal, as a part of the
    /// piece's size: over all pairs of bytes, even ones have n² / 256 + n of them, give or take
    /// 0.1 n. Twice n, which no even piece reaches (eleven standard deviations), is a code that
    /// saves half a percent.
    private static let pairsPerByte = 2

    /// Between the words that are remembered to find content that comes again; and as many places,
    /// one behind the other, are looked at of each `probeDistance`.
    private static let wordDistance = 256
    private static let probeDistance = 64 << 10
    /// Log2 of the places for remembered words, twice as many as a chunk of 4 MiB has words.
    private static let wordPlaces = 15

    /// Whether the compressor would find nothing in `plain`, as far as a sample tells.
    ///
    /// It is asked in three ways, of which each finds what the others miss: whether a piece of the
    /// input uses some bytes more than others; whether longer content comes again anywhere; and
    /// whether the compressor itself gains anything on the pieces.
    static func isIncompressible(_ plain: Span<UInt8>) -> Bool {
        guard plain.count >= sampledMinimum, plain.count <= storedMaximum else { return false }
        let pieces = stride(from: 0, to: plain.count - pieceSize + 1, by: pieceDistance)
        for start in pieces where !isEven(plain.extracting(start..<start + pieceSize)) {
            return false
        }
        if repeats(plain) { return false }
        var sample: [UInt8] = []
        sample.reserveCapacity((plain.count / pieceDistance + 1) * pieceSize)
        for start in pieces { append(plain.extracting(start..<start + pieceSize), to: &sample) }
        return compressAll(sample.span, quality: .fast).count >= sample.count
    }

    /// A stream of one block that holds `plain`, and of an empty last one.
    ///
    /// - Parameter plain: at least one byte, at most `storedMaximum`.
    /// - Source: RFC 7932 §9.1, §9.2.
    static func stored(_ plain: Span<UInt8>) -> [UInt8] {
        precondition(plain.count >= 1 && plain.count <= storedMaximum, "not one block")
        let nibbles = plain.count <= 1 << 16 ? 4 : plain.count <= 1 << 20 ? 5 : 6
        // From the lowest bit on: WBITS of a window of 22, ISLAST 0, MNIBBLES, MLEN − 1,
        // ISUNCOMPRESSED 1; then zeros up to a whole byte.
        var header = UInt64(0b1011)
        var bits = 5
        header |= UInt64(nibbles - 4) << UInt64(bits)
        bits += 2
        header |= UInt64(plain.count - 1) << UInt64(bits)
        bits += 4 * nibbles
        header |= 1 << UInt64(bits)
        bits += 1
        var bytes: [UInt8] = []
        // Room for what the cipher puts behind it, too.
        bytes.reserveCapacity(plain.count + streamOverhead)
        for index in 0..<(bits + 7) / 8 {
            bytes.append(UInt8(truncatingIfNeeded: header >> UInt64(8 * index)))
        }
        append(plain, to: &bytes)
        // ISLAST and ISLASTEMPTY.
        bytes.append(0b11)
        return bytes
    }

    /// Whether all values are about as frequent in `piece`.
    private static func isEven(_ piece: Span<UInt8>) -> Bool {
        var counts = [Int](repeating: 0, count: 256)
        for index in piece.indices { counts[Int(piece[index])] += 1 }
        let pairs = counts.reduce(0) { $0 + $1 * $1 }
        return pairs <= piece.count * piece.count / 256 + pairsPerByte * piece.count
    }

    /// Whether eight bytes at one of the places that are looked at are among those remembered from
    /// elsewhere. Content that comes again has a remembered word within any `wordDistance` of it:
    /// it is found wherever a row of looked-at places lies in it.
    private static func repeats(_ plain: Span<UInt8>) -> Bool {
        var places = [Int32](repeating: -1, count: 1 << wordPlaces)
        let last = plain.count - 8
        for position in stride(from: 0, through: last, by: wordDistance) {
            places[place(of: word(plain, position))] = Int32(position)
        }
        for start in stride(from: 0, through: last, by: probeDistance) {
            for position in start..<min(start + wordDistance, last + 1) {
                let word = word(plain, position)
                let found = Int(places[place(of: word)])
                if found >= 0, found != position, self.word(plain, found) == word { return true }
            }
        }
        return false
    }

    /// The upper bits of a product with an odd number, which all bits of `word` reach.
    private static func place(of word: UInt64) -> Int {
        Int(truncatingIfNeeded: (word &* 0x9E37_79B9_7F4A_7C15) >> UInt64(64 - wordPlaces))
    }

    /// The eight bytes at `position`.
    private static func word(_ plain: Span<UInt8>, _ position: Int) -> UInt64 {
        // SAFETY: not aligned; the bounds are checked.
        unsafe plain.bytes.unsafeLoadUnaligned(fromByteOffset: position, as: UInt64.self)
    }

    /// All of `source` behind what is there.
    private static func append(_ source: Span<UInt8>, to bytes: inout [UInt8]) {
        // SAFETY: the memory is lent until the closure ends; it is copied.
        unsafe source.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
    }
}
