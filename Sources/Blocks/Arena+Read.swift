// SPDX-License-Identifier: Apache-2.0
//
// Reading blocks: ciphertext into a pooled buffer, authenticated plaintext into the caller's
// bytes. Takes no lock but that of the lanes.

internal import Cryptography

extension Arena {
    /// Slots that `bringIn` asks the disk for at once: 256 KiB.
    private static let askedSlots: UInt32 = 16
    /// Slots of a read from which on it is a large one: 256 KiB.
    private static let streamSlots = 16

    /// Reads part of one block, patched or not; bytes past the block's length are zero.
    ///
    /// - Parameters:
    ///   - reference: the block.
    ///   - offset: where in the block to begin, at most `blockSize`.
    ///   - out: filled whole; ends within the block. Its contents are zeros after an error.
    ///   - willWait: called before the disk is waited for, and only then. With nil nobody asks
    ///     whether it has to be.
    /// - Throws: `corrupt`, `io`.
    package func read(
        _ reference: BlockReference, from offset: Int, into out: inout MutableSpan<UInt8>,
        willWait: (() -> Void)? = nil
    ) throws(ArenaError) {
        precondition(offset >= 0 && offset + out.count <= Self.blockSize, "read over a block's end")
        guard let patch = reference.patch else {
            try readSlot(reference, from: offset, into: &out, willWait)
            return
        }
        // Both go or stay together: what is read of one is use of the other.
        referenced.set(reference.slot)
        if Self.pieces(touching: offset..<offset + out.count) & ~patch.pieces != 0 {
            try readSlot(reference, from: offset, into: &out, willWait)
        }
        do throws(ArenaError) {
            try lay(patch, from: offset, over: &out, willWait)
        } catch {
            out.update(repeating: 0)
            throw error
        }
    }

