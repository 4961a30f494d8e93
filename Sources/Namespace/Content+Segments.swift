// SPDX-License-Identifier: Apache-2.0
//
// The segments of a file, wherever its entry keeps them.

package import Primitives

extension Content {
    /// The segments that hold the file's bytes; none for inline content.
    ///
    /// A segments page does not know its file, so what an entry guarantees is checked here: that
    /// there are as many as the entry says, and that they end within the file.
    ///
    /// - Parameters:
    ///   - fileSize: the size in the same entry, bytes.
    ///   - fetch: gives the chunk at an address. It is verified here. Only `indirect` asks.
    package func segments<Failure: Error>(
        fileSize: UInt64, _ fetch: (Digest) throws(Failure) -> [UInt8]
    ) throws(PageWalkError<Failure>) -> [Segment] {
        let reference: PageReference
        let count: Int
        switch self {
        case .inline: return []
        case .segments(let segments): return segments
        case .indirect(let page, let segmentCount): (reference, count) = (page, segmentCount)
        }
        let chunk: [UInt8]
        do {
            chunk = try fetch(reference.address)
        } catch {
            throw .fetch(error)
        }
        do throws(NamespaceError) {
            guard case .segments(let segments) = try PageCodec.open(chunk, reference: reference)
            else { throw .brokenTree("a page of another kind") }
            guard segments.count == count else { throw .brokenTree("counts do not add up") }
            if let fault = Segment.fault(of: segments, fileSize: fileSize) {
                throw .malformed(fault)
            }
            return segments
        } catch {
            throw .page(reference.address, error)
        }
    }
}
