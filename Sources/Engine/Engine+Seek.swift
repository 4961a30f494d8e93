// SPDX-License-Identifier: Apache-2.0
//
// Data and holes of a file, for programs that leave holes out of a copy.
//
// The kernel asks for them and keeps the pages that programs have written and it has not sent yet
// (Linux, fs/fuse/file.c: fuse_lseek). Such a page makes data of a hole, or of what is behind the
// end, and never a hole of data. So what is data here is data; a hole is one if it still is when
// the kernel has handed over its pages of it.

import Metadata
import Namespace
import Primitives

extension Engine {
    /// The next data or hole at or after `offset`; the end of the file counts as a hole.
    ///
    /// - Parameter handOver: has the kernel hand over what it gathered of a range of the file, and
    ///   returns when that is written here. Called with patience only, and without a lock of the
    ///   engine: the kernel makes requests for it. Nil where nobody gathers.
    /// - Throws: `noSuchExtent` at or past the end, or when no data follows; `wouldBlock` without
    ///   patience where `handOver` has to be called.
    package func seek(
        _ ino: UInt64, from offset: UInt64, findsData: Bool, _ context: RequestContext,
        handOver: ((Range<UInt64>) -> Void)? = nil
    ) throws(FileError) -> UInt64 {
        if VirtualTree.isVirtual(ino) {
            // All of it is data.
            let size = try virtualStatus(ino, context.patience).size
            guard offset < size else { throw .noSuchExtent }
            return findsData ? offset : size
        }
        guard offset < ContentWriter.maximumFileSize else { throw .noSuchExtent }
        let found: UInt64?
        if let handOver, mayBeGathered(ino) {
            found =
                findsData
                ? try gatheredData(ino, from: offset, context, handOver)
                : try gatheredHole(ino, from: offset, context, handOver)
        } else {
            found = try edge(ino, from: offset, findsData: findsData)
        }
        guard let found else { throw .noSuchExtent }
        return found
    }

    /// Whether the kernel may have pages of a file that it has not sent: somebody has it open to
    /// write, or has mapped it so, which keeps it open. A pad has no holes, and grows past the
    /// kernel's pages only.
    private func mayBeGathered(_ ino: UInt64) -> Bool {
        volume.table.peek(ino) { $0.writerCount > 0 && $0.row.form != .pad } ?? false
    }

    /// As `edge`, of a file that is being written.
    private func gatheredData(
        _ ino: UInt64, from offset: UInt64, _ context: RequestContext,
        _ handOver: (Range<UInt64>) -> Void
    ) throws(FileError) -> UInt64? {
        let known = try edge(ino, from: offset, findsData: true)
        // Where programs seek on from data to data of a large file, the kernel keeps all it has.
        if known == offset { return offset }
        guard context.patience != nil else { throw .wouldBlock }
        handOver(offset..<(known ?? ContentWriter.maximumFileSize))
        return try edge(ino, from: offset, findsData: true)
    }

    /// As `edge`, of a file that is being written.
    private func gatheredHole(
        _ ino: UInt64, from offset: UInt64, _ context: RequestContext,
        _ handOver: (Range<UInt64>) -> Void
    ) throws(FileError) -> UInt64? {
        guard let patience = context.patience else { throw .wouldBlock }
        var start = offset
        while !patience.isInterrupted {
            let hole = try edge(ino, from: start, findsData: false) ?? start
            let data = try edge(ino, from: hole, findsData: true)
            handOver(hole..<(data ?? ContentWriter.maximumFileSize))
            guard let next = try edge(ino, from: hole, findsData: false) else {
                // The end is where it was. Nothing is a hole from there on but the end itself.
                return hole == offset ? nil : hole
            }
            if next == hole { return hole }
            // It was none: what was handed over has bytes from its begin on.
            start = next
        }
        throw .interrupted
    }

    /// The next data or hole that is known here; nil at or past the end, or when no data follows.
    private func edge(
        _ ino: UInt64, from offset: UInt64, findsData: Bool
    ) throws(FileError) -> UInt64? {
        try volume.with(ino) { (inode) throws(FileError) -> UInt64? in
            try inode.state.withLock { (state) throws(FileError) -> UInt64? in
                let size = state.row.size
                guard offset < size else { return nil }
                var found: UInt64?
                var edge = offset
                try volume.forEachExtent(&state, in: offset..<size) { extent in
                    if findsData {
                        found = extent.lowerBound
                        return false
                    }
                    if extent.lowerBound > edge { return false }
                    edge = extent.upperBound
                    return true
                }
                return findsData ? found : min(edge, size)
            }
        }
    }
}
