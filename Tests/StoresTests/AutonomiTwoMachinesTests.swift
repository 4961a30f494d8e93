// SPDX-License-Identifier: Apache-2.0
//
// Two machines whose daemons hold the same key change one pointer at once. The daemon compares
// nothing: what is lost in between is found, and brought back.

import AntdDouble
import Cryptography
import Foundation
import Primitives
import RemoteStores
import Scratchpads
import Stores
import Synchronization
import Testing

/// What a machine waited, and the pointer that it is not shown yet.
private final class SharedWaits: Sendable {
    let all = Mutex<[Duration]>([])
    let hidden = Mutex<AntdDouble.Pointer?>(nil)
}

/// Two machines on one network.
private final class TwoMachines {
    static let pointer = String(repeating: "5c", count: 32)

    let daemon: AntdDouble
    let here: AutonomiPads
    let there: AutonomiPads
    /// One more, that waits so.
    let machine: (@escaping @Sendable (Duration) -> Void) -> AutonomiPads

    init() throws {
        daemon = try AntdDouble { $0.keys = [TwoMachines.pointer] }
        guard case .autonomi(let address) = try StoreURL("autonomi://127.0.0.1:\(daemon.port)")
        else { throw CocoaError(.featureUnsupported) }
        let pointer = try #require(PublicAddressText(Self.pointer))
        func machine(_ sleep: @escaping @Sendable (Duration) -> Void = { _ in }) -> AutonomiPads {
            AutonomiPads(
                AutonomiStore(address, budget: nil, portFile: nil), pointer: pointer, sleep: sleep)
        }
        here = machine()
        there = machine()
        self.machine = machine
    }

    var standing: AntdDouble.Pointer? { daemon.change { $0.pointers[Self.pointer] } }

    /// What the pointer is when `body` of the other machine has been done, which then is as if it
    /// had not been yet.
    func later(_ body: () throws -> Void) throws -> AntdDouble.Pointer {
        let before = standing
        try body()
        let after = try #require(standing)
        daemon.change { $0.pointers[Self.pointer] = before }
        return after
    }

    /// The same when the other machine has saved a pad.
    func later(_ record: PadRecord) throws -> AntdDouble.Pointer {
        try later {
            let outcome = try there.put(record)
            #expect(outcome == .accepted)
        }
    }

    /// Lets the other machine's change come in between.
    func interpose(
        _ pointer: AntdDouble.Pointer,
        _ when: (String, @escaping @Sendable (inout AntdDouble.State) -> Void)
            -> AntdDouble.Intervention,
        _ target: String
    ) {
        daemon.change { state in
            state.interventions = [
                when(target) { $0.pointers[TwoMachines.pointer] = pointer }
            ]
        }
    }

    /// What a machine that begins now sees.
    func seen(_ pad: WriteCapability) throws -> UInt64? {
        guard case .autonomi(let address) = try StoreURL("autonomi://127.0.0.1:\(daemon.port)"),
            let pointer = PublicAddressText(Self.pointer)
        else { return nil }
        let fresh = AutonomiPads(
            AutonomiStore(address, budget: nil, portFile: nil), pointer: pointer)
        return try fresh.get(pad.address)?.counter
    }
}

@Suite("Two machines on one pointer")
struct AutonomiTwoMachinesTests {
    private let ours = WriteCapability(testSeed: 51)
    private let theirs = WriteCapability(testSeed: 52)
    private let third = WriteCapability(testSeed: 53)

