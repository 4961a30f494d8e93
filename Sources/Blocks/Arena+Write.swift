// SPDX-License-Identifier: Apache-2.0
//
// Writing blocks: slots are taken under the lock, sealed and written outside it, and turned over
// to their rows under the lock again.

internal import Cryptography
internal import Synchronization
internal import Primitives

extension Arena {
    /// Seals `blocks` into free slots and writes them; neighbouring slots go out in one write.
    /// Patches come last, several in a slot.
    ///
    /// They are not durable before `sync`. Either all are written, or nothing has changed and
    /// reservations are still the caller's. Those that patches do not need are taken back.
    ///
    /// - Parameter wanted: the slot where the first would best lie, and the others behind it.
    /// - Returns: a reference for each block, in their order. Each names a slot once more; one with
    ///   a patch names the slot of its block as often as before.
    /// - Throws: `full` for blocks without a reservation, when the budget is used up, or, if all
    ///   are clean, the disk has no room beyond the margin; `diskFull`, `io`.
    package func write(
        _ blocks: [PlainBlock], at wanted: UInt32? = nil
    ) throws(ArenaError) -> [BlockReference] {
        let reserved = blocks.reduce(0) { $0 + ($1.usesReservation ? 1 : 0) }
        let layout = SlotLayout(blocks)
        let sealed = try write(
            layout, reserved: reserved, at: wanted,
            row: { (blocks[$0].owner, blocks[$0].isDirty) },
            length: { blocks[$0].sealedCount },
            seal: { cipher, index, nonce, out, tag in
                blocks[index].withSealedBytes { plain in
                    cipher.seal(plain, nonce: nonce, into: &out, tag: &tag)
                }
            })
        if layout.isPlain { return sealed }
        let references = layout.references(sealed, of: blocks)
        for reference in references { referenced.set(reference.slot) }
        return references
    }

    /// Where a long run of blocks will begin to lie, most likely; nil if there is no telling.
    package var nextPlace: UInt32? { table.withLock { $0.nextPlace } }

    /// Seals one run of a file's blocks from contiguous bytes, without a copy of each.
    ///
    /// - Parameters:
    ///   - bytes: whole blocks; the last may be shorter.
    ///   - first: the row of the first block; the others follow it.
    ///   - isDirty: whether these bytes exist nowhere else yet.
    ///   - usesReservation: whether one reserved slot is spent on each block.
    ///   - wanted: the slot where the first would best lie.
    /// - Returns: a reference for each block, in their order.
    /// - Throws: as `write(_:)`.
    package func write(
        contiguous bytes: Span<UInt8>, first: BlockOwner, isDirty: Bool, usesReservation: Bool,
        at wanted: UInt32? = nil
    ) throws(ArenaError) -> [BlockReference] {
        let size = Self.blockSize
        let count = (bytes.count + size - 1) / size
        return try write(
            SlotLayout(count: count), reserved: usesReservation ? count : 0, at: wanted,
            row: { (BlockOwner(ino: first.ino, block: first.block + UInt64($0)), isDirty) },
            length: { min(size, bytes.count - $0 * size) },
            seal: { cipher, index, nonce, out, tag in
                let end = min(bytes.count, (index + 1) * size)
                let plain = bytes.extracting(index * size..<end)
                cipher.seal(plain, nonce: nonce, into: &out, tag: &tag)
            })
    }

    /// Seals block `index` with a nonce into as many bytes of ciphertext, and a tag.
    private typealias Seal = (
        _ cipher: BlockCipher, _ index: Int, _ nonce: Span<UInt8>, _ out: inout MutableSpan<UInt8>,
        _ tag: inout MutableSpan<UInt8>
    ) -> Void