    /// Reads what a block has in its patch: as many bytes as a block, zeros but for the patch's
    /// pieces.
    ///
    /// - Throws: `corrupt`, `io`.
    package func patchContent(
        of reference: BlockReference, willWait: (() -> Void)? = nil
    ) throws(ArenaError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.blockSize)
        guard let patch = reference.patch else { return bytes }
        referenced.set(reference.slot)
        var span = bytes.mutableSpan
        try lay(patch, from: 0, over: &span, willWait)
        return bytes
    }

    /// Puts the pieces of a patch over what was read of its block.
    ///
    /// - Parameter offset: where in the block `out` begins.
    /// - Throws: `corrupt`, `io`; `out` is as it was then.
    package func lay(
        _ patch: BlockPatch, from offset: Int, over out: inout MutableSpan<UInt8>,
        _ willWait: (() -> Void)? = nil
    ) throws(ArenaError) {
        referenced.set(patch.sealed.slot)
        let room = offset..<offset + out.count
        var places: [(target: Range<Int>, source: Int)] = []
        patch.forEachPiece { inBlock, inPatch in
            let part = inBlock.clamped(to: room)
            if part.isEmpty { return }
            let skipped = part.lowerBound - inBlock.lowerBound
            places.append(
                (part.lowerBound - offset..<part.upperBound - offset, inPatch.lowerBound + skipped))
        }
        if places.isEmpty { return }
        try withPatch(patch, willWait) { plain in
            for (target, source) in places {
                var part = out._mutatingExtracting(target)
                copy(plain.extracting(source..<source + target.count), into: &part)
            }
        }
    }

    /// Reads and opens a patch, and lends its bytes.
    private func withPatch(
        _ patch: BlockPatch, _ willWait: (() -> Void)?, _ body: (Span<UInt8>) -> Void
    ) throws(ArenaError) {
        let sealed = patch.sealed
        try lanes.withLane(blocks: 1) { cipher, buffer, scratch throws(ArenaError) in
            let length = Int(sealed.length)
            var span = buffer.mutableSpan
            var bytes = span._mutatingExtracting(0..<length)
            let start = Self.offset(of: sealed.slot) + UInt64(patch.place * Self.pieceSize)
            let got = try file.read(into: &bytes, at: start, willWait: willWait)
            guard got == length else { throw .corrupt(slot: sealed.slot) }
            var room = scratch.mutableSpan
            var plain = room._mutatingExtracting(0..<length)
            do throws(CryptographyError) {
                try cipher.open(
                    bytes.span, nonce: sealed.nonce.span, tag: sealed.tag.span, into: &plain)
            } catch {
                throw .corrupt(slot: sealed.slot)
            }
            body(plain.span)
        }
    }

    /// Reads part of what a block's own slot has.
    private func readSlot(
        _ reference: BlockReference, from offset: Int, into out: inout MutableSpan<UInt8>,
        _ willWait: (() -> Void)?
    ) throws(ArenaError) {
        referenced.set(reference.slot)
        let length = Int(reference.length)
        guard offset < length, out.count > 0 else {
            // Past the block's length it is the row that says zero, not the slot.
            out.update(repeating: 0)
            return
        }
        do throws(ArenaError) {
            try lanes.withLane(blocks: 1) { cipher, buffer, scratch throws(ArenaError) in
                var span = buffer.mutableSpan
                var sealed = span._mutatingExtracting(0..<length)
                let got = try file.read(
                    into: &sealed, at: Self.offset(of: reference.slot), willWait: willWait)
                guard got == length else { throw .corrupt(slot: reference.slot) }
                try open(reference, sealed.span, cipher, &scratch, from: offset, into: &out)
            }
        } catch {
            // What could not be authenticated must not be seen.
            out.update(repeating: 0)
            throw error
        }
    }

    /// Reads one block: as many bytes as it has.
    ///
    /// - Parameter willWait: as of `read`.
    /// - Throws: `corrupt`, `io`.
    package func content(
        of reference: BlockReference, willWait: (() -> Void)? = nil
    ) throws(ArenaError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(reference.length))
        var span = bytes.mutableSpan
        try read(reference, from: 0, into: &span, willWait: willWait)
        return bytes
    }

    /// Reads slots into the system's memory, of which nobody has asked for the bytes yet: in parts,
    /// because who waits for another block meanwhile waits for what the disk was asked for before,
    /// and the next part before the one before is there, because a disk is idle else between them.
    /// Returns when all are there; an error is met by who asks for the block.
    package func bringIn(_ slots: Range<UInt32>) {
        var asked = slots.lowerBound..<slots.lowerBound
        var first = slots.lowerBound
        while first < slots.upperBound {
            let next = first..<min(slots.upperBound, first + Self.askedSlots)
            file.startReading(Self.range(of: next))
            awaitReads(of: asked)
            asked = next
            first = next.upperBound
        }
        awaitReads(of: asked)
    }

    /// Waits for each slot: where the file lies in several places of the disk, the last one may
    /// come before others.
    private func awaitReads(of slots: Range<UInt32>) {
        for slot in slots { file.awaitEnd(of: Self.range(of: slot..<slot + 1)) }
    }

    /// The bytes of some slots.
    private static func range(of slots: Range<UInt32>) -> Range<UInt64> {
        offset(of: slots.lowerBound)..<offset(of: slots.upperBound)
    }

    /// Reads consecutive blocks; neighbouring slots come in one read.
    ///
    /// - Parameters:
    ///   - run: the blocks, in the order of their bytes.
    ///   - out: `blockSize` bytes for each; the last may be cut short. Bytes past a block's length
    ///     are zero. All of it is zeros after an error.
    ///   - forgets: somebody reads on from block to block, and the content is kept elsewhere: of
    ///     what lies behind a large read, the system need not keep what it has.
    ///   - willWait: as above, before each of the reads that it takes.
    /// - Throws: `corrupt`, `io`.
    package func read(
        _ run: [BlockReference], into out: inout MutableSpan<UInt8>, forgets: Bool = false,
        willWait: (() -> Void)? = nil
    ) throws(ArenaError) {
        let size = Self.blockSize
        precondition(
            out.count <= run.count * size && out.count > (run.count - 1) * size || run.isEmpty,
            "the room does not match the blocks")
        var start = 0
        while start < run.count {
            var end = start + 1
            while end < run.count, end - start < Self.transferSlots,
                UInt64(run[end].slot) == UInt64(run[end - 1].slot) + 1
            { end += 1 }
            do throws(ArenaError) {
                var part = out._mutatingExtracting(start * size..<min(end * size, out.count))
                try readNeighbours(run[start..<end], into: &part, willWait)
                for index in start..<end {
                    guard let patch = run[index].patch else { continue }
                    let from = (index - start) * size
                    var block = part._mutatingExtracting(from..<min(from + size, part.count))
                    try lay(patch, from: 0, over: &block, willWait)
                }
                if forgets, end - start >= Self.streamSlots {
                    file.forget(Self.done(behind: run[start].slot))
                }
            } catch {
                out.update(repeating: 0)
                throw error
            }
            start = end
        }
    }

    /// Reads blocks that lie in neighbouring slots with one system call.
    private func readNeighbours(
        _ run: ArraySlice<BlockReference>, into out: inout MutableSpan<UInt8>,
        _ willWait: (() -> Void)?
    ) throws(ArenaError) {
        guard let first = run.first, let last = run.last else { return }
        let size = Self.blockSize
        try lanes.withLane(blocks: run.count) { cipher, buffer, scratch throws(ArenaError) in
            var span = buffer.mutableSpan
            // The last block's rest may lie past the end of the file.
            let wanted = (run.count - 1) * size + Int(last.length)
            var sealed = span._mutatingExtracting(0..<wanted)
            let got = try file.read(
                into: &sealed, at: Self.offset(of: first.slot), willWait: willWait)
            for (place, reference) in run.enumerated() {
                referenced.set(reference.slot)
                let start = place * size
                let end = start + Int(reference.length)
                guard end <= got else { throw .corrupt(slot: reference.slot) }
                var part = out._mutatingExtracting(start..<min(start + size, out.count))
                try open(
                    reference, sealed.span.extracting(start..<end), cipher, &scratch,
                    from: 0, into: &part)
            }
        }
    }

    /// Authenticates `sealed` and puts the block's bytes from `offset` on into `out`.
    private func open(
        _ reference: BlockReference, _ sealed: Span<UInt8>, _ cipher: BlockCipher,
        _ scratch: inout [UInt8], from offset: Int, into out: inout MutableSpan<UInt8>
    ) throws(ArenaError) {
        let length = Int(reference.length)
        let available = max(0, min(length - offset, out.count))
        let nonce = reference.nonce
        let tag = reference.tag
        do throws(CryptographyError) {
            if offset == 0, available == length {
                var plain = out._mutatingExtracting(0..<length)
                try cipher.open(sealed, nonce: nonce.span, tag: tag.span, into: &plain)
            } else {
                var span = scratch.mutableSpan
                var plain = span._mutatingExtracting(0..<length)
                try cipher.open(sealed, nonce: nonce.span, tag: tag.span, into: &plain)
                copy(plain.span.extracting(offset..<offset + available), into: &out)
            }
        } catch {
            throw .corrupt(slot: reference.slot)
        }
        if available < out.count {
            var rest = out._mutatingExtracting(available..<out.count)
            rest.update(repeating: 0)
        }
    }
}

/// Copies all of `source` to the start of `out`, which is at least as long.
private func copy(_ source: Span<UInt8>, into out: inout MutableSpan<UInt8>) {
    precondition(source.count <= out.count, "no room for the copy")
    // SAFETY: both buffers are used only inside the closures, the one for `source.count` bytes,
    // the other for at least as many; a caller's `inout` overlaps nothing borrowed.
    unsafe source.withUnsafeBytes { from in
        unsafe out.withUnsafeMutableBytes { to in
            unsafe to.copyMemory(from: from)
        }
    }
}