    @Test("a change that came after our look is found before ours goes over it")
    func beforeTheChange() throws {
        let machines = try TwoMachines()
        defer { machines.daemon.stop() }
        #expect(try machines.here.put(try ours.seal("one", counter: 1)) == .accepted)
        let other = try machines.later(try theirs.seal("two", counter: 1))
        // Between the look at the pointer and the new table.
        machines.interpose(other, AntdDouble.Intervention.before, "/v1/chunks")
        let record = try ours.seal("three", counter: 2)
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try machines.here.put(record) }
        #expect(machines.standing?.target == other.target)
        #expect(try machines.here.put(record) == .accepted)
        #expect(try machines.seen(ours) == 2)
        #expect(try machines.seen(theirs) == 1)
    }

    @Test("a change right over ours is found, and ours is made again on top of it")
    func afterTheChange() throws {
        let machines = try TwoMachines()
        defer { machines.daemon.stop() }
        #expect(try machines.here.put(try ours.seal("one", counter: 1)) == .accepted)
        let other = try machines.later(try theirs.seal("two", counter: 1))
        machines.interpose(other, AntdDouble.Intervention.after, "/v1/pointers/update")
        let record = try ours.seal("three", counter: 2)
        #expect(throws: StoreError.unreachable(retryAfter: nil)) { try machines.here.put(record) }
        #expect(try machines.here.put(record) == .accepted)
        #expect(try machines.seen(ours) == 2)
        #expect(try machines.seen(theirs) == 1)
    }

    // SEMANTICS: A pointer of the Autonomi network compares nothing either: two machines with
    // the same key look before and after each change, and the later one begins again on top of
    // what it finds. A pad that is lost between a look and a change is put again with the next
    // change of the machine that lost it, and a revision that is lost so is found by that
    // machine then ([0025](decisions/0025-pointers-without-conditions.md)).
    @Test("a pad that another machine's table has lost is put again with the next change")
    func lostPad() throws {
        let machines = try TwoMachines()
        defer { machines.daemon.stop() }
        #expect(try machines.here.put(try ours.seal("one", counter: 1)) == .accepted)
        let large = String(repeating: "x", count: 9000)
        let other = try machines.later(try theirs.seal(large, counter: 1))
        // Between our last look and our change: nobody can see that.
        machines.interpose(other, AntdDouble.Intervention.before, "/v1/pointers/update")
        #expect(try machines.here.put(try ours.seal("three", counter: 2)) == .accepted)
        #expect(try machines.seen(theirs) == nil)
        #expect(try machines.there.put(try third.seal("four", counter: 1)) == .accepted)
        #expect(try machines.seen(ours) == 2)
        #expect(try machines.seen(theirs) == 1)
        #expect(try machines.seen(third) == 1)
    }

    // SEMANTICS: A pointer of the Autonomi network compares nothing either: two machines with
    // the same key look before and after each change, and the later one begins again on top of
    // what it finds. A pad that is lost between a look and a change is put again with the next
    // change of the machine that lost it, and a revision that is lost so is found by that
    // machine then ([0025](decisions/0025-pointers-without-conditions.md)).
    @Test("two states of one pad under one counter: the machine that lost is given the other's")
    func fork() throws {
        let machines = try TwoMachines()
        defer { machines.daemon.stop() }
        #expect(try machines.here.put(try ours.seal("one", counter: 1)) == .accepted)
        let other = try machines.later(try ours.seal("theirs", counter: 2))
        machines.interpose(other, AntdDouble.Intervention.before, "/v1/pointers/update")
        let winner = try ours.seal("ours", counter: 2)
        #expect(try machines.here.put(winner) == .accepted)
        // Its larger counter would hide that the winner was never seen there.
        let next = try ours.seal("theirs, later", counter: 3)
        #expect(try machines.there.put(next) == .standing(winner))
        // Who has seen it may go over it.
        #expect(try machines.there.put(next) == .accepted)
        #expect(try machines.here.put(try ours.seal("old", counter: 3)) == .standing(next))
    }

    /// A machine whose daemon shows a pointer, after a change of it, as it was before, until it was
    /// waited for so often; and what it has paid and waited.
    private func lag(
        until pauses: Int, _ target: String, _ machines: TwoMachines
    ) -> (AutonomiPads, waits: () -> [Duration]) {
        let waits = SharedWaits()
        let (before, daemon) = (machines.standing, machines.daemon)
        daemon.change { state in
            state.interventions = [
                .after(target) { state in
                    waits.hidden.withLock { $0 = state.pointers[TwoMachines.pointer] }
                    state.pointers[TwoMachines.pointer] = before
                }
            ]
        }
        let pads = machines.machine { wait in
            let count = waits.all.withLock { all in
                all.append(wait)
                return all.count
            }
            guard count == pauses, let hidden = waits.hidden.withLock({ $0 }) else { return }
            daemon.change { $0.pointers[TwoMachines.pointer] = hidden }
        }
        return (pads, { waits.all.withLock { $0 } })
    }

    @Test("a pointer that lags behind a change is looked at again, and the change is paid once")
    func lagging() throws {
        let machines = try TwoMachines()
        defer { machines.daemon.stop() }
        for (counter, target) in [(UInt64(1), "/v1/pointers"), (2, "/v1/pointers/update")] {
            let (pads, waits) = lag(until: 3, target, machines)
            #expect(try pads.put(try ours.seal("text", counter: counter)) == .accepted)
            #expect(waits().count == 3)
            #expect(try machines.seen(ours) == counter)
        }
        let changes = machines.daemon.requests.filter { $0.hasPrefix("POST /v1/pointers") }
        #expect(changes.count == 2)
    }

    @Test("a change that the daemon took is not paid again while its pointer lags for long")
    func laggingLong() throws {
        let machines = try TwoMachines()
        defer { machines.daemon.stop() }
        #expect(try machines.here.put(try ours.seal("one", counter: 1)) == .accepted)
        let (pads, waits) = lag(until: .max, "/v1/pointers/update", machines)
        #expect(try pads.put(try ours.seal("two", counter: 2)) == .accepted)
        #expect(waits().reduce(.zero, +) < .seconds(10))
        #expect(machines.daemon.requests.filter { $0.hasSuffix("/update") }.count == 1)
        // If it was lost for good, the next change of this machine brings it back.
        #expect(try machines.seen(ours) == 1)
        #expect(try pads.put(try third.seal("three", counter: 1)) == .accepted)
        #expect(try machines.seen(ours) == 2)
    }

    @Test("what both machines put in turns is all there")
    func turns() throws {
        let machines = try TwoMachines()
        defer { machines.daemon.stop() }
        for counter in UInt64(1)...4 {
            #expect(try machines.here.put(try ours.seal("a", counter: counter)) == .accepted)
            let outcome = try machines.there.put(try theirs.seal("b", counter: counter))
            #expect(outcome == .accepted)
        }
        #expect(try machines.seen(ours) == 4)
        #expect(try machines.seen(theirs) == 4)
        #expect(machines.standing?.counter == 7)
    }
}