    /// - Returns: references in the order of the layout.
    private func write(
        _ layout: SlotLayout, reserved: Int, at wanted: UInt32?,
        row: (Int) -> (owner: BlockOwner, isDirty: Bool), length: (Int) -> Int, seal: Seal
    ) throws(ArenaError) -> [BlockReference] {
        let count = layout.slotCount
        guard count > 0 else { return [] }
        for index in 0..<layout.count {
            precondition(length(index) <= Self.blockSize, "a block is longer than a slot")
            precondition(row(index).owner.block < BlockOwner.blockLimit, "a block index too large")
        }
        let isCache = reserved == 0 && (0..<layout.count).allSatisfy { !row($0).isDirty }
        if isCache, table.withLock({ $0.wantsDiskMeasure(count) }) { try measureDisk() }
        var references: [BlockReference] = []
        references.reserveCapacity(layout.count)
        let promised = min(reserved, count)
        var backedOnly = false
        while true {
            let runs = try table.withLock { table throws(ArenaError) in
                try table.allocate(
                    count, reservedCount: promised, at: wanted, backedOnly: backedOnly,
                    isCache: isCache)
            }
            var progress = WriteProgress()
            do {
                try fill(runs, layout, length: length, seal: seal, into: &references, &progress)
                break
            } catch {
                let reached = progress
                table.withLock { $0.abandon(runs, reservedCount: promised, reached) }
                // Slots that were written before need nothing new from a full disk.
                guard error == .diskFull, !backedOnly else { throw error }
                references.removeAll(keepingCapacity: true)
                backedOnly = true
            }
        }
        writes.note()
        for reference in references { referenced.set(reference.slot) }
        table.withLock { table in
            for (place, reference) in references.enumerated() {
                let (owner, isDirty) = row(layout.item(at: place))
                if place > 0, references[place - 1].slot == reference.slot {
                    table.retain(reference.slot, owner: owner, isDirty: isDirty)
                } else {
                    table.install(reference.slot, owner: owner, isDirty: isDirty)
                }
            }
            table.unreserve(reserved - promised)
        }
        return references
    }

    /// Seals and writes all items into `runs`.
    ///
    /// - Parameter progress: how far it came, also when this throws.
    private func fill(
        _ runs: [SlotRun], _ layout: SlotLayout, length: (Int) -> Int, seal: Seal,
        into references: inout [BlockReference], _ progress: inout WriteProgress
    ) throws(ArenaError) {
        let nonces = SystemRandom.bytes(layout.count * BlockCipher.nonceSize)
        let room = min(Self.transferSlots, runs.reduce(0) { max($0, $1.count) })
        try lanes.withLane(blocks: room) { cipher, sealed, _ throws(ArenaError) in
            for run in runs {
                var done = 0
                while done < run.count {
                    let part = SlotRun(
                        first: run.first + UInt32(done),
                        count: min(Self.transferSlots, run.count - done))
                    var bytes = 0
                    do throws(ArenaError) {
                        try transfer(
                            part, layout, from: progress.written, cipher, &sealed, nonces: nonces,
                            length: length, seal: seal, &references, count: &bytes)
                    } catch {
                        let whole = bytes / Self.blockSize
                        progress.written += whole
                        if error == .diskFull, bytes > whole * Self.blockSize {
                            // A part of a block's room is none to promise.
                            progress.isNextEmpty = punch(
                                SlotRun(first: part.first + UInt32(whole), count: 1))
                        }
                        throw error
                    }
                    done += part.count
                    progress.written += part.count
                }
            }
        }
    }

    /// Seals what goes into the next slots side by side in one buffer, and writes it to `run` in
    /// one go.
    ///
    /// - Parameters:
    ///   - slot: of the layout, for the first of the run.
    ///   - written: bytes that were written, also when this throws.
    private func transfer(
        _ run: SlotRun, _ layout: SlotLayout, from slot: Int, _ cipher: BlockCipher,
        _ buffer: inout [UInt8], nonces: [UInt8], length: (Int) -> Int, seal: Seal,
        _ references: inout [BlockReference], count written: inout Int
    ) throws(ArenaError) {
        var staging = buffer.mutableSpan
        var end = 0
        for place in 0..<run.count {
            for number in layout.places(in: slot + place) {
                let index = layout.item(at: number)
                let size = length(index)
                let start = place * Self.blockSize + layout.offset(at: number)
                end = start + size
                let at = number * BlockCipher.nonceSize
                let nonce = InlineArray<12, UInt8> { nonces[at + $0] }
                var tag = InlineArray<16, UInt8>(repeating: 0)
                var tagSpan = tag.mutableSpan
                var out = staging._mutatingExtracting(start..<end)
                seal(cipher, index, nonce.span, &out, &tagSpan)
                references.append(
                    BlockReference(
                        slot: run.first + UInt32(place), length: size, nonce: nonce, tag: tag))
            }
            let next = (place + 1) * Self.blockSize
            if place + 1 < run.count, end < next {
                // The run is one write, so the gap is written with it: zeros, not leftovers.
                var gap = staging._mutatingExtracting(end..<next)
                gap.update(repeating: 0)
            }
        }
        try file.write(
            staging.span.extracting(0..<end), at: Self.offset(of: run.first), count: &written)
    }
}
