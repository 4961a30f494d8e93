// SPDX-License-Identifier: Apache-2.0
//
// Whether listings come with statuses.

import Testing

@testable import FuseHost

@Suite("what listings are followed by")
struct ListingHabitTests {
    private let habit = ListingHabit()

    @Test("listings come with statuses until one is found that nobody looks at")
    func turnsAway() {
        #expect(habit.begin())
        // Every name of it came with its status: nothing can be told.
        #expect(habit.begin())
        habit.watch(5)
        #expect(!habit.begin())
        #expect(!habit.begin(), "nothing speaks for more")
    }

    @Test("one that somebody looks at brings them back")
    func turnsBack() {
        habit.watch(5)
        #expect(!habit.begin())
        habit.watch(6)
        habit.note(lookupIn: 5)
        #expect(!habit.begin(), "the other directory was listed last")
        habit.watch(7)
        habit.note(lookupIn: 7)
        #expect(habit.begin())
        habit.watch(8)
        habit.note(lookupIn: 8)
        habit.note(lookupIn: 9)
        #expect(habit.begin(), "as long as each is looked at")
    }

    @Test("a small directory is listed to its end as it began")
    func small() {
        #expect(habit.begin())
        habit.watch(5)
        #expect(habit.goesOn(in: 5, isSmall: true))
        #expect(!habit.begin())
        habit.watch(6)
        #expect(!habit.goesOn(in: 6, isSmall: true))
        habit.note(lookupIn: 6)
        #expect(habit.goesOn(in: 6, isSmall: true), "somebody looks while it is listed")
    }

    @Test("a large one goes on with statuses for who looks at each part")
    func large() {
        #expect(habit.begin())
        habit.watch(5)
        #expect(!habit.goesOn(in: 5, isSmall: false))
        habit.note(lookupIn: 5)
        #expect(habit.goesOn(in: 5, isSmall: false))
        habit.watch(5)
        #expect(!habit.goesOn(in: 5, isSmall: false))
    }
}
