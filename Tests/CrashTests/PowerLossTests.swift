// SPDX-License-Identifier: Apache-2.0
//
// Power losses at any moment, by the thousand: what was promised is there, and what was not is
// lost from the end.

import Engine
import Foundation
import Primitives
import TestSupport
import Testing

@Suite("power loss", .serialized, .mounting)
struct PowerLossTests {
    /// What one session of work, before it is cut at many places, consists of.
    static let steps = 150
    static let cutsOfASession = 80
    /// How long new cuts are made when nobody named their number.
    static let time = Duration.seconds(50)
    static let judges = 4

    // SEMANTICS: After a crash of the process or the machine, everything that was synced is there.
    // SEMANTICS: What was not synced is lost from the end: if a change survived, so did every
    // change accepted before it.
    @Test("what fsync or a sync with the store promised survives the power's loss, in order")
    func cuts() throws {
        print("power loss: CRASH_SEED=\(Effort.seed)")
        var dice = SeededGenerator(seed: Effort.seed)
        let end = ContinuousClock.now + Self.time
        var tally = Tally()
        while Effort.powerCuts.map({ tally.cuts < $0 }) ?? (ContinuousClock.now < end) {
            let root = try temporaryFolder("power")
            defer { try? FileManager.default.removeItem(atPath: root) }
            let volume = try PowerLossVolume(root: root, dice: &dice, steps: Self.steps)
            #expect(volume.failures.isEmpty, "\(volume.failures)")
            let log = try PowerLossLog(path: volume.logPath)
            let limit = Effort.powerCuts == nil ? end : nil
            let broken = try cut(volume, log, root, &dice, &tally, until: limit)
            guard broken.isEmpty else {
                for line in broken.prefix(20) { Issue.record("\(line)") }
                return
            }
        }
        #expect(tally.cuts > 0)
        print("power loss: \(tally.cuts) cuts, \(tally.promises) promises checked, 0 broken")
    }

    /// Cuts one session at many places; what was found broken.
    private func cut(
        _ volume: PowerLossVolume, _ log: PowerLossLog, _ root: String,
        _ dice: inout SeededGenerator, _ tally: inout Tally, until end: ContinuousClock.Instant?
    ) throws -> [String] {
        let positions = positions(volume, log, &dice)
        let disk = PowerLossDisk(log)
        let found = Lock<[Int: [String]]>([:])
        for start in stride(from: 0, to: positions.count, by: Self.judges) {
            let batch = positions[start..<min(start + Self.judges, positions.count)].map {
                PowerLossCut(position: $0, seed: UInt64.random(in: 0...(.max), using: &dice))
            }
            var judges: [PowerLossJudge] = []
            for cut in batch {
                let folder = "\(root)/cut-\(judges.count)"
                if FileManager.default.fileExists(atPath: folder) {
                    try FileManager.default.removeItem(atPath: folder)
                }
                let policy = try cut.write(disk, to: folder)
                judges.append(
                    PowerLossJudge(
                        volume: volume, folder: folder, position: cut.position,
                        policy: policy, continues: judges.count % 2 == 0))
            }
            let all = judges
            DispatchQueue.concurrentPerform(iterations: all.count) { index in
                let broken = all[index].broken()
                if !broken.isEmpty { found.withLock { $0[index] = broken } }
            }
            tally.cuts += all.count
            tally.promises += all.reduce(0) { $0 + $1.promiseCount }
            let broken = found.withLock { $0 }
            if !broken.isEmpty { return try explain(broken, batch, all) }
            if let end, ContinuousClock.now > end { return [] }
        }
        return []
    }

    /// What was found, with what each broken cut does when it is judged alone; the cuts are kept.
    private func explain(
        _ broken: [Int: [String]], _ cuts: [PowerLossCut], _ judges: [PowerLossJudge]
    ) throws -> [String] {
        var lines: [String] = []
        let evidence = try PowerLossEvidence(judges[0].volume)
        for (index, found) in broken.sorted(by: { $0.key < $1.key }) {
            lines += found
            guard index < PowerLossEvidence.limit else { continue }
            lines.append(try evidence.keep(cuts[index], judges[index], number: index))
        }
        return lines
    }

    /// What was tried so far.
    private struct Tally {
        var cuts = 0
        var promises = 0
    }

    @Test("a volume that `cairn init` has made is whole when the power fails right afterwards")
    func made() throws {
        let root = try temporaryFolder("power")
        defer { try? FileManager.default.removeItem(atPath: root) }
        let layer = try PowerLossLayer(root: root)
        let environment = ["CAIRN_STATE": layer.path + "/state", "HOME": root]
        let place = "file://\(layer.path)/store"
        let made = try run(
            CrashVolume.binary, ["init", "test", "--store", place], environment: environment)
        #expect(made.status == 0, "\(made.errors)")
        layer.stop()
        let disk = PowerLossDisk(try PowerLossLog(path: layer.log))
        try disk.advance(to: .max)
        // Only what was synced is left, where it was.
        let none = PowerLossPolicy(survival: 0, grain: 512, names: 0, ordersNames: false)
        var dice = SeededGenerator(seed: Effort.seed)
        try disk.write(to: root + "/left", none, using: &dice)
        try shell(
            """
            mkdir "$ROOT/mnt"; mount --bind "$ROOT/left" "$DISK"
            trap 'umount -l "$ROOT/mnt" 2> /dev/null || true; umount -l "$DISK"' EXIT
            "$CAIRN" mount test "$ROOT/mnt"; echo here > "$ROOT/mnt/files/f"
            "$CAIRN" unmount "$ROOT/mnt"
            """,
            environment.merging(
                ["ROOT": root, "DISK": layer.path, "CAIRN": CrashVolume.binary]) { $1 })
    }

    /// Half of the cuts come right after something was promised, where nothing later can help.
    private func positions(
        _ volume: PowerLossVolume, _ log: PowerLossLog, _ dice: inout SeededGenerator
    ) -> [Int] {
        let start = volume.promises.first?.position ?? 0
        let ends = log.records.map { $0.end }.filter { $0 >= start }
        var positions: [Int] = []
        for number in 0..<Self.cutsOfASession {
            let choice =
                number % 2 == 0
                ? volume.promises.randomElement(using: &dice)?.position
                : ends.randomElement(using: &dice)
            positions.append(choice ?? start)
        }
        return positions.sorted()
    }
}
