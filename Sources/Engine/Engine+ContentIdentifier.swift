// SPDX-License-Identifier: Apache-2.0
//
// `user.ipfs.cid`: the name that a file's bytes would have in IPFS, made from the bytes each time
// somebody asks. Nothing is uploaded, and nothing is kept.

import AlephProtocol
import Metadata
import Namespace
import Primitives
import Threading

extension Engine {
    /// The attribute. It is not listed: who copies all attributes would have every file read.
    static let identifierAttribute = Array("user.ipfs.cid".utf8)
    /// Bytes that are read and hashed at once.
    static let identifierPiece = 1 << 20
    /// The longest that one such question is worked on, for the host gives up a request that
    /// takes longer than five minutes. At a gigabyte a second, some hundred gigabytes.
    static let identifierTime = Duration.seconds(240)

    /// The CID, in version 0, of a file of the volume.
    ///
    /// - Throws: `wouldBlock` without patience; `noAttribute` for what is no file; what reading
    ///   throws.
    func contentIdentifier(
        of ino: UInt64, _ context: RequestContext
    ) throws(FileError) -> [UInt8] {
        guard let patience = context.patience else { throw .wouldBlock }
        return try volume.with(ino) { (inode) throws(FileError) in
            guard inode.state.withLock({ $0.row.kind }) == .regular else { throw .noAttribute }
            try ensureContent(inode, patience)
            return try contentIdentifier(patience) { (offset, out, patience) throws(FileError) in
                try reader.read(inode, at: offset, into: &out, patience)
            }
        }
    }

    /// The CID of bytes that `read` gives, from an offset on, none at the end.
    func contentIdentifier(
        _ caller: Patience,
        _ read: (UInt64, inout MutableSpan<UInt8>, Patience) throws(FileError) -> Int
    ) throws(FileError) -> [UInt8] {
        let end = WaitClock.now + Engine.identifierTime
        var hasher = UnixFSHasher()
        var buffer = [UInt8](repeating: 0, count: Engine.identifierPiece)
        var offset: UInt64 = 0
        while true {
            if caller.isInterrupted { throw .interrupted }
            guard WaitClock.now < end else {
                volume.errors.add(
                    .chunk, "a CID took too long: “cairn aleph cid” has no limit of time")
                throw .inputOutput
            }
            // A large file may take longer in all than one read of it may.
            let patience = Patience(for: configuration.readDeadline, following: caller)
            var out = buffer.mutableSpan
            let count = try read(offset, &out, patience)
            if count == 0 { break }
            hasher.update(buffer.span.extracting(0..<count))
            offset += UInt64(count)
        }
        return Array(hasher.finalize().cid.version0.utf8)
    }
}
