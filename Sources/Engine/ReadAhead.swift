// SPDX-License-Identifier: Apache-2.0
//
// What to fetch before a reader asks for it. Pure: reads go in, ranges of the file come out.
//
// One open file has up to `streamLimit` places at which somebody reads on: programs share a handle,
// and the kernel's own read-ahead asks out of order. Each place has a window, the bytes fetched
// ahead of it. It begins small, doubles whenever half of it was read, and never passes a limit; a
// read somewhere else begins a new place, and halves the windows of the others.
//
// Invariants:
// 1. No byte is advised that lies past the end of the file, or more than `most` bytes behind the
//    read that it is advised for.
// 2. A reader that goes on from one end to the other is advised each byte at most once.
// 3. A read at a place where nobody read before is advised nothing, but at the file's start.

/// Follows the reads of one open file.
struct ReadAhead: Sendable {
    /// The widest window, in bytes: sixteen of the largest chunks, which is what a store's parallel
    /// requests can be busy with.
    static let most: UInt64 = 64 << 20
    /// The window of who begins at the start of the file: most do who read a file to its end, and
    /// as much is lost on those who look at its head only.
    static let opening: UInt64 = 1 << 20
    /// The first window of who has read on.
    static let first: UInt64 = 4 << 20
    /// Bytes read on from one place that make a reader of whom more is expected.
    static let proof: UInt64 = 128 << 10
    /// How far from the expected place a read still goes on from it: twice what the kernel reads
    /// ahead, which it asks for in no order.
    static let nearness: UInt64 = 2 << 20
    /// Advice comes in pieces of at least this many bytes, but at the end of the file.
    static let quantum: UInt64 = 1 << 20
    /// Places that are followed at once.
    static let streamLimit = 4

    /// What one read leads to.
    struct Advice: Equatable, Sendable {
        /// What to fetch now, in this order; nil for nothing.
        var range: Range<UInt64>?
        /// The reader went elsewhere: what was advised before, and not begun, is no longer wanted.
        var isSeek = false
    }

    private struct Stream: Sendable {
        /// Where the next read is expected.
        var next: UInt64
        /// Everything before it was read or advised.
        var reached: UInt64
        var window: UInt64
        /// Where the window last grew.
        var grownAt: UInt64
    }

    /// The one used last comes last.
    private var streams: [Stream] = []

    /// Notes a read.
    ///
    /// - Parameters:
    ///   - range: what is read.
    ///   - size: bytes of the file.
    ///   - most: the widest window of the moment; `ReadAhead.most` at most counts.
    mutating func note(_ range: Range<UInt64>, size: UInt64, most: UInt64) -> Advice {
        let limit = min(most, ReadAhead.most)
        guard let index = streams.lastIndex(where: { isNear(range, $0) }) else {
            return Advice(range: begin(range, size, limit), isSeek: streams.count > 1)
        }
        var stream = streams.remove(at: index)
        stream.next = max(stream.next, range.upperBound)
        let consumed = stream.next - stream.grownAt
        let isUnproven = stream.window < ReadAhead.first
        if consumed >= (isUnproven ? ReadAhead.proof : stream.window / 2) {
            stream.window = min(max(stream.window * 2, ReadAhead.first), ReadAhead.most)
            stream.grownAt = stream.next
        }
        let advised = advise(&stream, size, limit)
        streams.append(stream)
        return Advice(range: advised)
    }

    /// What was advised could not be fetched from `offset` on: it is advised again.
    mutating func retract(to offset: UInt64) {
        for index in streams.indices {
            streams[index].reached = max(
                streams[index].next, min(streams[index].reached, offset))
        }
    }

    /// A read failed: nothing is fetched ahead until reads go on again.
    mutating func fail() {
        streams.removeAll()
    }

    private func isNear(_ range: Range<UInt64>, _ stream: Stream) -> Bool {
        let low = stream.next - min(stream.next, ReadAhead.nearness)
        return range.lowerBound >= low && range.lowerBound <= stream.next + ReadAhead.nearness
    }

    private mutating func begin(
        _ range: Range<UInt64>, _ size: UInt64, _ limit: UInt64
    ) -> Range<UInt64>? {
        for index in streams.indices {
            // What of theirs had not begun is dropped; they ask again when they go on.
            streams[index].reached = streams[index].next
            streams[index].window /= 2
        }
        if streams.count == ReadAhead.streamLimit { streams.removeFirst() }
        var stream = Stream(
            next: range.upperBound, reached: range.upperBound,
            window: range.lowerBound == 0 ? ReadAhead.opening : 0, grownAt: range.upperBound)
        let advised = advise(&stream, size, limit)
        streams.append(stream)
        return advised
    }

    private func advise(
        _ stream: inout Stream, _ size: UInt64, _ limit: UInt64
    ) -> Range<UInt64>? {
        let start = max(stream.reached, stream.next)
        let end = min(stream.next + min(stream.window, limit), size)
        guard start < end, end - start >= ReadAhead.quantum || end == size else { return nil }
        stream.reached = end
        return start..<end
    }
}
