// SPDX-License-Identifier: Apache-2.0
//
// Writing blocks: slots are taken under the lock, sealed and written outside it, and turned over
// to their rows under the lock again.

internal import Cryptography
internal import Synchronization
internal import Primitives

extension Arena {
    /// Seals `blocks` into free slots and writes them; neighbouring slots go out in one write.
    ///
    /// They are not durable before `sync`. Either all are written, or nothing has changed and
    /// reservations are still the caller's.
    ///
    /// - Parameter wanted: the slot where the first would best lie, and the others behind it.
    /// - Returns: a reference for each block, in their order, each naming its slot once.
    /// - Throws: `full` for blocks without a reservation, when the budget is used up, or, if all
    ///   are clean, the disk has no room beyond the margin; `diskFull`, `io`.
    package func write(
        _ blocks: [PlainBlock], at wanted: UInt32? = nil
    ) throws(ArenaError) -> [BlockReference] {
        let reserved = blocks.reduce(0) { $0 + ($1.usesReservation ? 1 : 0) }
        return try write(
            count: blocks.count, reserved: reserved, at: wanted,
            row: { (blocks[$0].owner, blocks[$0].isDirty) },
            length: { blocks[$0].bytes.count },
            seal: { cipher, index, nonce, out, tag in
                let bytes = blocks[index].bytes
                cipher.seal(bytes.span, nonce: nonce, into: &out, tag: &tag)
            })
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
            count: count, reserved: usesReservation ? count : 0, at: wanted,
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

    private func write(
        count: Int, reserved: Int, at wanted: UInt32?,
        row: (Int) -> (owner: BlockOwner, isDirty: Bool), length: (Int) -> Int, seal: Seal
    ) throws(ArenaError) -> [BlockReference] {
        guard count > 0 else { return [] }
        for index in 0..<count {
            precondition(length(index) <= Self.blockSize, "a block is longer than a slot")
            precondition(row(index).owner.block < BlockOwner.blockLimit, "a block index too large")
        }
        let isCache = reserved == 0 && (0..<count).allSatisfy { !row($0).isDirty }
        if isCache, table.withLock({ $0.wantsDiskMeasure(count) }) { try measureDisk() }
        var references: [BlockReference] = []
        references.reserveCapacity(count)
        var backedOnly = false
        while true {
            let runs = try table.withLock { table throws(ArenaError) in
                try table.allocate(
                    count, reservedCount: reserved, at: wanted, backedOnly: backedOnly,
                    isCache: isCache)
            }
            do {
                try fill(runs, length: length, seal: seal, into: &references)
                break
            } catch {
                table.withLock { $0.abandon(runs, reservedCount: reserved) }
                // Slots that were written before need nothing new from a full disk.
                guard error == .diskFull, !backedOnly else { throw error }
                references.removeAll(keepingCapacity: true)
                backedOnly = true
            }
        }
        writes.note()
        for reference in references { referenced.set(reference.slot) }
        table.withLock { table in
            for index in 0..<count {
                let (owner, isDirty) = row(index)
                table.install(references[index].slot, owner: owner, isDirty: isDirty)
            }
        }
        return references
    }

    /// Seals and writes all blocks into `runs`.
    private func fill(
        _ runs: [SlotRun], length: (Int) -> Int, seal: Seal,
        into references: inout [BlockReference]
    ) throws(ArenaError) {
        let count = runs.reduce(0) { $0 + $1.count }
        let nonces = SystemRandom.bytes(count * BlockCipher.nonceSize)
        let room = min(Self.transferSlots, runs.reduce(0) { max($0, $1.count) })
        try lanes.withLane(blocks: room) { cipher, sealed, _ throws(ArenaError) in
            for run in runs {
                var done = 0
                while done < run.count {
                    let part = SlotRun(
                        first: run.first + UInt32(done),
                        count: min(Self.transferSlots, run.count - done))
                    try transfer(
                        part, cipher, &sealed, nonces: nonces, length: length, seal: seal,
                        &references)
                    done += part.count
                }
            }
        }
    }

    /// Seals the next blocks side by side in one buffer, and writes it to `run` in one go.
    private func transfer(
        _ run: SlotRun, _ cipher: BlockCipher, _ buffer: inout [UInt8], nonces: [UInt8],
        length: (Int) -> Int, seal: Seal, _ references: inout [BlockReference]
    ) throws(ArenaError) {
        var staging = buffer.mutableSpan
        var end = 0
        for place in 0..<run.count {
            let index = references.count
            let size = length(index)
            let start = place * Self.blockSize
            end = start + size
            let at = index * BlockCipher.nonceSize
            let nonce = InlineArray<12, UInt8> { nonces[at + $0] }
            var tag = InlineArray<16, UInt8>(repeating: 0)
            var tagSpan = tag.mutableSpan
            var out = staging._mutatingExtracting(start..<end)
            seal(cipher, index, nonce.span, &out, &tagSpan)
            if place + 1 < run.count, size < Self.blockSize {
                // The run is one write, so the gap is written with it: zeros, not leftovers.
                var gap = staging._mutatingExtracting(end..<start + Self.blockSize)
                gap.update(repeating: 0)
            }
            references.append(
                BlockReference(
                    slot: run.first + UInt32(place), length: size, nonce: nonce, tag: tag))
        }
        try file.write(staging.span.extracting(0..<end), at: Self.offset(of: run.first))
    }
}
